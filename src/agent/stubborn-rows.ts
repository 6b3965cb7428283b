import type { Wishes } from './believed-rows.ts'
import type { RowRules } from './kernel.ts'
import { type BackoffOptions, backoffMs } from './pacing.ts'

interface StubbornRow<Row> {
  readonly wish: Row | undefined
  readonly failures: number
  /** Infinite while it is being tried. */
  retryAt: number
}

/**
 * The rows that were applied and, as a dump showed, did not take. Each waits for its next try, longer each time,
 * and none of them keeps another row waiting. A row that is to become something else starts afresh.
 */
export class StubbornRows<Row> {
  readonly #rules: RowRules<Row>
  readonly #backoff: BackoffOptions
  #rows = new Map<string, StubbornRow<Row>>()

  constructor(rules: RowRules<Row>, backoff: BackoffOptions) {
    this.#rules = rules
    this.#backoff = backoff
  }

  get size(): number {
    return this.#rows.size
  }

  /** The slots of the first so many. */
  slots(most: number): string[] {
    const slots: string[] = []
    for (const slot of this.#rows.keys()) {
      if (slots.length === most) break
      slots.push(slot)
    }
    return slots
  }

  get nextRetryAt(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { retryAt } of this.#rows.values()) next = Math.min(next, retryAt)
    return next
  }

  /**
   * Takes over what a dump has shown: what is still wished for, and what of it had been tried before.
   * Returns how many of those failed.
   */
  judge(wishes: Wishes<Row>, tried: Wishes<Row>, nowMs: number, chance: number): number {
    const before = this.#rows
    this.#rows = new Map()
    let failed = 0
    for (const [slot, wish] of wishes) {
      const known = before.get(slot)
      const earlier = known !== undefined && this.#isSame(known.wish, wish) ? known : undefined
      const failedNow = tried.has(slot) && this.#isSame(tried.get(slot), wish)
      if (earlier === undefined && !failedNow) continue
      const failures = (earlier?.failures ?? 0) + (failedNow ? 1 : 0)
      const pausedUntil = nowMs + backoffMs(this.#backoff, failures, chance)
      const retryAt = failedNow ? pausedUntil : Math.min(earlier!.retryAt, pausedUntil)
      this.#rows.set(slot, { wish, failures, retryAt })
      if (failedNow) failed++
    }
    return failed
  }

  /**
   * What of the wishes is to be tried now, so many at most: rows that have not failed, or else those that have
   * waited long enough.
   */
  select(wishes: Wishes<Row>, nowMs: number, most: number): Wishes<Row> {
    this.#dropFulfilled(wishes)
    const fresh = new Map<string, Row | undefined>()
    const due = new Map<string, Row | undefined>()
    for (const [slot, wish] of wishes) {
      const stubborn = this.#rows.get(slot)
      const isFresh = stubborn === undefined || !this.#isSame(stubborn.wish, wish)
      if (isFresh) fresh.set(slot, wish)
      else if (stubborn.retryAt <= nowMs && due.size < most) due.set(slot, wish)
      if (fresh.size === most) break
    }
    if (fresh.size > 0) return fresh
    for (const slot of due.keys()) this.#rows.get(slot)!.retryAt = Number.POSITIVE_INFINITY
    return due
  }

  /** What is being tried stays, for it only seems to be fulfilled. */
  #dropFulfilled(wishes: Wishes<Row>): void {
    for (const [slot, { retryAt }] of this.#rows) {
      if (retryAt !== Number.POSITIVE_INFINITY && !wishes.has(slot)) this.#rows.delete(slot)
    }
  }

  #isSame(a: Row | undefined, b: Row | undefined): boolean {
    return a === undefined || b === undefined ? a === b : this.#rules.same(a, b)
  }
}
