/** A timer that fires later than this was held up by this process, not by the platform's grain. */
const STALL_MS = 50
/** Time constant of forgetting. */
const DECAY_MS = 10_000
/** So much recent stall doubles nothing yet: each such unit adds a quarter, up to four of them. */
const UNIT_MS = 500
const MAX_UNITS = 4
const PER_UNIT = 0.25

/**
 * How far this node should doubt itself: recent time in which its own event loop stood still, as its own timers saw
 * it. A node that is slow itself gives others more time. (Lifeguard's local health, with a direct measurement in
 * place of guessing from missed answers.)
 */
export class LocalHealth {
  #stallMs = 0
  #at = 0

  /** Takes note that a timer fired `lateMs` after it was due. */
  noteLateness(lateMs: number, now: number): void {
    if (lateMs <= STALL_MS) return
    this.#stallMs = this.stallMs(now) + lateMs
    this.#at = now
  }

  /** Recent stall, decayed. */
  stallMs(now: number): number {
    return this.#stallMs * Math.exp(-(now - this.#at) / DECAY_MS)
  }

  /** What probe timeouts are multiplied by: 1 to 2. */
  factor(now: number): number {
    return 1 + PER_UNIT * Math.min(MAX_UNITS, this.stallMs(now) / UNIT_MS)
  }
}
