import { decay } from './decay.ts'

/** Time constant of forgetting. */
const FORGET_MS = 60_000
/** One accuser may simply have lost a few packets. */
const ACCUSERS = 2

/**
 * False-alarm memory: how often this node lately saw members refute what several had agreed on. A quiet cluster has none and
 * judges at once; one that cries wolf learns to wait.
 */
export class FalseAlarms {
  #count = 0
  #at = 0

  /** A member that was accused by so many, or held failed even, turned out to live. */
  note(accusers: number, wasFailed: boolean, now: number): void {
    const weight = wasFailed ? 2 : accusers >= ACCUSERS ? 1 : 0
    if (weight === 0) return
    this.#count = this.recent(now) + weight
    this.#at = now
  }

  /** False alarms, decayed. */
  recent(now: number): number {
    return this.#count === 0 ? 0 : this.#count * decay(now - this.#at, FORGET_MS)
  }
}
