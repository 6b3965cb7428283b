import type { Runtime, Timer } from '../runtime/runtime.ts'

/** An exchange that takes in, and for so long has got nothing, does not keep others waiting. */
const STALLED_MS = 500

/**
 * Of the exchanges of one network that are open at a time, one asks after the other has been answered: what one peer is about to send
 * is not asked of others, too. Nodes answer at any time, whatever they wait for themselves, so no circle of them can wait for each other;
 * and nobody waits for whom nothing comes.
 */
export class IntakeTurns {
  readonly #runtime: Pick<Runtime, 'now' | 'setTimer'>
  /** Who waits, and how to tell that the wait is over. */
  readonly #waiting = new Map<object, () => void>()
  #taking: object | undefined
  #tookAt = 0
  #timer: Timer | undefined

  constructor(runtime: Pick<Runtime, 'now' | 'setTimer'>) {
    this.#runtime = runtime
  }

  /** Whether an exchange may ask its peer now; else `wake` is called when it is to try again. */
  mayAsk(exchange: object, wake: () => void): boolean {
    if (this.#taking === undefined || this.#stalled) return true
    this.#waiting.set(exchange, wake)
    this.#armTimer()
    return false
  }

  /** An exchange has asked, or something that it asked for has come. */
  tookIn(exchange: object): void {
    if (this.#taking === undefined || this.#stalled) this.#taking = exchange
    if (this.#taking === exchange) this.#tookAt = this.#runtime.now()
  }

  /** All that was asked for has come, or nothing will any more. */
  over(exchange: object): void {
    this.#waiting.delete(exchange)
    if (this.#taking !== exchange) return
    this.#taking = undefined
    this.#wakeAll()
  }

  get #stalled(): boolean {
    return this.#runtime.now() - this.#tookAt >= STALLED_MS
  }

  #armTimer(): void {
    if (this.#timer !== undefined) return
    this.#timer = this.#runtime.setTimer(this.#tookAt + STALLED_MS - this.#runtime.now(), () => {
      this.#timer = undefined
      if (this.#waiting.size === 0) return
      if (this.#taking === undefined || this.#stalled) this.#wakeAll()
      else this.#armTimer()
    })
  }

  #wakeAll(): void {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }
}
