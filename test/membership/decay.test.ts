import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decay } from '../../src/membership/decay.ts'

describe('decay', () => {
  it('comes within one per cent of e^(-x) for two time constants, and leaves next to nothing of ten', () => {
    for (let x = 0; x <= 2; x += 0.125)
      expect(Math.abs(decay(x * 60_000, 60_000) / Math.exp(-x) - 1)).toBeLessThan(0.01)
    expect(decay(600_000, 60_000)).toBeLessThan(0.0001)
  })

  it('leaves all of it at first, and never more later', () => {
    expect(decay(0, 10_000)).toBe(1)
    const times = fc.tuple(fc.nat({ max: 1e9 }), fc.nat({ max: 1e9 }))
    fc.assert(
      fc.property(times, ([a, b]) => {
        expect(decay(a + b, 10_000)).toBeLessThanOrEqual(decay(a, 10_000))
        expect(decay(a, 10_000)).toBeGreaterThanOrEqual(0)
      }),
    )
  })
})
