import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LatencyWindow } from '../../src/topology/latency-window.ts'

describe('the window of round trips', () => {
  it('gives the median of the last three', () => {
    const window = new LatencyWindow()
    expect([5, 900, 6, 7, 1000, 8].map((ms) => window.add(ms))).toEqual([5, 5, 6, 7, 7, 8])
  })

  it('gives what sorting would give, whatever was measured', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 10_000, noNaN: true }), { minLength: 1 }), (measured) => {
        const window = new LatencyWindow()
        measured.forEach((ms, i) => {
          const recent = measured.slice(Math.max(0, i - 2), i + 1).sort((a, b) => a - b)
          expect(window.add(ms)).toBe(recent[(recent.length - 1) >> 1])
        })
      }),
    )
  })
})
