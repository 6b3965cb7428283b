import { QueuedEvent } from './event-queue.ts'
import { IoEvent } from './io-event.ts'
import type { VirtualHost } from './virtual-host.ts'
import type { VirtualStream } from './virtual-stream.ts'
import type { Endpoint } from './virtual-world.ts'

const NO_BYTES = new Uint8Array(0)

/** What travels in a stream, in order: the last step of the handshake, then data, then the end. */
export type SegmentKind = 'accept' | 'data' | 'end'

export class Segment extends QueuedEvent {
  readonly #sender: VirtualStream
  readonly kind: SegmentKind
  readonly bytes: Uint8Array

  constructor(sender: VirtualStream, kind: SegmentKind, bytes: Uint8Array = NO_BYTES) {
    super()
    this.#sender = sender
    this.kind = kind
    this.bytes = bytes
  }

  fire(): void {
    this.#sender.arrive(this)
  }
}

/** An event of a stream on its way to the process of this end. */
export class StreamIo extends IoEvent {
  readonly bufferBytes = 0
  readonly kind: number
  readonly bytes: Uint8Array
  readonly error: Error | undefined
  readonly #stream: VirtualStream

  constructor(stream: VirtualStream, kind: number, bytes: Uint8Array = NO_BYTES, error?: Error) {
    super()
    this.#stream = stream
    this.kind = kind
    this.bytes = bytes
    this.error = error
  }

  fire(): void {
    this.#stream.port.process.receive(this)
  }

  deliver(): void {
    this.#stream.trace(this)
    this.#stream.deliver(this)
  }

  drop(): void {}
}

/** The first packet of a handshake on its way there, then the answer on its way back: both are the kernels' affair. */
export class SynEvent extends QueuedEvent {
  readonly #stream: VirtualStream
  readonly #from: VirtualHost
  readonly #to: Endpoint
  #answer: 'none' | 'accepted' | 'refused' = 'none'

  constructor(stream: VirtualStream, from: VirtualHost, to: Endpoint) {
    super()
    this.#stream = stream
    this.#from = from
    this.#to = to
  }

  fire(): void {
    if (this.#answer !== 'none') {
      if (!this.#from.frozen) this.#stream.answered(this.#answer === 'refused')
      return
    }
    const { host, port } = this.#to
    const { network, now } = host.world
    if (!host.up || host.frozen || network.blocked(host, this.#from) || network.lost(host, this.#from)) return
    this.#answer = port === undefined ? 'refused' : 'accepted'
    host.world.schedule(now + network.latency(host, this.#from), this)
  }
}

/** Tells the other end of a stream that this one is gone. */
export class ResetEvent extends QueuedEvent {
  readonly #sender: VirtualStream

  constructor(sender: VirtualStream) {
    super()
    this.#sender = sender
  }

  fire(): void {
    const { peer } = this.#sender
    peer?.fail(resetBy(peer.remoteAddress))
  }
}

export class FailEvent extends QueuedEvent {
  readonly #stream: VirtualStream
  readonly #error: Error

  constructor(stream: VirtualStream, error: Error) {
    super()
    this.#stream = stream
    this.#error = error
  }

  fire(): void {
    this.#stream.fail(this.#error)
  }
}

/** The network breaks a stream that both ends take for whole. */
export class BreakEvent extends QueuedEvent {
  readonly #stream: VirtualStream

  constructor(stream: VirtualStream) {
    super()
    this.#stream = stream
  }

  fire(): void {
    this.#stream.broken()
  }
}

/** Tells a stream that it is time for something. */
export class StreamTick extends QueuedEvent {
  readonly #stream: VirtualStream
  readonly #what: 'retry' | 'transmit' | 'linger'

  constructor(stream: VirtualStream, what: 'retry' | 'transmit' | 'linger') {
    super()
    this.#stream = stream
    this.#what = what
  }

  fire(): void {
    this.#stream[this.#what]()
  }
}

export function streamError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

export function resetBy(address: string): Error {
  return streamError('ECONNRESET', `${address} reset the stream`)
}
