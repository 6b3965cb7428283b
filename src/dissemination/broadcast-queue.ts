/** A message that waits to be retransmitted a bounded number of times. */
export interface Broadcast {
  readonly key: string
  /** The whole message, encoded once. */
  readonly bytes: Uint8Array
  /** Done after so many transmissions, or after as many as the network's size asks for if that is less. */
  readonly limit: number
  transmissions: number
}

/** What does not fit is passed over this often before a selection ends, so that a long queue costs a bounded walk. */
const MAX_MISFITS = 16

/**
 * News that wait to be spread: fewest transmissions first, then oldest. Newer news of the same key replace what
 * waits, in constant time.
 *
 * One tier per number of transmissions, each a `Map` in order of arrival, so that order needs no sorting.
 */
export class BroadcastQueue {
  readonly #tiers: Map<string, Broadcast>[] = []
  readonly #byKey = new Map<string, Broadcast>()
  readonly #capacity: number
  /** How many news were dropped unsent or partly sent because the queue was full; anti-entropy carries those. */
  dropped = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#byKey.size
  }

  /** Whether anything waits that has never been sent. */
  get hasFresh(): boolean {
    return (this.#tiers[0]?.size ?? 0) > 0
  }

  put(key: string, bytes: Uint8Array, limit: number = Number.POSITIVE_INFINITY): void {
    this.remove(key)
    if (this.#byKey.size >= this.#capacity) this.#dropMostSent()
    this.#insert({ key, bytes, limit, transmissions: 0 })
  }

  remove(key: string): void {
    const present = this.#byKey.get(key)
    if (present === undefined) return
    this.#byKey.delete(key)
    this.#tiers[present.transmissions]!.delete(key)
  }

  clear(): void {
    this.#byKey.clear()
    this.#tiers.length = 0
  }

  /** News of together at most `maxBytes`, in order; with `freshOnly` none that was sent before. */
  select(maxBytes: number, freshOnly: boolean): Broadcast[] {
    const selected: Broadcast[] = []
    let room = maxBytes
    let misfits = 0
    for (const tier of this.#tiers) {
      for (const broadcast of tier.values()) {
        if (broadcast.bytes.length <= room) {
          selected.push(broadcast)
          room -= broadcast.bytes.length
        } else if (++misfits >= MAX_MISFITS) {
          return selected
        }
      }
      if (freshOnly) break
    }
    return selected
  }

  /** Counts `copies` transmissions of each; what has reached `limit` is done and goes. */
  markSent(broadcasts: readonly Broadcast[], copies: number, limit: number): void {
    for (const broadcast of broadcasts) {
      if (this.#byKey.get(broadcast.key) !== broadcast) continue
      this.remove(broadcast.key)
      broadcast.transmissions += copies
      if (broadcast.transmissions < Math.min(limit, broadcast.limit)) this.#insert(broadcast)
    }
  }

  #insert(broadcast: Broadcast): void {
    while (this.#tiers.length <= broadcast.transmissions) this.#tiers.push(new Map())
    this.#tiers[broadcast.transmissions]!.set(broadcast.key, broadcast)
    this.#byKey.set(broadcast.key, broadcast)
  }

  #dropMostSent(): void {
    for (let i = this.#tiers.length - 1; i >= 0; i--) {
      const first = this.#tiers[i]!.keys().next()
      if (first.done) continue
      this.remove(first.value)
      this.dropped++
      return
    }
  }
}
