import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BytePool } from '../../src/dissemination/byte-pool.ts'

test('copies from a pool are what they were copied from, whatever is copied or overwritten later', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 1_500, size: 'max' }), { maxLength: 20 }), (all) => {
      const pool = new BytePool()
      const copies = all.map((bytes) => {
        const own = bytes.slice()
        const copy = pool.copy(own)
        own.fill(0)
        return copy
      })
      expect(copies.map((copy) => [...copy])).toEqual(all.map((bytes) => [...bytes]))
    }),
  )
})

test('what is larger than a block is copied, too', () => {
  expect(new BytePool().copy(new Uint8Array(100_000).fill(7))).toEqual(new Uint8Array(100_000).fill(7))
})
