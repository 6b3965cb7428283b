import fc from 'fast-check'
import {
  type Coordinate,
  DIMENSIONS,
  MAX_ERROR,
  MAX_LENGTH_MS,
  MIN_HEIGHT_MS,
} from '../../src/topology/coordinate.ts'

const length = fc.double({ min: -MAX_LENGTH_MS, max: MAX_LENGTH_MS, noNaN: true })

/** Any valid coordinate, the extreme ones included. */
export const coordinate: fc.Arbitrary<Coordinate> = fc.record({
  vector: fc.array(length, { minLength: DIMENSIONS, maxLength: DIMENSIONS }),
  height: fc.double({ min: MIN_HEIGHT_MS, max: MAX_LENGTH_MS, noNaN: true }),
  error: fc.double({ min: 0, max: MAX_ERROR, noNaN: true }),
  adjustment: length,
})

/** A seeded generator of uniform integers in [0, 2^32). */
export function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x9e3779b9) | 0
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }
}
