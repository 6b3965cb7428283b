/** Something that happens at a point in virtual time. */
export abstract class QueuedEvent {
  /** Set by `EventQueue.cancel` only. */
  cancelled: boolean

  constructor() {
    this.cancelled = false
  }

  abstract fire(): void
}

export class QueuedCallback extends QueuedEvent {
  readonly fire: () => void

  constructor(fire: () => void) {
    super()
    this.fire = fire
  }
}

const ARITY = 4
const COMPACT_FROM = 1024

/**
 * Events by time; at equal times, by the order in which they were pushed. A heap whose keys lie in arrays of numbers, so that
 * sifting touches no event. A cancelled event stays until it comes up, or until such ones are the most.
 */
export class EventQueue {
  #times = new Float64Array(1024)
  #orders = new Float64Array(1024)
  readonly #events: QueuedEvent[] = []
  #pushed = 0
  #cancelled = 0

  /** Events that will fire. */
  get size(): number {
    return this.#events.length - this.#cancelled
  }

  /** When the next event is due; Infinity if there is none. */
  nextTime(): number {
    this.#dropCancelled()
    return this.#events.length === 0 ? Number.POSITIVE_INFINITY : this.#times[0]!
  }

  push(time: number, event: QueuedEvent): void {
    const at = this.#events.length
    if (at === this.#times.length) this.#grow()
    this.#events.push(event)
    this.#siftUp(at, time, this.#pushed++, event)
  }

  /** Takes out the next event; undefined if none is due by `until`. */
  popDue(until: number): QueuedEvent | undefined {
    this.#dropCancelled()
    if (this.#events.length === 0 || this.#times[0]! > until) return undefined
    return this.#take()
  }

  /** For events that are in the queue, at most once each. */
  cancel(event: QueuedEvent): void {
    event.cancelled = true
    this.#cancelled++
    if (this.#cancelled >= COMPACT_FROM && this.#cancelled * 2 > this.#events.length) this.#compact()
  }

  #dropCancelled(): void {
    while (this.#cancelled > 0 && this.#events.length > 0 && this.#events[0]!.cancelled) {
      this.#take()
      this.#cancelled--
    }
  }

  #take(): QueuedEvent {
    const events = this.#events
    const first = events[0]!
    const last = events.pop()!
    if (events.length > 0) this.#siftDown(0, this.#times[events.length]!, this.#orders[events.length]!, last)
    return first
  }

  #siftUp(from: number, time: number, order: number, event: QueuedEvent): void {
    const times = this.#times
    const orders = this.#orders
    const events = this.#events
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 2
      // An event that is pushed is the youngest: at equal times it stays below.
      if (times[parent]! <= time) break
      times[at] = times[parent]!
      orders[at] = orders[parent]!
      events[at] = events[parent]!
      at = parent
    }
    times[at] = time
    orders[at] = order
    events[at] = event
  }

  #siftDown(from: number, time: number, order: number, event: QueuedEvent): void {
    const times = this.#times
    const orders = this.#orders
    const events = this.#events
    const size = events.length
    let at = from
    for (;;) {
      let child = at * ARITY + 1
      if (child >= size) break
      const end = Math.min(child + ARITY, size)
      let least = child
      let leastTime = times[child]!
      for (child++; child < end; child++) {
        const childTime = times[child]!
        if (childTime > leastTime || (childTime === leastTime && orders[child]! > orders[least]!)) continue
        least = child
        leastTime = childTime
      }
      if (leastTime > time || (leastTime === time && orders[least]! > order)) break
      times[at] = leastTime
      orders[at] = orders[least]!
      events[at] = events[least]!
      at = least
    }
    times[at] = time
    orders[at] = order
    events[at] = event
  }

  #compact(): void {
    const events = this.#events
    let kept = 0
    for (let i = 0; i < events.length; i++) {
      if (events[i]!.cancelled) continue
      this.#times[kept] = this.#times[i]!
      this.#orders[kept] = this.#orders[i]!
      events[kept++] = events[i]!
    }
    events.length = kept
    this.#cancelled = 0
    for (let i = (kept - 2) >> 2; i >= 0; i--)
      this.#siftDown(i, this.#times[i]!, this.#orders[i]!, events[i]!)
  }

  #grow(): void {
    const times = new Float64Array(this.#times.length * 2)
    times.set(this.#times)
    this.#times = times
    const orders = new Float64Array(times.length)
    orders.set(this.#orders)
    this.#orders = orders
  }
}
