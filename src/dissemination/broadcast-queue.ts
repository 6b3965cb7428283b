/** A message that waits to be retransmitted a bounded number of times. */
export interface Broadcast {
  readonly key: string
  /** The whole message, encoded once. */
  readonly bytes: Uint8Array
  /** Done after so many transmissions, or after as many as the network's size asks for if that is less. */
  readonly limit: number
  readonly transmissions: number
}

/** What does not fit is passed over this often before a selection ends, so that a long queue costs a bounded walk. */
const MAX_MISFITS = 16

/**
 * News that wait to be spread: fewest transmissions first, then oldest. Newer news of the same key replace what
 * waits, in constant time.
 *
 * One tier per number of transmissions, each a list in order of arrival, so that order needs no sorting.
 */
export class BroadcastQueue {
  /** A ring each, by its head. */
  readonly #tiers: Link[] = []
  readonly #byKey = new Map<string, Waiting>()
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
    const unsent = this.#tiers[0]
    return unsent !== undefined && unsent.next !== unsent
  }

  /** The news of a key that wait. */
  waiting(key: string): Uint8Array | undefined {
    return this.#byKey.get(key)?.bytes
  }

  put(key: string, bytes: Uint8Array, limit: number = Number.POSITIVE_INFINITY): void {
    this.remove(key)
    if (this.#byKey.size >= this.#capacity) this.#dropMostSent()
    const waiting = new Waiting(key, bytes, limit)
    this.#byKey.set(key, waiting)
    this.#enter(waiting)
  }

  remove(key: string): void {
    const present = this.#byKey.get(key)
    if (present === undefined) return
    this.#byKey.delete(key)
    present.leave()
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
    for (const head of this.#tiers) {
      for (let link = head.next; link !== head; link = link.next) {
        const waiting = link as Waiting
        if (waiting.bytes.length <= room) {
          selected.push(waiting)
          room -= waiting.bytes.length
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
      const waiting = this.#byKey.get(broadcast.key)
      // Newer news of the key may wait in its place.
      if (waiting === undefined || waiting !== broadcast) continue
      waiting.leave()
      waiting.transmissions += copies
      if (waiting.transmissions < Math.min(limit, waiting.limit)) this.#enter(waiting)
      else this.#byKey.delete(waiting.key)
    }
  }

  #enter(waiting: Waiting): void {
    while (this.#tiers.length <= waiting.transmissions) this.#tiers.push(new Link())
    waiting.enter(this.#tiers[waiting.transmissions]!)
  }

  #dropMostSent(): void {
    for (let i = this.#tiers.length - 1; i >= 0; i--) {
      const head = this.#tiers[i]!
      if (head.next === head) continue
      this.remove((head.next as Waiting).key)
      this.dropped++
      return
    }
  }
}

/** An element of a ring; alone, a ring of its own. */
class Link {
  next: Link = this
  previous: Link = this

  /** Goes to the end of the ring that begins at `head`. */
  enter(head: Link): void {
    this.previous = head.previous
    this.next = head
    this.previous.next = this
    head.previous = this
  }

  leave(): void {
    this.previous.next = this.next
    this.next.previous = this.previous
    this.next = this
    this.previous = this
  }
}

class Waiting extends Link implements Broadcast {
  readonly key: string
  readonly bytes: Uint8Array
  readonly limit: number
  transmissions = 0

  constructor(key: string, bytes: Uint8Array, limit: number) {
    super()
    this.key = key
    this.bytes = bytes
    this.limit = limit
  }
}
