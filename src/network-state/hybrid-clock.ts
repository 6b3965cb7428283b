import { STAMP_LIMIT } from '../wire/entry-event.ts'

/** Stamps per millisecond of wall clock: room for a thousand writes that share one. */
const PER_MS = 1024
/** How far others' clocks may be ahead: a stamp from further ahead moves ours no further. */
export const MAX_DRIFT_MS = 60_000

/**
 * Hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014) in one integer below 2^52: later than everything
 * witnessed, and close to the wall clock where that is sane.
 */
export class HybridClock {
  readonly #wallClock: () => number
  #last = 0

  /** `wallClock` gives ms since 1970. */
  constructor(wallClock: () => number) {
    this.#wallClock = wallClock
  }

  /** A stamp above all earlier ones, and above `floor`, however far ahead that is. */
  next(floor = 0): number {
    const stamp = Math.min(Math.max(this.#last + 1, this.#physical(0), floor + 1), STAMP_LIMIT - 1)
    // A floor from the far future is answered, not learnt.
    this.#last = Math.max(this.#last, Math.min(stamp, this.#physical(MAX_DRIFT_MS)))
    return stamp
  }

  witness(stamp: number): void {
    this.#last = Math.max(this.#last, Math.min(stamp, this.#physical(MAX_DRIFT_MS)))
  }

  #physical(aheadMs: number): number {
    return Math.max(0, Math.floor(this.#wallClock() + aheadMs)) * PER_MS
  }
}
