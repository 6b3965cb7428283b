import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LogSet } from '../../src/network-state/log-set.ts'
import type { Item } from '../../src/network-state/owner-log.ts'
import { Ranges } from '../../src/network-state/ranges.ts'
import { superseding } from '../../src/network-state/superseding.ts'
import { Writer } from '../../src/wire/bytes.ts'
import {
  type EntryEvent,
  entryKey,
  MAX_SUPERSEDED_RANGES,
  writeEntryEvent,
} from '../../src/wire/entry-event.ts'
import { MAX_ENTRY_BYTES } from '../../src/wire/limits.ts'
import { del, known, set, state, violation } from './oracle.ts'

const EPOCH = { time: 1, nonce: 0 }
const KEYS = ['a', 'b'].map((key) => entryKey('t', key))

const history: fc.Arbitrary<readonly Item[]> = fc
  .array(fc.tuple(fc.constantFrom(...KEYS), fc.boolean()), { minLength: 1, maxLength: 16 })
  .map((ops) => ops.map(([key, remove], index) => (remove ? del(index + 1, key) : set(index + 1, key))))

/** An event of a history that names some of the earlier operations on its key. */
function eventOf(items: readonly Item[], which: number, named: readonly boolean[]): EntryEvent {
  const item = items[which % items.length]!
  const earlier = items.filter(({ key, seq }, index) => key === item.key && seq < item.seq && named[index])
  const superseded = Ranges.ofAscending(earlier.map(({ seq }) => seq)).pairs
  return { network: 'blue', owner: 'O', epoch: EPOCH, base: 0, item, superseded }
}

const choice = fc.record({
  which: fc.nat(20),
  named: fc.array(fc.boolean(), { minLength: 16, maxLength: 16 }),
})

function apply(logs: LogSet, { owner, epoch, base, item, superseded }: EntryEvent): void {
  logs.apply(owner, epoch, base, item, superseded)
}

function stateAfter(before: readonly EntryEvent[], events: readonly EntryEvent[]): string {
  const logs = new LogSet()
  for (const event of [...before, ...events]) apply(logs, event)
  return state(logs.get('O'))
}

describe('an event that names what it supersedes', () => {
  test('leaves a log as if all of that had come, whatever came before and in whatever order', () => {
    fc.assert(
      fc.property(history, fc.array(choice, { maxLength: 12 }), (items, choices) => {
        const named = new LogSet()
        const numbers = new Set<number>()
        for (const { which, named: some } of choices) {
          const event = eventOf(items, which, some)
          apply(named, event)
          numbers.add(event.item.seq)
          const { pairs } = Ranges.parse(event.superseded)!
          for (let i = 0; i < pairs.length; i += 2) {
            for (let seq = pairs[i]!; seq <= pairs[i + 1]!; seq++) numbers.add(seq)
          }
          expect(violation(named.get('O')!, items)).toBeUndefined()
        }
        const singly = new LogSet()
        for (const item of items) if (numbers.has(item.seq)) singly.apply('O', EPOCH, 0, item)
        expect(state(named.get('O'))).toBe(state(singly.get('O')))
      }),
      { numRuns: 1000 },
    )
  })

  test('is news even to a log that knows its number, if it names one that is not known', () => {
    const logs = new LogSet()
    const item = set(3, KEYS[0]!)
    expect(logs.apply('O', EPOCH, 0, item)).toBe('new')
    expect(logs.apply('O', EPOCH, 0, item, [1, 2])).toBe('new')
    expect(logs.apply('O', EPOCH, 0, item, [1, 2])).toBe('duplicate')
    expect(logs.get('O')!.contiguous).toBe(3)
  })

  test('that is refused teaches none of its numbers', () => {
    const limits = { ranges: 1, joinedRanges: 1, tombs: 1, joinedTombs: 1, dels: 0, rowRanges: 1 }
    const logs = new LogSet({ limits })
    logs.apply('O', EPOCH, 0, set(3, KEYS[0]!))
    const before = known(logs.get('O'))
    expect(logs.apply('O', EPOCH, 0, set(7, KEYS[1]!), [1, 1])).toBe('refused')
    expect(known(logs.get('O'))).toBe(before)
  })

  test('opens no more ranges than an event may: numbers without room stay unknown', () => {
    const limits = { ranges: 2, joinedRanges: 9, tombs: 9, joinedTombs: 9, dels: 0, rowRanges: 9 }
    const logs = new LogSet({ limits })
    logs.apply('O', EPOCH, 0, set(20, KEYS[0]!), [3, 4, 8, 8, 19, 19])
    expect(logs.get('O')!.ranges.pairs).toEqual([3, 4, 19, 20])
  })
})

describe('one event for two of a key', () => {
  test('does what both do, in either order', () => {
    fc.assert(
      fc.property(history, fc.array(choice, { maxLength: 6 }), choice, choice, (items, before, one, two) => {
        const first = eventOf(items, one.which, one.named)
        const second = eventOf(items, two.which, two.named)
        fc.pre(first.item.key === second.item.key)
        const earlier = before.map(({ which, named }) => eventOf(items, which, named))
        const merged = superseding(first, second)
        expect(stateAfter(earlier, [merged])).toBe(stateAfter(earlier, [first, second]))
        expect(superseding(second, first)).toEqual(merged)
      }),
      { numRuns: 1000 },
    )
  })

  test('of two epochs is that of the higher', () => {
    const items = [set(1, KEYS[0]!), set(2, KEYS[0]!)]
    const old = eventOf(items, 1, [])
    const young = { ...eventOf(items, 0, []), epoch: { time: 2, nonce: 0 } }
    expect(superseding(old, young)).toBe(young)
    expect(superseding(young, old)).toBe(young)
  })

  test('names the highest ranges when there are too many', () => {
    let event = eventOf([set(1, KEYS[0]!)], 0, [])
    for (let seq = 3; seq < 100; seq += 2) event = superseding(event, { ...event, item: set(seq, KEYS[0]!) })
    expect(event.superseded).toHaveLength(2 * MAX_SUPERSEDED_RANGES)
    expect(event.superseded.slice(-2)).toEqual([97, 97])
  })

  test('never grows beyond what every node can pass on', () => {
    const key = entryKey('t', 'k'.repeat(200))
    const owner = 'o'.repeat(63)
    const value = new Uint8Array(MAX_ENTRY_BYTES - 63 - 200 - 2 - 4 - 40 - 7)
    const item = { ...set(2 ** 52, key, 2 ** 51), value }
    const event: EntryEvent = { network: 'blue', owner, epoch: EPOCH, base: 0, item, superseded: [] }
    const earlier = { ...event, item: set(5, key), superseded: [1, 1, 3, 3] }
    const merged = superseding(event, earlier)
    expect(merged.superseded.length).toBeLessThan(6)
    expect(writeEntryEvent(new Writer(), merged).length).toBeLessThanOrEqual(MAX_ENTRY_BYTES)
  })
})
