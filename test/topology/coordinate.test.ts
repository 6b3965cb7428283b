import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { distanceMs, isValidCoordinate, ORIGIN, rawDistanceMs } from '../../src/topology/coordinate.ts'
import { coordinate } from './arbitraries.ts'

describe('the distance of two coordinates', () => {
  it('is symmetric, finite and never negative', () => {
    fc.assert(
      fc.property(coordinate, coordinate, (a, b) => {
        expect(distanceMs(a, b)).toBe(distanceMs(b, a))
        expect(distanceMs(a, b)).toBeGreaterThan(0)
        expect(distanceMs(a, b)).toBeLessThan(Infinity)
      }),
    )
  })

  it('is the way through the core, both access links and both adjustments', () => {
    const a = { ...ORIGIN, vector: [3, 0, 0, 0, 0, 0, 0, 0], height: 1, adjustment: 0.5 }
    const b = { ...ORIGIN, vector: [0, 4, 0, 0, 0, 0, 0, 0], height: 2, adjustment: -1 }
    expect(distanceMs(a, b)).toBe(5 + 3 - 0.5)
    expect(rawDistanceMs(a, b)).toBe(8)
  })

  it('leaves adjustments out that would make it negative', () => {
    expect(distanceMs({ ...ORIGIN, adjustment: -5 }, ORIGIN)).toBe(rawDistanceMs(ORIGIN, ORIGIN))
  })
})

describe('a coordinate', () => {
  it('is valid within its bounds', () => {
    fc.assert(fc.property(coordinate, isValidCoordinate))
    expect(isValidCoordinate(ORIGIN)).toBe(true)
  })

  it.each([
    { vector: [1, 2, 3] },
    { vector: Array<number>(9).fill(0) },
    { vector: [Number.NaN, 0, 0, 0, 0, 0, 0, 0] },
    { vector: [0, 0, 0, 0, 0, 0, 0, 10_001] },
    { height: 0 },
    { height: Number.NaN },
    { height: Infinity },
    { error: -0.01 },
    { error: 1.51 },
    { error: Number.NaN },
    { adjustment: -10_001 },
    { adjustment: Number.NaN },
  ])('is invalid with %j', (part) => {
    expect(isValidCoordinate({ ...ORIGIN, ...part })).toBe(false)
  })
})
