/** A stream that carries frames: whole byte strings, in order, each of at most `MAX_FRAME_BYTES`. */
export interface FrameStream {
  /** Where the other end is, `ip:port`. */
  readonly remoteAddress: string
  /** Whether it is open and sealed: nothing that is secret goes over any other. */
  readonly sealed: boolean
  /**
   * Sends a frame; before `onOpen` it waits. False says that more than the high-water mark waits, and
   * `onDrain` will come. Ignored after `end` or `destroy`. Throws a `RangeError` when the frame is too long.
   */
  send(frame: Uint8Array): boolean
  /**
   * Sends what waits and closes in good order, both directions: frames that the other end sent before it
   * heard of the end still arrive, later ones do not. `onClose` without error means that the other end has
   * got everything.
   */
  end(): void
  /** Drops what waits and closes at once, which the other end sees as an error; `onClose` still comes. */
  destroy(): void
}

export interface FrameHandlers {
  /** The other end has proven itself (streams of `connect` only). */
  onOpen(): void
  /** The bytes are the receiver's: nobody else will change them. */
  onFrame(frame: Uint8Array): void
  onDrain(): void
  /**
   * Comes exactly once, last. `error` is missing when the stream ended in good order or `destroy` was called
   * here; it is a `StreamError` when the exchange went wrong, or what the connection failed with.
   */
  onClose(error?: Error): void
}

export const MAX_FRAME_BYTES = 65_536

/** The second byte of the opening messages of streams. Packets use other numbers (`PacketKind`). */
export const StreamKind = { plainHello: 3, plainReply: 4, sealedHello: 5, sealedReply: 6 } as const

/** Why a stream was cut, and what that points to. */
const FAULTS = {
  version: 'the other end speaks another version of the protocol',
  plaintext: 'the other end holds no keys',
  sealed: 'the other end holds keys, and this one none',
  label: 'the other end belongs to a cluster of another label',
  'unknown-key': 'the other end uses a key that this one does not hold',
  forged: 'bytes were not sealed by a holder of the key, or not for this place in the stream',
  replayed: 'the opening message was received before',
  reflected: 'the opening message came from this node itself',
  malformed: 'an opening message or record is ill-formed',
  oversized: 'a frame was announced that is longer than any may be',
  truncated: 'the stream stopped before its end',
  refused: 'the other end closed the stream before it was open; it may hold other keys or another label',
  timeout: 'the stream was not open in time',
  idle: 'nothing moved for too long',
  overlong: 'it was open for longer, or brought more bytes, than any stream needs',
  limit: 'too many streams came in',
} as const

export type StreamFault = keyof typeof FAULTS

export const STREAM_FAULTS = Object.keys(FAULTS) as readonly StreamFault[]

export class StreamError extends Error {
  override readonly name = 'StreamError'
  readonly fault: StreamFault

  constructor(fault: StreamFault) {
    super(`Stream closed: ${FAULTS[fault]}.`)
    this.fault = fault
  }
}

const PREFIX_BYTES = 4
const NO_BYTES = new Uint8Array(0)

/** A frame as it goes over a byte stream: its length in 4 bytes, then itself. */
export function encodeFrame(frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(PREFIX_BYTES + frame.length)
  bytes[0] = frame.length >>> 24
  bytes[1] = frame.length >>> 16
  bytes[2] = frame.length >>> 8
  bytes[3] = frame.length
  bytes.set(frame, PREFIX_BYTES)
  return bytes
}

/**
 * Cuts a byte stream into frames, however it is chunked. Each byte is copied at most once, and nothing is
 * allocated for a frame before its length has been found to be within the limit.
 */
export class FrameParser {
  /** The longest frame taken; may change between frames. */
  limit: number
  #chunk: Uint8Array = NO_BYTES
  #at = 0
  #prefixRead = 0
  #length = 0
  #frame: Uint8Array | undefined
  #filled = 0
  #oversized = false

  constructor(limit: number) {
    this.limit = limit
  }

  /** Whether a frame longer than the limit was announced: from there on the stream makes no sense. */
  get oversized(): boolean {
    return this.#oversized
  }

  /** Gives the next chunk, after `next` has returned nothing for the last one. */
  feed(chunk: Uint8Array): void {
    this.#chunk = chunk
    this.#at = 0
  }

  /** The next whole frame, or nothing until more is fed. It may be a view into the chunk. */
  next(): Uint8Array | undefined {
    const frame = this.#next()
    // A view of a few bytes would keep the whole chunk alive for as long as the stream is silent.
    if (frame === undefined) this.feed(NO_BYTES)
    return frame
  }

  #next(): Uint8Array | undefined {
    if (this.#frame === undefined) {
      if (!this.#readPrefix()) return undefined
      if (this.#length > this.limit) {
        this.#oversized = true
        return undefined
      }
      if (this.#chunk.length - this.#at >= this.#length) {
        this.#prefixRead = 0
        return this.#take(this.#length)
      }
      this.#frame = new Uint8Array(this.#length)
      this.#filled = 0
    }

    const part = this.#take(Math.min(this.#length - this.#filled, this.#chunk.length - this.#at))
    this.#frame.set(part, this.#filled)
    this.#filled += part.length
    if (this.#filled < this.#length) return undefined

    const frame = this.#frame
    this.#frame = undefined
    this.#prefixRead = 0
    return frame
  }

  #readPrefix(): boolean {
    if (this.#prefixRead === 0) this.#length = 0
    while (this.#prefixRead < PREFIX_BYTES && this.#at < this.#chunk.length) {
      this.#length = this.#length * 0x100 + this.#chunk[this.#at++]!
      this.#prefixRead++
    }
    return this.#prefixRead === PREFIX_BYTES
  }

  #take(count: number): Uint8Array {
    const start = this.#at
    this.#at += count
    return this.#chunk.subarray(start, this.#at)
  }
}
