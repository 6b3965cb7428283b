import type { ByteStream, Runtime, StreamHandlers, Timer, Transport } from '../runtime/runtime.ts'
import {
  encodeFrame,
  type FrameHandlers,
  FrameParser,
  type FrameStream,
  MAX_FRAME_BYTES,
  StreamError,
  type StreamFault,
} from './frames.ts'

/** What differs between sealed and plain streams: how they open, and what a record looks like. */
export interface StreamProtocol {
  /** What a record is longer than its frame. */
  readonly recordOverhead: number
  /** The side that connected begins, in a way that no try to that address has failed in. */
  initiate(to: string, failed: number): Initiation
  /** The side that was connected to: what it answers to the first message, or why it does not. */
  answer(hello: Uint8Array): { readonly reply: Uint8Array; readonly records: RecordCodec } | StreamFault
  /** Starts a new session for the opening messages, as `PacketCodec.renewNonce` does for packets. */
  renewNonce(): void
}

export interface Initiation {
  readonly hello: Uint8Array
  /** Whether another try may fare better: with another key. */
  readonly hasAlternative: boolean
  complete(reply: Uint8Array): RecordCodec | StreamFault
  /** Wipes what `complete` would have needed. Idempotent, and harmless after it. */
  abandon(): void
}

/** Frames to records and back, both directions of one stream. */
export interface RecordCodec {
  readonly sealed: boolean
  seal(frame: Uint8Array, final: boolean): Uint8Array
  open(record: Uint8Array): { readonly frame: Uint8Array; readonly final: boolean } | StreamFault
  dispose(): void
}

/** What a stream needs of the transport that it belongs to. */
export interface StreamOwner {
  readonly runtime: Runtime
  readonly protocol: StreamProtocol
  readonly handshakeTimeoutMs: number
  readonly idleMs: number
  /** No stream is open for longer. */
  readonly lifetimeMs: number
  /** No stream brings more. */
  readonly mostBytes: number
  readonly counts: { streamBytesIn: number; streamBytesOut: number }
  onStreamFault(fault: StreamFault, from: string): void
  onStreamClosed(stream: FramedStream): void
}

/**
 * `opening` until both sides know each other, `confirming` while the side that was connected to waits for the
 * first record, `ending` from this side's final record to the other's, `ended` when both have crossed,
 * `destroyed` when this side cut the stream or it is closed.
 */
type Phase = 'opening' | 'confirming' | 'open' | 'ending' | 'ended' | 'destroyed'

/**
 * The longest opening message: all that a stranger can make this node store. Leaves room for later versions.
 */
export const MAX_OPENING_BYTES = 128

const NO_BYTES = new Uint8Array(0)

/**
 * Runs one stream, sealed or plain, over a byte stream: hello, reply, an empty record that confirms the
 * reply, frames, a final record. Whoever is connected to learns of a stream only when it is confirmed: a
 * replayed hello never gets that far, for who replays it cannot make the record.
 */
export class FramedStream implements FrameStream, StreamHandlers {
  readonly #owner: StreamOwner
  readonly #admit: (stream: FramedStream) => FrameHandlers | undefined
  readonly #parser: FrameParser
  #bytes!: ByteStream
  #handlers: FrameHandlers | undefined
  #phase: Phase = 'opening'
  #initiation: Initiation | undefined
  #tries = 0
  #to = ''
  #connect: () => ByteStream = () => this.#bytes
  #records: RecordCodec | undefined
  #waiting: Uint8Array[] = []
  #endOnceOpen = false
  #heard = false
  #fault: StreamError | undefined
  #timer: Timer
  #lastProgress: number
  #endsAt = Number.POSITIVE_INFINITY
  #received = 0

  /** Connects; frames go to `handlers`. */
  static connect(
    owner: StreamOwner,
    transport: Transport,
    to: string,
    handlers: FrameHandlers,
  ): FramedStream {
    const stream = new FramedStream(owner, () => undefined)
    stream.#handlers = handlers
    stream.#to = to
    stream.#connect = () => transport.connect(to, stream)
    stream.#bytes = stream.#connect()
    return stream
  }

  /**
   * Takes a stream that came in. Once it is confirmed `admit` says where its frames go, or nothing to refuse
   * it.
   */
  static accept(
    owner: StreamOwner,
    bytes: ByteStream,
    admit: (stream: FramedStream) => FrameHandlers | undefined,
  ): FramedStream {
    const stream = new FramedStream(owner, admit)
    stream.#bytes = bytes
    return stream
  }

  private constructor(owner: StreamOwner, admit: (stream: FramedStream) => FrameHandlers | undefined) {
    this.#owner = owner
    this.#admit = admit
    this.#parser = new FrameParser(MAX_OPENING_BYTES)
    this.#lastProgress = owner.runtime.now()
    this.#timer = owner.runtime.setTimer(owner.handshakeTimeoutMs, () => this.cut('timeout'))
  }

  get remoteAddress(): string {
    return this.#bytes.remoteAddress
  }

  get sealed(): boolean {
    return this.#records?.sealed === true
  }

  send(frame: Uint8Array): boolean {
    if (frame.length > MAX_FRAME_BYTES) {
      throw new RangeError(`A frame has at most ${MAX_FRAME_BYTES} bytes, this one ${frame.length}`)
    }
    if (this.#phase === 'opening' && !this.#endOnceOpen) this.#waiting.push(new Uint8Array(frame))
    return this.#phase === 'open' && this.#write(this.#records!.seal(frame, false))
  }

  end(): void {
    if (this.#phase === 'opening') this.#endOnceOpen = true
    if (this.#phase !== 'open') return
    this.#phase = 'ending'
    this.#write(this.#records!.seal(NO_BYTES, true))
  }

  destroy(): void {
    this.#phase = 'destroyed'
    this.#bytes.destroy()
  }

  /** Destroys with an error, which is counted. */
  cut(fault: StreamFault): void {
    if (this.#phase === 'destroyed') return
    this.#fault = new StreamError(fault)
    this.#owner.onStreamFault(fault, this.remoteAddress)
    this.destroy()
  }

  onOpen(): void {
    if (this.#phase !== 'opening') return
    this.#initiation = this.#owner.protocol.initiate(this.#to, this.#tries)
    this.#write(this.#initiation.hello)
  }

  onData(chunk: Uint8Array): void {
    this.#heard = true
    this.#owner.counts.streamBytesIn += chunk.length
    this.#received += chunk.length
    if (this.#received > this.#owner.mostBytes) {
      this.cut('overlong')
      return
    }
    this.#lastProgress = this.#owner.runtime.now()
    this.#parser.feed(chunk)
    while (this.#phase !== 'ended' && this.#phase !== 'destroyed') {
      const record = this.#parser.next()
      if (record === undefined) break
      this.#receive(record)
    }
    if (this.#parser.oversized) this.cut('oversized')
  }

  onDrain(): void {
    this.#lastProgress = this.#owner.runtime.now()
    if (this.#phase === 'open') this.#handlers?.onDrain()
  }

  onClose(error?: Error): void {
    if (this.#triesAgain()) return
    const outcome = this.#outcome(error)
    this.#phase = 'destroyed'
    this.#timer.cancel()
    this.#initiation?.abandon()
    this.#records?.dispose()
    this.#owner.onStreamClosed(this)
    this.#handlers?.onClose(outcome)
  }

  /** Whoever closes upon a hello may hold another key of this ring. */
  #triesAgain(): boolean {
    if (this.#phase !== 'opening' || this.#heard || this.#initiation?.hasAlternative !== true) return false
    this.#initiation.abandon()
    this.#initiation = undefined
    this.#tries++
    this.#bytes = this.#connect()
    return true
  }

  #receive(record: Uint8Array): void {
    if (this.#phase !== 'opening') this.#receiveRecord(record)
    else if (this.#initiation !== undefined) this.#receiveReply(this.#initiation, record)
    else this.#receiveHello(record)
  }

  #receiveHello(hello: Uint8Array): void {
    const answer = this.#owner.protocol.answer(hello)
    if (typeof answer === 'string') {
      this.cut(answer)
      return
    }
    this.#phase = 'confirming'
    this.#use(answer.records)
    this.#write(answer.reply)
  }

  #receiveReply(initiation: Initiation, reply: Uint8Array): void {
    const records = initiation.complete(reply)
    if (typeof records === 'string') {
      this.cut(records)
      return
    }
    this.#use(records)
    this.#opened()
    let drained = this.#write(records.seal(NO_BYTES, false))
    const waited = this.#waiting
    this.#waiting = []
    for (const frame of waited) drained = this.#write(records.seal(frame, false))
    this.#handlers?.onOpen()
    if (this.#endOnceOpen) this.end()
    else if (waited.length > 0 && drained) this.onDrain()
  }

  #receiveRecord(record: Uint8Array): void {
    const opened = this.#records!.open(record)
    if (typeof opened === 'string') this.cut(opened)
    else if (this.#phase === 'confirming') this.#confirm(opened)
    else if (!opened.final) this.#handlers?.onFrame(opened.frame)
    else this.#finish()
  }

  #confirm(record: { readonly frame: Uint8Array; readonly final: boolean }): void {
    if (record.final || record.frame.length > 0) {
      this.cut('malformed')
      return
    }
    this.#opened()
    this.#handlers = this.#admit(this)
    if (this.#handlers === undefined) this.destroy()
  }

  #finish(): void {
    this.end()
    this.#phase = 'ended'
    this.#bytes.end()
  }

  #use(records: RecordCodec): void {
    this.#records = records
    this.#parser.limit = MAX_FRAME_BYTES + this.#owner.protocol.recordOverhead
  }

  #opened(): void {
    this.#phase = 'open'
    this.#timer.cancel()
    const { runtime, idleMs, lifetimeMs } = this.#owner
    this.#endsAt = runtime.now() + lifetimeMs
    this.#watch(Math.min(idleMs, lifetimeMs))
  }

  #write(record: Uint8Array): boolean {
    const bytes = encodeFrame(record)
    this.#owner.counts.streamBytesOut += bytes.length
    const drained = this.#bytes.write(bytes)
    // Bytes that pile up are no progress: an end that reads nothing must not keep the stream for ever.
    if (drained) this.#lastProgress = this.#owner.runtime.now()
    return drained
  }

  /** Who drips bytes is never idle, and yet comes to an end. */
  #watch(delayMs: number): void {
    const { runtime, idleMs } = this.#owner
    this.#timer = runtime.setTimer(delayMs, () => {
      const now = runtime.now()
      const idleAt = this.#lastProgress + idleMs
      if (now < idleAt && now < this.#endsAt) this.#watch(Math.min(idleAt, this.#endsAt) - now)
      else if (this.#phase === 'ended') this.destroy()
      else this.cut(now < this.#endsAt ? 'idle' : 'overlong')
    })
  }

  /**
   * What `onClose` tells. Silence means that all that the other side sent has come, or that this side cut the
   * stream.
   */
  #outcome(error: Error | undefined): Error | undefined {
    if (this.#phase === 'destroyed') return this.#fault
    if (this.#phase === 'ended') return undefined
    // A connection that closes without a word is a witness (`SecureTransport.witness`), not a fault.
    const spoken = this.#heard || this.#initiation !== undefined
    const fault = this.#phase === 'open' || this.#phase === 'ending' ? 'truncated' : 'refused'
    // Whoever refuses may do so by a reset.
    if (spoken && (error === undefined || fault === 'refused'))
      this.#owner.onStreamFault(fault, this.remoteAddress)
    return error ?? new StreamError(fault)
  }
}
