import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Ranges } from '../../src/network-state/ranges.ts'

const TOP = 40
const integer = fc.integer({ min: 1, max: TOP })
const spans = fc.array(fc.tuple(integer, fc.nat(6)).map(([lo, more]) => [lo, lo + more] as const))

function rangesOf(from: readonly (readonly [number, number])[]): Ranges {
  const ranges = Ranges.none()
  for (const [lo, hi] of from) ranges.add(lo, hi)
  return ranges
}

function setOf(from: readonly (readonly [number, number])[]): Set<number> {
  return new Set(from.flatMap(([lo, hi]) => Array.from({ length: hi - lo + 1 }, (_, i) => lo + i)))
}

describe('ranges', () => {
  test('hold what was added, in a form that depends on nothing else', () => {
    fc.assert(
      fc.property(spans, (added) => {
        const ranges = rangesOf(added)
        const set = setOf(added)
        for (let i = 1; i <= TOP + 8; i++) expect(ranges.has(i)).toBe(set.has(i))
        expect(ranges.pairs).toEqual(rangesOf([...added].reverse()).pairs)
        expect(ranges.pairs).toEqual(Ranges.ofAscending([...set].sort((a, b) => a - b)).pairs)
        expect(Ranges.parse(ranges.pairs)!.pairs).toEqual(ranges.pairs)
      }),
    )
  })

  test('cover a span if they hold all of it', () => {
    fc.assert(
      fc.property(spans, integer, fc.nat(4), (added, lo, more) => {
        const set = setOf(added)
        const all = Array.from({ length: more + 1 }, (_, i) => lo + i).every((i) => set.has(i))
        expect(rangesOf(added).covers(lo, lo + more)).toBe(all)
      }),
    )
  })

  test('touch an integer if adding it takes no range more', () => {
    fc.assert(
      fc.property(spans, integer, (added, at) => {
        const ranges = rangesOf(added)
        const { size } = ranges
        const touches = ranges.touches(at)
        ranges.add(at)
        expect(touches).toBe(ranges.size <= size)
      }),
    )
  })

  test('a line absorbs what it reaches, and all that follows on', () => {
    fc.assert(
      fc.property(spans, fc.nat(TOP), (added, line) => {
        const ranges = rangesOf(added)
        const set = setOf(added)
        let reached = line
        while (set.has(reached + 1)) reached++
        expect(ranges.absorb(line)).toBe(reached)
        for (let i = 1; i <= TOP + 8; i++) expect(ranges.has(i)).toBe(i > reached && set.has(i))
      }),
    )
  })

  test('the union of two holds both', () => {
    fc.assert(
      fc.property(spans, spans, (one, other) => {
        const ranges = rangesOf(one)
        ranges.addAll(rangesOf(other))
        expect(ranges.pairs).toEqual(rangesOf([...one, ...other]).pairs)
      }),
    )
  })

  test.each([
    [[1]],
    [[2, 1]],
    [[1, 2, 2, 3]],
    [[1, 2, 3, 4]],
    [[5, 6, 1, 2]],
    [[0.5, 1]],
    [[1, Number.POSITIVE_INFINITY]],
    [[Number.NaN, 4]],
    [[0, 1]],
    [[-3, 1]],
  ])('pairs out of form are no ranges: %j', (pairs) => {
    expect(Ranges.parse(pairs)).toBeUndefined()
  })

  test('a copy, and the first few, are not changed by what is added later', () => {
    const ranges = rangesOf([
      [1, 1],
      [3, 3],
      [5, 5],
    ])
    const copy = ranges.copy()
    const first = ranges.first(2)
    ranges.add(2)
    expect(copy.pairs).toEqual([1, 1, 3, 3, 5, 5])
    expect(first.pairs).toEqual([1, 1, 3, 3])
  })
})
