import fc from 'fast-check'
import { expect, it } from 'vitest'
import { TokenBucket } from '../../src/dissemination/token-bucket.ts'

const PER_SECOND = 10
const BURST = 3

it('in any stretch of time no more pass than the burst and what the stretch adds, and no fewer than that allows', () => {
  const gaps = fc.array(fc.oneof(fc.nat({ max: 30 }), fc.nat({ max: 2_000 })), { maxLength: 100 })
  fc.assert(
    fc.property(gaps, fc.integer({ min: -1_000_000, max: 1_000_000 }), (gaps, start) => {
      const bucket = new TokenBucket(PER_SECOND, BURST)
      const passed: number[] = []
      let now = start
      let tokens = BURST
      for (const gap of gaps) {
        now += gap
        tokens = Math.min(BURST, tokens + (gap * PER_SECOND) / 1000)
        const passes = bucket.take(now)
        if (Math.abs(tokens - 1) > 1e-6) expect(passes).toBe(tokens > 1)
        if (passes) {
          passed.push(now)
          tokens -= 1
        }
      }
      passed.forEach((from, i) => {
        passed.slice(i).forEach((to, more) => {
          expect(more + 1).toBeLessThanOrEqual(BURST + ((to - from) * PER_SECOND) / 1000 + 1e-6)
        })
      })
    }),
  )
})

it('a bucket is full at first, wherever the clock stands', () => {
  for (const now of [-1e9, 0, 1e9]) {
    const bucket = new TokenBucket(PER_SECOND, BURST)
    expect([1, 2, 3, 4].map(() => bucket.take(now))).toEqual([true, true, true, false])
  }
})
