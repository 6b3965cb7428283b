import type { EntryEvent } from '../wire/entry-event.ts'

const CAPACITY = 256
const TTL_MS = 10_000

/**
 * Events that came before what they rest on: of owners not yet known, or not yet known to take part. They wait here, bounded
 * and for a short time, and are not passed on. Whatever is lost here, a sync brings.
 */
export class Parking {
  readonly #parked: { readonly event: EntryEvent; readonly until: number }[] = []

  get size(): number {
    return this.#parked.length
  }

  park(event: EntryEvent, now: number): void {
    this.#expire(now)
    if (this.#parked.length >= CAPACITY) this.#parked.shift()
    this.#parked.push({ event, until: now + TTL_MS })
  }

  /** Takes out what an owner's events are, in the order in which they came. */
  release(owner: string, now: number): EntryEvent[] {
    this.#expire(now)
    if (this.#parked.length === 0) return []
    const released: EntryEvent[] = []
    const kept = this.#parked.filter((parked) => {
      if (parked.event.owner !== owner) return true
      released.push(parked.event)
      return false
    })
    this.#parked.splice(0, this.#parked.length, ...kept)
    return released
  }

  #expire(now: number): void {
    while (this.#parked.length > 0 && this.#parked[0]!.until <= now) this.#parked.shift()
  }
}
