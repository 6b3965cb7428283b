import { decay } from './decay.ts'

/** A timer that fires later than this was held up by this process, not by the platform's grain. */
const STALL_MS = 50
/** Time constant of forgetting. */
const FORGET_MS = 10_000
/** So much recent stall is one unit; each of the first four adds a quarter to the time that others get. */
const UNIT_MS = 500
const MAX_UNITS = 4
const PER_UNIT = 0.25

/**
 * How far this node should doubt itself: time in which its own event loop stood still, as its own timers saw it. A node that
 * is slow itself gives others more time. (Lifeguard's local health, with a direct measurement in place of guessing from
 * missed answers.)
 */
export class LocalHealth {
  /** All time stood still, ms: the awake clock is the monotonic clock less this. Only rises. */
  stalledMs = 0
  #recentMs = 0
  #recentAt = 0
  #countedUntil = Number.NEGATIVE_INFINITY

  /** Takes note that a timer fired `lateMs` after it was due. What several timers saw of one stall counts once. */
  noteLateness(lateMs: number, now: number): void {
    if (lateMs <= STALL_MS) return
    const stalledMs = now - Math.max(now - lateMs, this.#countedUntil)
    this.#countedUntil = now
    if (stalledMs <= 0) return
    this.stalledMs += stalledMs
    this.#recentMs = this.stallMs(now) + stalledMs
    this.#recentAt = now
  }

  /** Recent stall, decayed. */
  stallMs(now: number): number {
    return this.#recentMs === 0 ? 0 : this.#recentMs * decay(now - this.#recentAt, FORGET_MS)
  }

  /** What probe timeouts are multiplied by: 1 to 2. */
  factor(now: number): number {
    return 1 + PER_UNIT * Math.min(MAX_UNITS, this.stallMs(now) / UNIT_MS)
  }
}
