/**
 * Whether this node is the one that is cut off: nobody has answered it anything for a while, though there are others. An
 * isolated node goes on judging, but nothing is withdrawn because of its verdicts.
 */
export class Isolation {
  readonly #timeoutMs: number
  readonly #onChange: (isolated: boolean) => void
  #heardAt: number
  #checkedAt: number
  #isolated = false

  constructor(timeoutMs: number, now: number, onChange: (isolated: boolean) => void) {
    this.#timeoutMs = timeoutMs
    this.#onChange = onChange
    this.#heardAt = now
    this.#checkedAt = now
  }

  get isolated(): boolean {
    return this.#isolated
  }

  /** Another member was heard: by packet or by stream. */
  heard(now: number): void {
    this.#heardAt = now
    if (this.#isolated) this.#set(false)
  }

  /** To be called every probe interval, after all that had arrived was read. */
  check(now: number, others: boolean, intervalMs: number): void {
    // Time in which this node itself stood still is nobody's silence.
    const stalled = now - this.#checkedAt - intervalMs
    if (stalled > intervalMs) this.#heardAt = Math.min(now, this.#heardAt + stalled)
    this.#checkedAt = now
    if (!others) this.#heardAt = now
    else if (!this.#isolated && now - this.#heardAt >= this.#timeoutMs) this.#set(true)
  }

  #set(isolated: boolean): void {
    this.#isolated = isolated
    this.#onChange(isolated)
  }
}
