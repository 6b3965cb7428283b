import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DigestSum } from '../../src/network-state/digest-sum.ts'
import { IntakeTurns } from '../../src/network-state/intake-turns.ts'
import { bucketOf, LOG_BUCKETS } from '../../src/network-state/log-buckets.ts'
import { LogExchange, type LogExchangeHost } from '../../src/network-state/log-exchange.ts'
import { LOG_FRAME } from '../../src/network-state/log-frames.ts'
import { LogSet, type VersionRow } from '../../src/network-state/log-set.ts'
import type { Item } from '../../src/network-state/owner-log.ts'
import { Ranges } from '../../src/network-state/ranges.ts'
import { MAX_FRAME_BYTES } from '../../src/security/frames.ts'
import { Reader, Writer } from '../../src/wire/bytes.ts'
import { entryKey } from '../../src/wire/entry-event.ts'
import { randomNumbers, TestClock } from '../dissemination/test-clock.ts'
import { state } from './oracle.ts'

const ID = { time: 1_000, nonce: 7 }

/** A node that holds logs of others, and wants those of all owners named. */
class Host implements LogExchangeHost {
  readonly logs = new LogSet()
  readonly turns: IntakeTurns
  readonly owners: readonly string[]
  readonly #wanted: ReadonlySet<string>
  items = 0
  tookOverAll = 0
  readonly checked: VersionRow[] = []

  constructor(owners: readonly string[], clock = new TestClock()) {
    this.owners = owners
    this.#wanted = new Set(owners)
    this.turns = new IntakeTurns(clock.runtime(1))
  }

  wanted(): readonly string[] {
    return this.owners
  }

  isWanted(owner: string): boolean {
    return this.#wanted.has(owner)
  }

  get wantedCount(): number {
    return this.owners.length
  }

  bucketSums(): Uint32Array {
    const sum = new DigestSum((owner) => this.logs.get(owner)?.hash)
    for (const owner of this.owners) sum.touch(owner)
    return sum.buckets
  }

  believes(): boolean {
    return true
  }

  checkOwn(row: VersionRow): void {
    this.checked.push(row)
  }

  received(): void {
    this.items++
  }

  tookOver(): void {
    this.tookOverAll++
  }

  know(owner: string, items: readonly Item[]): void {
    for (const item of items) expect(this.logs.apply(owner, ID, 0, item)).toBe('new')
  }
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `owner-${i}`)
}

function entries(count: number, from = 1): Item[] {
  return Array.from({ length: count }, (_, i) => ({
    seq: from + i,
    key: entryKey('endpoints', `10.0.${(from + i) >> 8}.${(from + i) & 255}`),
    value: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    stamp: 1_735_689_600_000 * 1_000 + i,
  }))
}

interface Outcome {
  readonly bytes: number
  /** By type. */
  readonly frames: ReadonlyMap<number, number>
  readonly rows: number
  readonly done: boolean
}

/** Runs an exchange of two nodes until nothing moves, in an order that `random` chooses, or `frames` frames have passed. */
function exchange(a: Host, b: Host, random: () => number = () => 0, most = 100_000): Outcome {
  const sides = [new LogExchange(a, () => {}), new LogExchange(b, () => {})]
  const frames = new Map<number, number>()
  const checked = a.checked.length + b.checked.length
  let bytes = 0
  for (let count = 0; count < most; count++) {
    let turn = random() % 2
    let frame = sides[turn]!.next()
    if (frame === undefined) {
      turn = 1 - turn
      frame = sides[turn]!.next()
    }
    if (frame === undefined) break
    expect(frame.length).toBeLessThanOrEqual(MAX_FRAME_BYTES)
    bytes += frame.length
    frames.set(frame[0]!, (frames.get(frame[0]!) ?? 0) + 1)
    expect(sides[1 - turn]!.receive(new Reader(frame))).toBe(true)
  }
  const done = sides.every((side) => side.done)
  for (const side of sides) side.close()
  return { bytes, frames, rows: a.checked.length + b.checked.length - checked, done }
}

function expectEqual(a: Host, b: Host): void {
  for (const owner of a.owners) {
    if (b.isWanted(owner)) expect(state(a.logs.get(owner))).toBe(state(b.logs.get(owner)))
  }
}

/** The operations of one owner, of which each side knows some. */
const log = fc
  .array(fc.record({ key: fc.constantFrom('a', 'b', 'c'), deletes: fc.boolean() }), { maxLength: 8 })
  .chain((ops) =>
    fc.record({
      items: fc.constant(
        ops.map(({ key, deletes }, i) => ({
          seq: i + 1,
          key: entryKey('t', key),
          value: deletes ? undefined : Uint8Array.of(i),
          stamp: i,
        })),
      ),
      ours: fc.subarray(ops.map((_, i) => i)),
      theirs: fc.subarray(ops.map((_, i) => i)),
    }),
  )

describe('an exchange of logs', () => {
  it.each([
    ['few', 20, 20],
    ['many', 3 * LOG_BUCKETS, 3 * LOG_BUCKETS],
    ['many at one side', 2 * LOG_BUCKETS, 20],
    ['many at the other side', 20, 2 * LOG_BUCKETS],
    ['just so many that sums are told', LOG_BUCKETS, LOG_BUCKETS - 1],
  ])(
    'ends with both sides equal in what both want, whoever is ahead in what: %s owners',
    (_, ours, theirs) => {
      const differing = fc.array(fc.tuple(fc.nat({ max: Math.min(ours, theirs) - 1 }), log), { maxLength: 8 })
      fc.assert(
        fc.property(differing, fc.nat(), (logs, seed) => {
          const a = new Host(names(ours))
          const b = new Host(names(theirs))
          const random = randomNumbers(seed)
          const shared = names(Math.min(ours, theirs))
          for (const owner of shared) for (const host of [a, b]) host.know(owner, entries(1))
          for (const [i, { items, ours, theirs }] of new Map(logs)) {
            for (const [host, known] of [
              [a, ours],
              [b, theirs],
            ] as const) {
              host.logs.forget(shared[i]!)
              host.know(
                shared[i]!,
                known.map((at) => items[at]!),
              )
            }
          }
          expect(exchange(a, b, random).done).toBe(true)
          expectEqual(a, b)
          expect([a.tookOverAll, b.tookOverAll]).toEqual([1, 1])
        }),
        { numRuns: 25 },
      )
    },
  )

  it('costs what differs, however many owners there are', () => {
    const owners = names(1_000)
    const largest = Math.max(
      ...Array.from({ length: LOG_BUCKETS }, (_, b) => owners.filter((o) => bucketOf(o) === b).length),
    )
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat({ max: 999 }), { minLength: 1, maxLength: 10 }), (differing) => {
        const a = new Host(owners)
        const b = new Host(owners)
        for (const owner of owners) for (const host of [a, b]) host.know(owner, entries(3))
        differing.forEach((at, i) => {
          ;(i % 2 === 0 ? a : b).know(owners[at]!, entries(1, 4))
        })
        const { bytes, rows, done } = exchange(a, b)
        expect(done).toBe(true)
        expectEqual(a, b)
        expect(rows).toBeLessThanOrEqual(2 * largest * differing.length)
        const sums = 2 * (4 * LOG_BUCKETS + 1)
        const perLog = 130
        expect(bytes).toBeLessThanOrEqual(sums + 20 + 30 * rows + perLog * differing.length)
      }),
      { numRuns: 20 },
    )
  })

  it('carries an entry in 10 bytes beyond key and value', () => {
    const items = entries(20_000)
    const a = new Host(['o'])
    const b = new Host(['o'])
    a.know('o', items)
    const { bytes } = exchange(a, b)
    const state = items.reduce((sum, { key, value }) => sum + key.length + value!.length, 0)
    expect(b.items).toBe(20_000)
    expect(bytes).toBeLessThan(state + 10 * items.length)
  })

  it.each([
    ['without gaps', (seq: number) => seq],
    ['with a gap every twenty entries', (seq: number) => seq + Math.floor(seq / 20)],
  ])('that is cut leaves what arrived, which is not sent again: numbers %s', (_, numbered) => {
    const items = entries(20_000).map((item) => ({ ...item, seq: numbered(item.seq) }))
    const a = new Host(['o'])
    // An owner whose numbers that are missing were given to entries that are no more.
    a.logs
      .logFor('o', ID, 0)!
      .join({ contiguous: items.at(-1)!.seq, ranges: Ranges.none(), alive: undefined }, items)
    const b = new Host(['o'])
    const first = exchange(a, b, () => 0, 14)
    const arrived = b.items
    expect(first.done).toBe(false)
    expect(arrived).toBeGreaterThan(5_000)
    expect(arrived).toBeLessThan(15_000)
    expect(b.logs.get('o')!.live.size).toBe(arrived)
    const second = exchange(a, b)
    expect(second.done).toBe(true)
    expect(b.items).toBe(20_000)
    expectEqual(a, b)
    const whole = exchange(a, new Host(['o'])).bytes
    expect(second.bytes).toBeLessThan((whole * (20_000 - arrived)) / 20_000 + 5_000)
  })

  it('is safe with several peers at once, and one stream of what all of them have is enough', () => {
    const clock = new TestClock()
    const full = [new Host(['o']), new Host(['o']), new Host(['o'])]
    for (const host of full) host.know('o', entries(5_000))
    const empty = new Host(['o'], clock)
    let sent = 0
    const sessions = full.map((host) => {
      let mine: LogExchange | undefined
      const theirs = new LogExchange(host, () => {})
      const pump = (): void => {
        for (let frame = mine!.next(); frame !== undefined; frame = mine!.next())
          theirs.receive(new Reader(frame))
      }
      mine = new LogExchange(empty, pump)
      return { pump, mine, theirs }
    })
    const step = ({ pump, mine, theirs }: (typeof sessions)[number]): void => {
      pump()
      const frame = theirs.next()
      if (frame === undefined) return
      sent += frame.length
      mine.receive(new Reader(frame))
    }
    for (let i = 0; sessions.some(({ mine }) => !mine.done) && i < 1_000; i++) sessions.forEach(step)
    for (const { pump } of sessions) pump()
    expect(sessions.every(({ mine, theirs }) => mine.done && theirs.done)).toBe(true)
    expect(empty.items).toBe(5_000)
    expect(state(empty.logs.get('o'))).toBe(state(full[0]!.logs.get('o')))
    expect(sent).toBeLessThan(1.1 * exchange(full[0]!, new Host(['o'])).bytes)
  })

  it('answers while it waits with its own questions, so that no circle of nodes waits', () => {
    const [a, b] = [new Host(['o', 'p']), new Host(['o', 'p'])]
    a.know('o', entries(100))
    b.know('p', entries(100))
    const other = {}
    a.turns.tookIn(other)
    let woken = false
    const ours = new LogExchange(a, () => {
      woken = true
    })
    const theirs = new LogExchange(b, () => {})
    const run = (): void => {
      for (;;) {
        const frame = ours.next()
        if (frame !== undefined) expect(theirs.receive(new Reader(frame))).toBe(true)
        const answer = theirs.next()
        if (answer !== undefined) expect(ours.receive(new Reader(answer))).toBe(true)
        if (frame === undefined && answer === undefined) return
      }
    }
    run()
    expect([a.items, b.items]).toEqual([0, 100])
    expect([ours.done, theirs.done, woken]).toEqual([false, false, false])
    a.turns.over(other)
    expect(woken).toBe(true)
    run()
    expect([ours.done, theirs.done]).toEqual([true, true])
    expectEqual(a, b)
  })
})

describe('an ill-formed exchange of logs ends:', () => {
  it('an answer to what was not asked', () => {
    const frames = [LOG_FRAME.header, LOG_FRAME.items, LOG_FRAME.alive, LOG_FRAME.commit, LOG_FRAME.end]
    for (const type of frames) {
      const exchange = new LogExchange(new Host(['o']), () => {})
      expect(exchange.receive(new Reader(Uint8Array.of(type, 0, 0, 0)))).toBe(false)
    }
  })

  const rows = new Writer().u8(LOG_FRAME.rows).u8(1).varint(0).copy()
  const some = new Writer().u8(LOG_FRAME.rows).u8(0).varint(0).copy()
  const sums = new Uint8Array(1 + 4 * LOG_BUCKETS).fill(LOG_FRAME.sums, 0, 1)
  const end = Uint8Array.of(LOG_FRAME.end)
  it.each<[string, Uint8Array[]]>([
    ['an unknown frame', [Uint8Array.of(99)]],
    ['rows after sums and the last of the rows', [sums, some, rows, some]],
    ['rows after the last of them', [rows, rows]],
    ['sums twice', [sums, sums]],
    ['sums after rows', [rows, sums]],
    ['cut sums', [sums.subarray(0, -1)]],
    ['a second end', [rows, end, end]],
    ['items after the end', [end, Uint8Array.of(LOG_FRAME.items, 0)]],
  ])('%s', (_, frames) => {
    const exchange = new LogExchange(new Host(['o']), () => {})
    exchange.next()
    for (const frame of frames.slice(0, -1)) expect(exchange.receive(new Reader(frame))).toBe(true)
    expect(exchange.receive(new Reader(frames.at(-1)!))).toBe(false)
  })
})
