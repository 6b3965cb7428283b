import { HearsayError } from '../errors.ts'
import type { ByteStream, Runtime, StreamHandlers, Transport } from '../runtime/runtime.ts'
import { FramedStream, type StreamOwner, type StreamProtocol } from './framed-stream.ts'
import { type FrameHandlers, type FrameStream, STREAM_FAULTS, type StreamFault } from './frames.ts'
import { Keyring } from './keyring.ts'
import { MixedPackets, MixedStreams, PlainPeers } from './mixed.ts'
import { NonceSource, type SessionId } from './nonces.ts'
import { PACKET_DROPS, type PacketCodec, type PacketDrop } from './packet-codec.ts'
import { PlainPackets } from './plain-packets.ts'
import { PlainStreams } from './plain-stream.ts'
import { ReplayWindows } from './replay-window.ts'
import { SealedPackets } from './sealed-packets.ts'
import { SealedStreams } from './sealed-stream.ts'
import { loadSodium } from './sodium.ts'
import { StreamHandshake } from './stream-handshake.ts'

export interface SecureTransportOptions {
  /** `ip:port`; port 0 chooses one. */
  readonly bind: string
  /** Clusters of different labels do not hear each other. */
  readonly label: string
  /** The first seals, all open; none at all means plaintext. */
  readonly keys: readonly (Uint8Array | string)[]
  /** Whether plaintext is taken beside keys. Default: not. */
  readonly acceptPlaintext?: boolean
  /** Open streams that others have connected. As many more may be opening. */
  readonly maxInboundStreams: number
  /** A stream on which nothing moves for so long is cut; so is one that is open for longer than `streamLifetimeMs`. */
  readonly streamIdleMs: number
  readonly streamLifetimeMs: number
  /** A stream that brings more is cut. */
  readonly maxStreamBytes: number
  readonly handshakeTimeoutMs: number
}

export interface SecureTransportHandlers {
  /**
   * A packet that a key holder sealed and that was not received before. The body is the receiver's. `session`
   * names the sender's process, and is missing in plaintext.
   */
  onPacket(body: Uint8Array, from: string, session: SessionId | undefined): void
  /** A stream came in and has proven itself. Returns what it tells its events to, or nothing to refuse it. */
  onStream(stream: FrameStream): FrameHandlers | undefined
  /** The port has failed for good. */
  onFault(cause: unknown): void
  /** A packet or stream was dropped. Comes at whatever rate a stranger likes. */
  onDrop?(cause: DropCause, from: string): void
}

export type DropCause = PacketDrop | `stream-${StreamFault}`

/**
 * Everything is counted from the start, but for `streamsOpen` and `sessions`. Bytes are those of UDP payload
 * and of TCP payload.
 */
export interface TransportCounts {
  /** Packets that arrived, the dropped ones included. */
  packetsIn: number
  packetBytesIn: number
  packetsOut: number
  packetBytesOut: number
  /** Streams that others opened and that have proven themselves. */
  streamsIn: number
  /** Streams that this node set out to open. */
  streamsOut: number
  streamBytesIn: number
  streamBytesOut: number
  /** Streams of either direction that exist now. */
  streamsOpen: number
  /** Senders' sessions whose replay windows are remembered now. */
  sessions: number
  drops: Record<DropCause, number>
}

/**
 * The network as the rest of the library sees it: what comes out of here was sealed by a key holder of this
 * cluster, and comes once only. All else is dropped and counted; it raises no exception, gets no answer and
 * changes nothing.
 */
export class SecureTransport {
  readonly #options: SecureTransportOptions
  readonly #handlers: SecureTransportHandlers
  readonly #runtime: Runtime
  readonly #guard: Guard
  readonly #owner: StreamOwner
  readonly #windows = new ReplayWindows()
  readonly #counts: TransportCounts = emptyCounts()
  readonly #opening = new Set<FramedStream>()
  readonly #inbound = new Set<FramedStream>()
  readonly #outbound = new Set<FramedStream>()
  #transport: Transport | undefined
  #address = ''
  #closing: Promise<void> | undefined

  /** Rejects with `ERR_KEY_INVALID` or `ERR_BIND_FAILED`. */
  static async start(
    runtime: Runtime,
    options: SecureTransportOptions,
    handlers: SecureTransportHandlers,
  ): Promise<SecureTransport> {
    const guard = await makeGuard(runtime, options)
    const secure = new SecureTransport(runtime, options, handlers, guard)
    try {
      secure.#transport = await runtime.listen(options.bind, {
        onPacket: (packet, from) => secure.#onPacket(packet, from),
        onStream: (bytes) => secure.#onStream(bytes),
        onFault: (cause) => handlers.onFault(cause),
      })
    } catch (error) {
      guard.keyring?.dispose()
      throw error
    }
    secure.#address = secure.#transport.address
    return secure
  }

  private constructor(
    runtime: Runtime,
    options: SecureTransportOptions,
    handlers: SecureTransportHandlers,
    guard: Guard,
  ) {
    this.#options = options
    this.#handlers = handlers
    this.#runtime = runtime
    this.#guard = guard
    this.#owner = {
      runtime,
      protocol: guard.streams,
      handshakeTimeoutMs: options.handshakeTimeoutMs,
      idleMs: options.streamIdleMs,
      lifetimeMs: options.streamLifetimeMs,
      mostBytes: options.maxStreamBytes,
      counts: this.#counts,
      onStreamFault: (fault, from) => this.#drop(`stream-${fault}`, from),
      onStreamClosed: (stream) => this.#forget(stream),
    }
  }

  /** The address bound, with the port chosen. */
  get address(): string {
    return this.#address
  }

  /** What this node holds; nothing where it runs without keys. */
  get keyring(): Keyring | undefined {
    return this.#guard.keyring
  }

  /** To be told who holds no keys; nothing where plaintext is not accepted beside keys. */
  get plainPeers(): PlainPeers | undefined {
    return this.#guard.plainPeers
  }

  /** Live: read it, do not keep it. */
  get counts(): Readonly<TransportCounts> {
    this.#counts.streamsOpen = this.#opening.size + this.#inbound.size + this.#outbound.size
    this.#counts.sessions = this.#windows.size
    return this.#counts
  }

  /** Seals and sends, best effort. The body may be reused at once. Ignored once closed. */
  send(to: string, body: Uint8Array): void {
    if (this.#transport === undefined) return
    const packet = this.#guard.packets.seal(body, to)
    this.#counts.packetsOut++
    this.#counts.packetBytesOut += packet.length
    this.#transport.send(to, packet)
  }

  /** Opens a stream; `onOpen` or `onClose` tells how it went. Throws `ERR_CLOSED` once closed. */
  connect(to: string, handlers: FrameHandlers): FrameStream {
    if (this.#transport === undefined) throw new HearsayError('ERR_CLOSED', 'This node is closed.')
    const stream = FramedStream.connect(this.#owner, this.#transport, to, handlers)
    this.#outbound.add(stream)
    this.#counts.streamsOut++
    return stream
  }

  /**
   * Tells whether a bare connection to an address comes about in time: a kernel that answers for a process
   * that may not. Calls back once, unless this transport closes first.
   */
  witness(to: string, timeoutMs: number, callback: (reached: boolean) => void): void {
    if (this.#transport === undefined) return
    let told = false
    const tell = (reached: boolean) => {
      if (told) return
      told = true
      timer.cancel()
      connection.destroy()
      if (this.#transport !== undefined) callback(reached)
    }
    const timer = this.#runtime.setTimer(timeoutMs, () => tell(false))
    const connection = this.#transport.connect(to, {
      onOpen: () => tell(true),
      onData() {},
      onDrain() {},
      onClose: () => tell(false),
    })
  }

  /** Never forgets the replay window of a session while it is kept. False when there is no such session. */
  keepSession(session: SessionId): boolean {
    return this.#windows.keep(session)
  }

  releaseSession(session: SessionId): void {
    this.#windows.release(session)
  }

  /** Draws new nonce prefixes: to be called when this process may have been cloned or rewound. */
  renewNonce(): void {
    this.#guard.packets.renewNonce()
    this.#guard.streams.renewNonce()
  }

  /** Closes the port and every stream, and wipes the keys. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const transport = this.#transport
    this.#transport = undefined
    for (const stream of [...this.#opening, ...this.#inbound, ...this.#outbound]) stream.destroy()
    await transport?.close()
    this.#guard.keyring?.dispose()
  }

  #onPacket(packet: Uint8Array, from: string): void {
    if (this.#transport === undefined) return
    this.#counts.packetsIn++
    this.#counts.packetBytesIn += packet.length
    const opened = this.#guard.packets.open(packet)
    if (typeof opened === 'string') {
      this.#drop(opened, from)
    } else if (opened.session !== undefined && !this.#windows.accept(opened.session, opened.sequence)) {
      this.#drop('replayed', from)
    } else {
      this.#handlers.onPacket(opened.body, from, opened.session)
    }
  }

  #onStream(bytes: ByteStream): StreamHandlers | undefined {
    if (this.#transport === undefined) return undefined
    if (this.#inbound.size >= this.#options.maxInboundStreams) {
      this.#drop('stream-limit', bytes.remoteAddress)
      return undefined
    }
    // The oldest gives way: connections that say nothing must not keep those out that would.
    const [oldest] = this.#opening
    if (oldest !== undefined && this.#opening.size >= this.#options.maxInboundStreams) {
      this.#opening.delete(oldest)
      oldest.cut('limit')
    }
    const stream = FramedStream.accept(this.#owner, bytes, (proven) => this.#admit(proven))
    this.#opening.add(stream)
    return stream
  }

  #admit(stream: FramedStream): FrameHandlers | undefined {
    this.#opening.delete(stream)
    if (this.#inbound.size >= this.#options.maxInboundStreams) {
      stream.cut('limit')
      return undefined
    }
    this.#inbound.add(stream)
    this.#counts.streamsIn++
    return this.#handlers.onStream(stream)
  }

  #forget(stream: FramedStream): void {
    this.#opening.delete(stream)
    this.#inbound.delete(stream)
    this.#outbound.delete(stream)
  }

  #drop(cause: DropCause, from: string): void {
    this.#counts.drops[cause]++
    this.#handlers.onDrop?.(cause, from)
  }
}

/** What stands between the network and the node: sealing, or a mere check of version and label. */
interface Guard {
  readonly keyring: Keyring | undefined
  readonly plainPeers: PlainPeers | undefined
  readonly packets: PacketCodec
  readonly streams: StreamProtocol
}

async function makeGuard(runtime: Runtime, options: SecureTransportOptions): Promise<Guard> {
  const { keys, label } = options
  const plain = { packets: new PlainPackets(label), streams: new PlainStreams(label) }
  if (keys.length === 0) return { keyring: undefined, plainPeers: undefined, ...plain }
  const sodium = await loadSodium()
  const keyring = new Keyring(sodium, keys)
  const fillRandom = (bytes: Uint8Array) => runtime.fillRandom(bytes)
  const packets = new SealedPackets(sodium, keyring, label, new NonceSource(fillRandom))
  const handshake = new StreamHandshake(sodium, keyring, label, new NonceSource(fillRandom), fillRandom)
  const streams = new SealedStreams(sodium, keyring, handshake)
  if (options.acceptPlaintext !== true) return { keyring, plainPeers: undefined, packets, streams }
  const plainPeers = new PlainPeers()
  return {
    keyring,
    plainPeers,
    packets: new MixedPackets(packets, plain.packets, plainPeers),
    streams: new MixedStreams(streams, plain.streams, keyring, plainPeers),
  }
}

function emptyCounts(): TransportCounts {
  const causes: DropCause[] = [...PACKET_DROPS, ...STREAM_FAULTS.map((fault): DropCause => `stream-${fault}`)]
  return {
    packetsIn: 0,
    packetBytesIn: 0,
    packetsOut: 0,
    packetBytesOut: 0,
    streamsIn: 0,
    streamsOut: 0,
    streamBytesIn: 0,
    streamBytesOut: 0,
    streamsOpen: 0,
    sessions: 0,
    drops: Object.fromEntries(causes.map((cause) => [cause, 0])) as Record<DropCause, number>,
  }
}
