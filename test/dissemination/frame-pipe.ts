import {
  encodeFrame,
  type FrameHandlers,
  FrameParser,
  type FrameStream,
  MAX_FRAME_BYTES,
} from '../../src/security/frames.ts'

export interface PipeOptions {
  /** Lets a step of an end happen later: something of it reaches the other end, or it is told about itself. */
  readonly schedule: (step: () => void, end: PipeEnd, about: 'other' | 'self') => void
  /** `send` answers false while more than this waits. */
  readonly highWaterBytes?: number
  /** How many bytes of those that wait arrive with one step. */
  readonly chunk?: (waiting: number) => number
}

const END = 'end'

/** One end of an in-memory stream of frames, with the rules of `FrameStream`. Bytes arrive in chunks. */
export class PipeEnd implements FrameStream {
  readonly remoteAddress: string
  readonly sealed: boolean = false
  readonly #options: PipeOptions
  readonly #parser = new FrameParser(MAX_FRAME_BYTES)
  #peer!: PipeEnd
  #handlers: FrameHandlers | undefined
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #full = false
  #ended = false
  #heardEnd = false
  #closed = false
  /** Frames that this end has sent. */
  frames: Uint8Array[] = []
  /** How often `destroy` was called. */
  destroyed = 0

  constructor(remoteAddress: string, options: PipeOptions) {
    this.remoteAddress = remoteAddress
    this.#options = options
  }

  static pair(
    options: PipeOptions,
    addresses: readonly [string, string] = ['a:1', 'b:1'],
  ): [PipeEnd, PipeEnd] {
    const near = new PipeEnd(addresses[1], options)
    const far = new PipeEnd(addresses[0], options)
    near.#peer = far
    far.#peer = near
    return [near, far]
  }

  /** Frames that arrive go there from now on. */
  handle(handlers: FrameHandlers): void {
    this.#handlers = handlers
  }

  get closed(): boolean {
    return this.#closed
  }

  send(frame: Uint8Array): boolean {
    if (frame.length > MAX_FRAME_BYTES) throw new RangeError('too long')
    if (this.#ended || this.#closed) return false
    this.frames.push(frame.slice())
    this.#waiting.push(encodeFrame(frame))
    this.#waitingBytes += frame.length
    this.#full = this.#waitingBytes > (this.#options.highWaterBytes ?? Number.POSITIVE_INFINITY)
    this.#move()
    return !this.#full
  }

  end(): void {
    if (this.#ended || this.#closed) return
    this.#ended = true
    this.#move()
  }

  destroy(): void {
    this.destroyed++
    if (this.#closed) return
    this.#close(undefined)
    const peer = this.#peer
    this.#options.schedule(() => peer.#close(new Error('destroyed by the other end')), this, 'other')
  }

  /** The connection breaks: both ends are told, once what they do now is over. */
  cut(): void {
    for (const end of [this, this.#peer]) {
      this.#options.schedule(() => end.#close(new Error('cut')), end, 'self')
    }
  }

  #move(): void {
    this.#options.schedule(() => this.#step(), this, 'other')
  }

  /** Some bytes arrive, or the end. */
  #step(): void {
    if (this.#closed) return
    if (this.#waiting.length === 0) {
      if (this.#ended) this.#peer.#arrive(END)
      return
    }
    const all = this.#waiting.length === 1 ? this.#waiting[0]! : Buffer.concat(this.#waiting)
    const size = Math.max(1, Math.min(all.length, this.#options.chunk?.(all.length) ?? all.length))
    this.#waiting = size === all.length ? [] : [new Uint8Array(all.subarray(size))]
    this.#waitingBytes = all.length - size
    if (this.#waiting.length > 0 || this.#ended) this.#move()
    this.#peer.#arrive(new Uint8Array(all.subarray(0, size)))
    if (this.#full && this.#waiting.length === 0) {
      this.#full = false
      if (!this.#closed && !this.#ended) this.#handlers?.onDrain()
    }
  }

  #arrive(what: Uint8Array | typeof END): void {
    if (this.#closed) return
    if (what === END) {
      if (this.#heardEnd) return
      this.#heardEnd = true
      if (this.#ended) {
        this.#close(undefined)
        const peer = this.#peer
        this.#options.schedule(() => peer.#close(undefined), this, 'other')
      } else {
        this.end()
      }
      return
    }
    this.#parser.feed(what)
    for (let frame = this.#parser.next(); frame !== undefined && !this.#closed; frame = this.#parser.next()) {
      this.#handlers?.onFrame(new Uint8Array(frame))
    }
  }

  #close(error: Error | undefined): void {
    if (this.#closed) return
    this.#closed = true
    this.#waiting = []
    // Both ends have crossed: everything has arrived, however the connection goes.
    const outcome = this.#ended && this.#heardEnd ? undefined : error
    this.#options.schedule(() => this.#handlers?.onClose(outcome), this, 'self')
  }
}

/** Steps that a test lets happen in an order of its own choice, those of one side in turn. */
export class Steps {
  #steps: { readonly side: PipeEnd; readonly step: () => void }[] = []
  taken = 0

  readonly schedule = (step: () => void, side: PipeEnd): void => {
    this.#steps.push({ side, step })
  }

  /** Takes steps until none is left, or `until` says so; `choose` says which side is next. */
  run(choose: () => number, until: () => boolean = () => false): void {
    while (this.#steps.length > 0 && !until()) {
      const sides = [...new Set(this.#steps.map(({ side }) => side))]
      const side = sides[choose() % sides.length]!
      const at = this.#steps.findIndex((other) => other.side === side)
      const [next] = this.#steps.splice(at, 1)
      this.taken++
      next!.step()
    }
  }
}
