import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { accusersNeeded, leastSuspicionMs, suspicionTimeoutMs } from '../../src/membership/suspicion-rules.ts'

const OPTIONS = {
  probeIntervalMs: 1_000,
  probeTimeoutMs: 500,
  indirectTimeoutMs: 500,
  verifyTimeoutMs: 500,
  suspicionMultiplier: 4,
  suspicionMaxMultiplier: 6,
  minSuspicionMs: 0,
  isolationTimeoutMs: 3_000,
}

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
    // Of two, nobody can confirm: half the shortest time, the last check included.
    [2, 1, 1_500],
    [1, 1, 1_500],
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
        expect(timeout).toBeGreaterThanOrEqual(n === 2 ? 1_500 : 4_000)
      }),
    )
  })
})

describe('the time of one of two', () => {
  it('does not end before the other would take itself for isolated', () => {
    for (const isolationTimeoutMs of [100, 3_000, 10_000]) {
      const timeout = suspicionTimeoutMs({ ...OPTIONS, isolationTimeoutMs }, 2, 1)
      // From the last answer: the stages of the probe, the suspicion, the last check.
      expect(500 + 500 + timeout + 500).toBeGreaterThanOrEqual(isolationTimeoutMs)
    }
  })
})

describe('the least time of a suspect', () => {
  it('is none in a quiet cluster, nor after one false alarm', () => {
    expect(leastSuspicionMs(OPTIONS, 100, 0)).toBe(0)
    expect(leastSuspicionMs(OPTIONS, 100, 1)).toBe(0)
  })

  it('grows by half a second with each false alarm more, up to the shortest time of the slow path', () => {
    expect(leastSuspicionMs(OPTIONS, 100, 2)).toBe(500)
    expect(leastSuspicionMs(OPTIONS, 100, 5)).toBe(2_000)
    expect(leastSuspicionMs(OPTIONS, 100, 1_000)).toBe(8_000)
    expect(leastSuspicionMs(OPTIONS, 10, 1_000)).toBe(4_000)
  })

  it('is what the options ask for, if that is more', () => {
    const patient = { ...OPTIONS, minSuspicionMs: 5_000 }
    expect(leastSuspicionMs(patient, 100, 0)).toBe(5_000)
    expect(leastSuspicionMs(patient, 100, 1_000)).toBe(8_000)
    expect(suspicionTimeoutMs(patient, 2, 1)).toBe(5_000)
    expect(suspicionTimeoutMs(patient, 10, 3)).toBe(5_000)
  })
})
