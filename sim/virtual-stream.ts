import type { ByteStream, StreamHandlers } from '../src/runtime/runtime.ts'
import { finish, mixBytes } from '../src/wire/mix.ts'
import {
  BreakEvent,
  FailEvent,
  ResetEvent,
  resetBy,
  Segment,
  StreamIo,
  StreamTick,
  SynEvent,
  streamError,
} from './stream-events.ts'
import { TRACED } from './trace.ts'
import type { VirtualHost } from './virtual-host.ts'
import type { VirtualPort } from './virtual-port.ts'
import type { Endpoint, VirtualWorld } from './virtual-world.ts'

/** As Node and Linux have them, roughly. */
const HIGH_WATER_BYTES = 64 * 1024
const WINDOW_BYTES = 256 * 1024
const SEGMENT_BYTES = 16 * 1024
const SYN_RETRY_MS = 1000
const RETRY_MS = 200

/** An ended stream on which nothing moves for this long is given up: the other side may never close its end. */
const LINGER_MS = 10_000

/**
 * One end of a stream, as a small TCP: a handshake of one round trip answered by the kernel, order, a window, a reset when the
 * other process is gone, retransmission over lossy and blocked links, and a timeout when nothing gets through.
 * A stream stalls when either direction of its link is blocked, since acknowledgements need the other one.
 */
export class VirtualStream implements ByteStream {
  readonly remoteAddress: string
  readonly port: VirtualPort
  readonly #world: VirtualWorld
  readonly #host: VirtualHost
  #remote: Endpoint | undefined
  #handlers: StreamHandlers | undefined
  #peer: VirtualStream | undefined
  #state: 'connecting' | 'open' | 'closed' = 'connecting'
  /** Its user wants to hear of nothing but the close. */
  #destroyed = false
  #waiting: Segment[] = []
  #waitingBytes = 0
  #inFlight = 0
  #lastArrival = 0
  #drainWanted = false
  #ending = false
  #endSent = false
  #endReceived = false
  /** When data last moved; kept from `end` on. */
  #movedAt = 0
  #stalledSince = 0
  #retryMs = 0
  #retry: StreamTick | undefined
  #break: BreakEvent | undefined

  constructor(port: VirtualPort, remoteAddress: string, handlers: StreamHandlers | undefined) {
    this.port = port
    this.remoteAddress = remoteAddress
    this.#handlers = handlers
    this.#host = port.process.host
    this.#world = this.#host.world
  }

  /** The other end; missing until its kernel has heard of this one. */
  get peer(): VirtualStream | undefined {
    return this.#peer
  }

  get closed(): boolean {
    return this.#state === 'closed'
  }

  write(bytes: Uint8Array): boolean {
    if (this.closed || this.#ending) return true
    // A copy, as in `NodeRuntime`: the caller may use its buffer again.
    const copy = bytes.slice()
    const cut = copy.length > 1 ? this.#world.network.cutAt(copy.length) : 0
    if (cut > 0) this.#enqueueData(copy.subarray(0, cut))
    this.#enqueueData(copy.subarray(cut))
    this.#transmit()
    if (this.#waitingBytes <= HIGH_WATER_BYTES) return true
    this.#drainWanted = true
    return false
  }

  end(): void {
    if (this.closed || this.#ending) return
    this.#ending = true
    this.#waiting.push(new Segment(this, 'end'))
    this.#movedAt = this.#world.now
    this.linger()
    this.#transmit()
  }

  destroy(): void {
    this.#destroyed = true
    if (this.closed) return
    if (this.#state === 'open') this.#sendReset()
    this.#close(this.#endReceived ? undefined : streamError('ECONNABORTED', 'destroyed on this side'))
  }

  /** Begins the handshake. */
  connect(): void {
    this.#remote = this.#world.endpoint(this.remoteAddress)
    this.#stalledSince = this.#world.now
    this.#retryMs = SYN_RETRY_MS
    this.#sendSyn()
    this.#scheduleRetry()
  }

  /** The process of this end is gone. */
  abandon(tellPeer: boolean): void {
    if (tellPeer && this.#state === 'open') this.#sendReset()
    this.#state = 'closed'
    this.#forget()
  }

  /** The kernel of the other end has answered the handshake. */
  answered(refused: boolean): void {
    if (this.#state !== 'connecting') return
    this.#cancelRetry()
    if (refused) {
      this.#close(streamError('ECONNREFUSED', `connection to ${this.remoteAddress} was refused`))
      return
    }
    this.#state = 'open'
    this.#breakLater()
    this.#waiting.unshift(new Segment(this, 'accept'))
    this.port.process.receive(new StreamIo(this, TRACED.streamOpened))
    this.#transmit()
  }

  /** A segment of this end arrives at the other host. */
  arrive(segment: Segment): void {
    const remote = this.#remote!
    if (!remote.host.up) {
      this.#stall()
      return
    }
    if (segment.kind === 'accept') this.#peer = this.#acceptAt(remote)
    const peer = this.#peer
    if (peer === undefined || peer.closed) {
      this.#resetFrom(remote.host)
      return
    }
    if (remote.host.frozen) this.#stall()
    const kind =
      segment.kind === 'accept'
        ? TRACED.streamAccepted
        : segment.kind === 'data'
          ? TRACED.streamData
          : TRACED.streamEnded
    peer.port.process.receive(new StreamIo(peer, kind, segment.bytes))
  }

  /** The other process took so many bytes. */
  acknowledge(bytes: number): void {
    this.#inFlight -= bytes
    if (this.closed) return
    this.#movedAt = this.#world.now
    this.#cancelRetry()
    if (this.#waiting.length > 0)
      this.#world.schedule(this.#world.now + this.#latencyFrom(), new StreamTick(this, 'transmit'))
  }

  /** The window opened. */
  transmit(): void {
    if (!this.closed) this.#transmit()
  }

  /** Gives up on an ended stream on which nothing moves. */
  linger(): void {
    if (this.closed) return
    const idleMs = this.#world.now - this.#movedAt
    if (idleMs >= LINGER_MS) this.destroy()
    else this.#world.schedule(this.#movedAt + LINGER_MS, new StreamTick(this, 'linger'))
  }

  /** The connection broke. */
  fail(error: Error): void {
    if (!this.closed) this.#close(error)
  }

  /** The network broke it in the middle. */
  broken(): void {
    this.#break = undefined
    this.#host.traffic.streamsBroken++
    // The other end may be about to come into being.
    if (this.#peer === undefined) this.#sendReset()
    else this.#peer.fail(resetBy(this.#peer.remoteAddress))
    this.fail(resetBy(this.remoteAddress))
  }

  /** Time to try again what did not get through. */
  retry(): void {
    this.#retry = undefined
    if (this.closed) return
    if (this.#world.now - this.#stalledSince >= this.#world.network.streamTimeoutMs) {
      this.#close(this.#timeout())
      return
    }
    if (this.#state === 'connecting') this.#sendSyn()
    else if (this.#linkWorks()) {
      if (!this.#peerGone()) {
        this.#transmit()
        return
      }
      this.#resetFrom(this.#remote!.host)
    }
    this.#retryMs *= 2
    this.#scheduleRetry()
  }

  /** What the kernel hands to the process. */
  deliver(io: StreamIo): void {
    const handlers = this.#handlers
    switch (io.kind) {
      case TRACED.streamAccepted:
        this.#accept()
        break
      case TRACED.streamOpened:
        if (!this.#destroyed) handlers?.onOpen()
        break
      case TRACED.streamData:
        this.#peer?.acknowledge(io.bytes.length)
        this.#host.traffic.streamBytesReceived += io.bytes.length
        this.#movedAt = this.#world.now
        this.#world.tap?.(this.#host, io.bytes)
        if (!this.#destroyed) handlers?.onData(io.bytes)
        break
      case TRACED.streamDrained:
        if (!this.#destroyed && !this.closed) handlers?.onDrain()
        break
      case TRACED.streamEnded:
        this.#endReceived = true
        this.end()
        this.#closeIfDone()
        break
      default:
        this.#handlers = undefined
        handlers?.onClose(io.error)
    }
  }

  trace(io: StreamIo): void {
    const from = this.#remote?.host.index ?? this.#host.index
    this.#world.record(io.kind, from, this.#host.index, io.bytes.length, finish(mixBytes(0, io.bytes)))
  }

  #accept(): void {
    if (!this.port.open) {
      this.destroy()
      return
    }
    this.#host.traffic.streamsAccepted++
    this.#handlers = this.port.handlers.onStream(this)
    if (this.#handlers === undefined) this.destroy()
  }

  #acceptAt(remote: Endpoint): VirtualStream | undefined {
    const { port } = remote
    if (port === undefined) return undefined
    const from = `${this.#host.ip}:${this.#host.nextPort()}`
    const accepted = new VirtualStream(port, from, undefined)
    accepted.#state = 'open'
    accepted.#peer = this
    accepted.#remote = this.port.endpoint
    port.streams.add(accepted)
    return accepted
  }

  #enqueueData(bytes: Uint8Array): void {
    this.#waitingBytes += bytes.length
    for (let at = 0; at < bytes.length; at += SEGMENT_BYTES) {
      this.#waiting.push(new Segment(this, 'data', bytes.subarray(at, at + SEGMENT_BYTES)))
    }
  }

  #transmit(): void {
    if (this.#state !== 'open') return
    let sent = 0
    while (sent < this.#waiting.length && this.#retry === undefined) {
      const segment = this.#waiting[sent]!
      const { length } = segment.bytes
      if (this.#inFlight > 0 && this.#inFlight + length > WINDOW_BYTES) break
      if (!this.#linkWorks()) {
        this.#stall()
        break
      }
      sent++
      this.#send(segment, length)
    }
    this.#waiting.splice(0, sent)
    if (this.#drainWanted && this.#waitingBytes === 0) {
      this.#drainWanted = false
      this.#world.schedule(this.#world.now, new StreamIo(this, TRACED.streamDrained))
    }
    this.#closeIfDone()
  }

  #send(segment: Segment, length: number): void {
    const { network } = this.#world
    const remote = this.#remote!.host
    this.#waitingBytes -= length
    this.#inFlight += length
    this.#host.traffic.streamBytesSent += length
    if (segment.kind === 'end') this.#endSent = true
    const delay = network.retransmissionMs(this.#host, remote)
    if (delay >= network.streamTimeoutMs) {
      this.#world.schedule(this.#world.now + network.streamTimeoutMs, new FailEvent(this, this.#timeout()))
      return
    }
    const arrival = network.arrival(this.#world.now, this.#host, remote, length)
    this.#lastArrival = Math.max(this.#lastArrival, arrival + delay)
    this.#world.schedule(this.#lastArrival, segment)
  }

  /** The other process died, or never heard of this stream. */
  #peerGone(): boolean {
    return this.#peer === undefined ? this.#waiting[0]?.kind !== 'accept' : this.#peer.closed
  }

  #sendSyn(): void {
    const remote = this.#remote?.host
    if (remote === undefined || this.#host.frozen) return
    const { network } = this.#world
    if (network.blocked(this.#host, remote) || network.lost(this.#host, remote)) return
    const arrival = network.arrival(this.#world.now, this.#host, remote, 0)
    this.#world.schedule(arrival, new SynEvent(this, this.#host, this.#remote!))
  }

  #sendReset(): void {
    const remote = this.#remote!.host
    if (this.#world.network.blocked(this.#host, remote)) return
    const arrival = Math.max(
      this.#lastArrival,
      this.#world.now + this.#world.network.latency(this.#host, remote),
    )
    this.#world.schedule(arrival, new ResetEvent(this))
  }

  /** The kernel over there knows nothing of this stream. */
  #resetFrom(remote: VirtualHost): void {
    if (this.closed || this.#world.network.blocked(remote, this.#host)) return
    this.#world.schedule(
      this.#world.now + this.#latencyFrom(),
      new FailEvent(this, resetBy(this.remoteAddress)),
    )
  }

  #timeout(): Error {
    return streamError('ETIMEDOUT', `no answer from ${this.remoteAddress}`)
  }

  #latencyFrom(): number {
    return this.#world.network.latency(this.#remote!.host, this.#host)
  }

  #linkWorks(): boolean {
    const remote = this.#remote!.host
    const { network } = this.#world
    return (
      remote.up &&
      !remote.frozen &&
      !network.blocked(this.#host, remote) &&
      !network.blocked(remote, this.#host)
    )
  }

  #stall(): void {
    if (this.closed || this.#retry !== undefined) return
    this.#stalledSince = this.#world.now
    this.#retryMs = RETRY_MS
    this.#scheduleRetry()
  }

  #scheduleRetry(): void {
    const deadline = this.#stalledSince + this.#world.network.streamTimeoutMs
    this.#retry = new StreamTick(this, 'retry')
    this.#world.schedule(Math.min(this.#world.now + this.#retryMs, deadline), this.#retry)
  }

  #cancelRetry(): void {
    if (this.#retry === undefined) return
    this.#world.cancel(this.#retry)
    this.#retry = undefined
  }

  #closeIfDone(): void {
    if (this.#endSent && this.#endReceived && !this.closed) this.#close(undefined)
  }

  #close(error: Error | undefined): void {
    this.#state = 'closed'
    this.#forget()
    this.port.streams.delete(this)
    this.#world.schedule(this.#world.now, new StreamIo(this, TRACED.streamClosed, undefined, error))
  }

  /** The network breaks a share of the streams, for both ends at once. */
  #breakLater(): void {
    const lifeMs = this.#world.network.streamLifeMs()
    if (lifeMs === Number.POSITIVE_INFINITY) return
    this.#break = new BreakEvent(this)
    this.#world.schedule(this.#world.now + lifeMs, this.#break)
  }

  #forget(): void {
    this.#cancelRetry()
    if (this.#break !== undefined) this.#world.cancel(this.#break)
    this.#break = undefined
    this.#waiting = []
    this.#waitingBytes = 0
  }
}
