import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { accusersNeeded, suspicionTimeoutMs } from '../../src/membership/suspicion-rules.ts'

const OPTIONS = { probeIntervalMs: 1_000, suspicionMultiplier: 4, suspicionMaxMultiplier: 6 }

describe('accusers needed', () => {
  it.each([
    [2, 1],
    [3, 2],
    [4, 2],
    [5, 3],
    [6, 3],
    [7, 4],
    [8, 4],
    [1_000, 4],
  ])('of %i members: %i', (n, needed) => {
    expect(accusersNeeded(n)).toBe(needed)
  })

  it('there are always enough others to be found, and half of them never suffice where there are few', () => {
    for (let n = 2; n <= 100; n++) {
      expect(accusersNeeded(n)).toBeLessThanOrEqual(n - 1)
      if (n > 2 && n < 8) expect(accusersNeeded(n)).toBeGreaterThan((n - 1) / 2)
    }
  })
})

describe('the time of a suspect on the slow path', () => {
  it.each([
    // Whoever has nobody to confirm does not wait for it.
    [2, 1, 4_000],
    [3, 1, 24_000],
    [3, 2, 4_000],
    [10, 1, 24_000],
    // From the longest to the shortest by the logarithm of the confirmations, of which two are enough.
    [10, 2, 24_000 - 20_000 * (Math.log(2) / Math.log(3))],
    [10, 3, 4_000],
    [10, 8, 4_000],
    [100, 1, 48_000],
    [100, 3, 8_000],
    [1_000, 3, 12_000],
  ])('of %i members, with %i accusers', (n, accusers, ms) => {
    expect(suspicionTimeoutMs(OPTIONS, n, accusers)).toBeCloseTo(ms, 6)
  })

  it('is never longer with one accuser more, nor shorter among more members', () => {
    const members = fc.integer({ min: 2, max: 2_000 })
    fc.assert(
      fc.property(members, members, fc.nat({ max: 8 }), (n, m, accusers) => {
        const timeout = suspicionTimeoutMs(OPTIONS, n, accusers)
        expect(suspicionTimeoutMs(OPTIONS, n, accusers + 1)).toBeLessThanOrEqual(timeout)
        if (n >= 4 && m >= n) {
          expect(suspicionTimeoutMs(OPTIONS, m, accusers)).toBeGreaterThanOrEqual(timeout)
        }
        expect(timeout).toBeGreaterThanOrEqual(4_000)
      }),
    )
  })
})
