import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Broadcast, BroadcastQueue } from '../../src/dissemination/broadcast-queue.ts'

interface Waiting {
  readonly key: string
  readonly size: number
  readonly limit: number
  transmissions: number
  since: number
}

/** The rules without any of the cleverness: a list, sorted whenever it is asked. */
class NaiveQueue {
  readonly #capacity: number
  #waiting: Waiting[] = []
  #clock = 0
  dropped = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#waiting.length
  }

  get hasFresh(): boolean {
    return this.#waiting.some(({ transmissions }) => transmissions === 0)
  }

  put(key: string, size: number, limit: number): void {
    this.remove(key)
    if (this.#waiting.length >= this.#capacity) {
      const most = Math.max(...this.#waiting.map(({ transmissions }) => transmissions))
      const victim = this.#inOrder().find(({ transmissions }) => transmissions === most)!
      this.remove(victim.key)
      this.dropped++
    }
    this.#waiting.push({ key, size, limit, transmissions: 0, since: this.#clock++ })
  }

  remove(key: string): void {
    this.#waiting = this.#waiting.filter((other) => other.key !== key)
  }

  clear(): void {
    this.#waiting = []
  }

  /** Keys in order. Whoever does not fit is passed over, but only fifteen times. */
  select(maxBytes: number, freshOnly: boolean): string[] {
    const selected: string[] = []
    let room = maxBytes
    let misfits = 0
    for (const { key, size, transmissions } of this.#inOrder()) {
      if (freshOnly && transmissions > 0) break
      if (size <= room) {
        selected.push(key)
        room -= size
      } else if (++misfits === 16) break
    }
    return selected
  }

  markSent(keys: readonly string[], copies: number, limit: number): void {
    for (const key of keys) {
      const sent = this.#waiting.find((other) => other.key === key)!
      sent.transmissions += copies
      sent.since = this.#clock++
      if (sent.transmissions >= Math.min(limit, sent.limit)) this.remove(key)
    }
  }

  #inOrder(): Waiting[] {
    return this.#waiting.slice().sort((a, b) => a.transmissions - b.transmissions || a.since - b.since)
  }
}

const CAPACITY = 24
const key = fc.nat({ max: 40 }).map((i) => `k${i}`)
const size = fc.integer({ min: 1, max: 100 })

const ownLimit = fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: 1, max: 8 }))

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ verb: fc.constant('put' as const), key, size, own: ownLimit }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('remove' as const), key }) },
  {
    weight: 3,
    arbitrary: fc.record({
      verb: fc.constant('send' as const),
      room: fc.nat({ max: 400 }),
      freshOnly: fc.boolean(),
      copies: fc.integer({ min: 1, max: 3 }),
      limit: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('clear' as const) }) },
)

function keysOf(selected: readonly Broadcast[]): string[] {
  return selected.map(({ key }) => key)
}

function filled(count: number, bytes = 10): BroadcastQueue {
  const queue = new BroadcastQueue(count)
  for (let i = 0; i < count; i++) queue.put(`k${i}`, new Uint8Array(bytes))
  return queue
}

describe('the broadcast queue', () => {
  it('does what a plain list would that is sorted anew every time', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const queue = new BroadcastQueue(CAPACITY)
        const naive = new NaiveQueue(CAPACITY)
        for (const step of steps) {
          if (step.verb === 'put') {
            queue.put(step.key, new Uint8Array(step.size), step.own)
            naive.put(step.key, step.size, step.own)
          } else if (step.verb === 'remove') {
            queue.remove(step.key)
            naive.remove(step.key)
          } else if (step.verb === 'send') {
            const selected = queue.select(step.room, step.freshOnly)
            const expected = naive.select(step.room, step.freshOnly)
            expect(keysOf(selected)).toEqual(expected)
            queue.markSent(selected, step.copies, step.limit)
            naive.markSent(expected, step.copies, step.limit)
          } else {
            queue.clear()
            naive.clear()
          }
          expect(queue.size).toBe(naive.size)
          expect(queue.hasFresh).toBe(naive.hasFresh)
          expect(queue.dropped).toBe(naive.dropped)
        }
        expect(keysOf(queue.select(1e9, false))).toEqual(naive.select(1e9, false))
      }),
      { numRuns: 400 },
    )
  })

  it('sends every news exactly as often as the limit says', () => {
    const queue = filled(50)
    const sent = new Map<string, number>()
    while (queue.size > 0) {
      const selected = queue.select(70, false)
      for (const { key } of selected) sent.set(key, (sent.get(key) ?? 0) + 1)
      queue.markSent(selected, 1, 4)
    }
    expect([...sent.values()]).toEqual(Array<number>(50).fill(4))
  })

  it('is fair: no news is sent a second time more than another of its size', () => {
    const queue = filled(50)
    while (queue.size > 0) {
      const selected = queue.select(70, false)
      const before = selected.map(({ transmissions }) => transmissions)
      expect(Math.max(...before) - Math.min(...before)).toBeLessThanOrEqual(1)
      queue.markSent(selected, 1, 4)
      const waiting = queue.select(1e9, false).map(({ transmissions }) => transmissions)
      if (waiting.length > 0) expect(Math.max(...waiting) - Math.min(...waiting)).toBeLessThanOrEqual(1)
    }
  })

  it('newer news of a key begin anew and take the place of the older', () => {
    const queue = filled(1)
    const old = queue.select(100, false)
    queue.put('k0', Uint8Array.of(1))
    queue.markSent(old, 5, 1)
    expect(queue.hasFresh).toBe(true)
    expect(queue.select(100, false)[0]!.bytes).toEqual(Uint8Array.of(1))
    expect(queue.size).toBe(1)
  })

  it('news may have a lower limit of their own', () => {
    const queue = new BroadcastQueue(10)
    queue.put('short', new Uint8Array(1), 3)
    queue.put('long', new Uint8Array(1))
    queue.markSent(queue.select(100, false), 3, 6)
    expect(keysOf(queue.select(100, false))).toEqual(['long'])
    queue.put('short', new Uint8Array(1), 30)
    queue.markSent(queue.select(100, false), 6, 6)
    expect(queue.size).toBe(0)
  })

  it('when full gives up what was sent most, the oldest of it first, and says so', () => {
    const queue = filled(3)
    queue.markSent(queue.select(20, false), 1, 9)
    queue.put('new', new Uint8Array(1))
    expect(keysOf(queue.select(100, false))).toEqual(['k2', 'new', 'k1'])
    expect(queue.dropped).toBe(1)
    queue.put('k1', new Uint8Array(1))
    expect(queue.dropped).toBe(1)
  })

  it('a walk over a long queue ends soon when nothing more fits', () => {
    const queue = filled(1000)
    queue.put('small', new Uint8Array(5))
    expect(queue.select(15, false)).toHaveLength(1)
  })
})
