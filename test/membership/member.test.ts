import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  comparePrecedence,
  identityHash,
  Member,
  memberId,
  mergeRecords,
  recordHash,
  withAccusation,
} from '../../src/membership/member.ts'
import { MAX_HARD_ACCUSERS, MAX_SOFT_ACCUSERS, type MemberRecord } from '../../src/wire/member-record.ts'
import { recordOf, recordsOf } from './records.ts'

const record = recordsOf('a')

describe('merging the records of a member', () => {
  it('is commutative, associative and idempotent', () => {
    fc.assert(
      fc.property(record, record, record, (a, b, c) => {
        expect(mergeRecords(a, b)).toEqual(mergeRecords(b, a))
        expect(mergeRecords(mergeRecords(a, b), c)).toEqual(mergeRecords(a, mergeRecords(b, c)))
        expect(mergeRecords(a, a)).toBe(a)
      }),
      { numRuns: 2000 },
    )
  })

  it('is monotone: nothing that was merged is ever news again, in whatever order records come', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 8 }), fc.nat(), (records, turn) => {
        const join = (list: readonly MemberRecord[]): MemberRecord => list.reduce(mergeRecords)
        const all = join(records)
        for (const record of records) {
          expect(mergeRecords(all, record)).toBe(all)
          expect(comparePrecedence(all, record)).toBeGreaterThanOrEqual(0)
        }
        const rotated = records.map((_, i) => records[(i + turn) % records.length]!)
        expect(join(rotated)).toEqual(all)
        expect(join(rotated.reverse())).toEqual(all)
      }),
      { numRuns: 500 },
    )
  })

  it('says that nothing is new by returning the very record', () => {
    fc.assert(
      fc.property(record, record, (a, b) => {
        const merged = mergeRecords(a, b)
        const same = JSON.stringify(merged) === JSON.stringify(a)
        expect(merged === a).toBe(same)
      }),
      { numRuns: 1000 },
    )
  })

  it('never holds more accusers than a record may carry, and always ascending ones', () => {
    fc.assert(
      fc.property(record, record, (a, b) => {
        const { hard, soft } = mergeRecords(a, b)
        expect(hard.length).toBeLessThanOrEqual(MAX_HARD_ACCUSERS)
        expect(soft.length).toBeLessThanOrEqual(MAX_SOFT_ACCUSERS)
        for (const ids of [hard, soft]) {
          expect(ids).toEqual([...new Set(ids)].sort((x, y) => x - y))
        }
      }),
    )
  })

  it('orders by epoch, then incarnation, then whether the member left', () => {
    const ascending = [
      recordOf('a', { epoch: { time: 1, nonce: 9 }, incarnation: 9, left: true }),
      recordOf('a', { epoch: { time: 2, nonce: 1 }, incarnation: 5, left: true }),
      recordOf('a', { epoch: { time: 2, nonce: 2 }, incarnation: 0 }),
      recordOf('a', { epoch: { time: 2, nonce: 2 }, incarnation: 0, left: true }),
      recordOf('a', { epoch: { time: 2, nonce: 2 }, incarnation: 1 }),
    ]
    for (const [i, lower] of ascending.entries()) {
      for (const higher of ascending.slice(i + 1)) {
        expect(mergeRecords(lower, higher)).toBe(higher)
        expect(mergeRecords(higher, lower)).toBe(higher)
      }
    }
  })

  it('accusations of a former incarnation are gone with it', () => {
    const accused = recordOf('a', { hard: [1, 2], soft: [3] })
    const refuted = recordOf('a', { incarnation: 1 })
    expect(mergeRecords(accused, refuted)).toBe(refuted)
  })
})

describe('an accusation', () => {
  it('goes in once', () => {
    const accused = withAccusation(recordOf('a'), 7, true)
    expect(accused.hard).toEqual([7])
    expect(withAccusation(accused, 7, true)).toBe(accused)
    const both = withAccusation(accused, 8, false)
    expect([both.hard, both.soft]).toEqual([[7], [8]])
  })

  it('among as many as a record carries has its place by its id, not by when it came', () => {
    const full = recordOf('a', { hard: [10, 20, 30, 40, 50] })
    expect(withAccusation(full, 60, true)).toBe(full)
    expect(withAccusation(full, 5, true).hard).toEqual([5, 10, 20, 30, 40])
  })

  it('is found again, hard or soft', () => {
    const member = new Member(recordOf('a', { hard: [1], soft: [2] }))
    expect([1, 2, 3].map((id) => member.isAccusedBy(id))).toEqual([true, true, false])
    expect([1, 2, 3].map((id) => member.isAccusedHardBy(id))).toEqual([true, false, false])
  })
})

describe('summaries of a record', () => {
  const summary = ({ epoch, incarnation, left, hard, soft }: MemberRecord): string =>
    JSON.stringify([epoch, incarnation, left, hard, soft])

  it('are equal where all that merges is equal, and differ otherwise', () => {
    fc.assert(
      fc.property(record, record, (a, b) => {
        expect(recordHash(a) === recordHash(b)).toBe(summary(a) === summary(b))
      }),
      { numRuns: 1000 },
    )
  })

  it('tell hard accusers from soft ones', () => {
    const hashes = [
      { hard: [1, 2], soft: [] },
      { hard: [1], soft: [2] },
      { hard: [], soft: [1, 2] },
    ].map((accusers) => recordHash(recordOf('a', accusers)))
    expect(new Set(hashes).size).toBe(3)
  })

  it('of identity tell name, epoch and incarnation apart, and nothing else', () => {
    const identities = ['a', 'b'].flatMap((name) =>
      [1, 2].flatMap((time) =>
        [1, 2].flatMap((nonce) =>
          [0, 1].map((incarnation) => recordOf(name, { epoch: { time, nonce }, incarnation })),
        ),
      ),
    )
    const hash = (record: MemberRecord): string => JSON.stringify(identityHash(new Member(record)))
    expect(new Set(identities.map(hash)).size).toBe(identities.length)
    const one = identities[0]!
    expect(hash({ ...one, hard: [1], soft: [2], left: true, metadata: Uint8Array.of(9) })).toBe(hash(one))
    const { high, low } = identityHash(new Member(one))
    expect(high).not.toBe(low)
  })
})

it('a member is referred to by the hash of its name', () => {
  expect(new Member(recordOf('node-1')).id).toBe(memberId('node-1'))
  expect(memberId('node-1')).toBe(0x63225e93)
})
