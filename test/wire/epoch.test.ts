import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Reader, Writer } from '../../src/wire/bytes.ts'
import { compareEpochs, NO_EPOCH, readEpoch, sameEpoch, writeEpoch } from '../../src/wire/epoch.ts'
import { epoch } from './arbitraries.ts'

it('an epoch takes ten bytes and comes back as it was written', () => {
  fc.assert(
    fc.property(epoch, (id) => {
      const bytes = writeEpoch(new Writer(), id).copy()
      expect(bytes).toHaveLength(10)
      expect(readEpoch(new Reader(bytes))).toEqual(id)
    }),
  )
})

it('epochs are in the order of their bytes: by time, then by nonce, and above no epoch at all', () => {
  fc.assert(
    fc.property(epoch, epoch, fc.boolean(), (a, b, sameTime) => {
      const other = sameTime ? { ...b, time: a.time } : b
      const bytes = (id: typeof a): Uint8Array => writeEpoch(new Writer(), id).copy()
      const order = Math.sign(compareEpochs(a, other))
      expect(order).toBe(Buffer.compare(bytes(a), bytes(other)))
      expect(sameEpoch(a, other)).toBe(order === 0)
      expect(compareEpochs(a, NO_EPOCH)).toBeGreaterThan(0)
    }),
  )
})

it('an epoch so late that no later one could follow is refused', () => {
  const accepts = (time: number): boolean => {
    const reader = new Reader(writeEpoch(new Writer(), { time, nonce: 1 }).copy())
    readEpoch(reader)
    return !reader.failed
  }
  expect([2 ** 47 - 1, 2 ** 47, 2 ** 48 - 1].map(accepts)).toEqual([true, false, false])
})
