import type { Runtime } from '../runtime/runtime.ts'
import type { EntryEvent } from '../wire/entry-event.ts'

const CAPACITY = 256
/** In all networks of a node together. */
const SHARED_CAPACITY = 4_096
const TTL_MS = 10_000

/** How much is parked in all networks of a node. */
export interface ParkingSpace {
  taken: number
}

/**
 * Events that came before what they rest on: of owners not yet known, or not yet known to take part, or of epochs from
 * the future that nobody has vouched for. They wait here, bounded and for a short time, and are not passed on. Whatever
 * is lost here, a sync brings.
 */
export class Parking {
  readonly #runtime: Runtime
  readonly #space: ParkingSpace
  readonly #parked: { readonly event: EntryEvent; readonly until: number }[] = []
  #armed = false

  constructor(runtime: Runtime, space: ParkingSpace) {
    this.#runtime = runtime
    this.#space = space
  }

  get size(): number {
    return this.#parked.length
  }

  /** Where there is no room, the oldest of this network goes; where others have taken it, the event. */
  park(event: EntryEvent): void {
    if (this.#parked.length >= CAPACITY) this.#drop(1)
    if (this.#space.taken >= SHARED_CAPACITY) return
    this.#space.taken++
    this.#parked.push({ event, until: this.#runtime.now() + TTL_MS })
    this.#arm()
  }

  /** Takes out what an owner's events are, in the order in which they came. */
  release(owner: string): EntryEvent[] {
    if (this.#parked.length === 0) return []
    const released: EntryEvent[] = []
    const kept = this.#parked.filter((parked) => {
      if (parked.event.owner !== owner) return true
      released.push(parked.event)
      return false
    })
    if (released.length === 0) return released
    this.#parked.splice(0, this.#parked.length, ...kept)
    this.#space.taken -= released.length
    return released
  }

  clear(): void {
    this.#drop(this.#parked.length)
  }

  #arm(): void {
    const [oldest] = this.#parked
    if (this.#armed || oldest === undefined) return
    this.#armed = true
    this.#runtime.setTimer(Math.max(0, oldest.until - this.#runtime.now()), () => {
      this.#armed = false
      const now = this.#runtime.now()
      const first = this.#parked.findIndex(({ until }) => until > now)
      this.#drop(first < 0 ? this.#parked.length : first)
      this.#arm()
    })
  }

  #drop(count: number): void {
    this.#parked.splice(0, count)
    this.#space.taken -= count
  }
}
