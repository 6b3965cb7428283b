import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  BucketSet,
  bucketOf,
  bucketStart,
  bucketsFor,
  foldSums,
  LEAST_BUCKETS,
  MOST_BUCKETS,
} from '../../src/membership/buckets.ts'
import { uint32 } from '../wire/arbitraries.ts'

const buckets = fc.constantFrom(LEAST_BUCKETS, MOST_BUCKETS)

it('an id lies between the start of its bucket and that of the next', () => {
  fc.assert(
    fc.property(uint32, buckets, (id, count) => {
      const bucket = bucketOf(id, count)
      expect(bucketStart(bucket, count)).toBeLessThanOrEqual(id)
      expect(id).toBeLessThan(bucketStart(bucket + 1, count))
    }),
  )
})

it('the sums of few buckets are what they would be if they had been summed up themselves', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(uint32, uint32)), (members) => {
      const sumsOf = (count: number): Uint32Array => {
        const sums = new Uint32Array(count)
        for (const [id, hash] of members) sums[bucketOf(id, count)]! += hash
        return sums
      }
      expect(foldSums(sumsOf(MOST_BUCKETS), LEAST_BUCKETS)).toEqual(sumsOf(LEAST_BUCKETS))
      expect(foldSums(sumsOf(MOST_BUCKETS), MOST_BUCKETS)).toEqual(sumsOf(MOST_BUCKETS))
    }),
  )
})

it('buckets differ where their sums do, and cover the ids in them', () => {
  fc.assert(
    fc.property(buckets, fc.array(uint32, { maxLength: 20 }), uint32, (count, changed, other) => {
      const sums = new Uint32Array(count)
      for (const id of changed) sums[bucketOf(id, count)] = 1
      const set = BucketSet.differing(sums, new Uint32Array(count))
      expect(set.bytes).toHaveLength(count / 8)
      for (const id of changed) expect(set.covers(id)).toBe(true)
      expect(set.covers(other)).toBe(sums[bucketOf(other, count)] === 1)
    }),
  )
})

it('more buckets are compared from 1,024 members on', () => {
  expect([1, 1_023, 1_024, 65_536].map(bucketsFor)).toEqual([256, 256, 1_024, 1_024])
})
