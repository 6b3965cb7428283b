import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Coordinate,
  distanceMs,
  isValidCoordinate,
  MAX_LENGTH_MS,
  MIN_HEIGHT_MS,
  magnitude,
  ORIGIN,
  rawDistanceMs,
} from '../../src/topology/coordinate.ts'
import { LatencyWindow } from '../../src/topology/latency-window.ts'
import { Vivaldi } from '../../src/topology/vivaldi.ts'
import { coordinate, generator } from './arbitraries.ts'

const roundTrip = fc.oneof(
  fc.double({ min: 0, max: 10_000, noNaN: true }),
  fc.constantFrom(0, Number.MIN_VALUE, 0.001, 10_000),
)

describe('a place', () => {
  it('stays valid whatever valid coordinates and round trips it hears of', () => {
    const observations = fc.array(fc.tuple(coordinate, roundTrip), { maxLength: 60 })
    fc.assert(
      fc.property(observations, fc.integer(), (observations, seed) => {
        const vivaldi = new Vivaldi(generator(seed))
        for (const [other, ms] of observations) {
          expect(vivaldi.observe(other, ms)).toBe(true)
          expect(isValidCoordinate(vivaldi.coordinate)).toBe(true)
          expect(vivaldi.coordinate.height).toBeGreaterThanOrEqual(MIN_HEIGHT_MS)
        }
        expect(vivaldi.rejected).toBe(0)
      }),
    )
  })

  it.each([-1, -Number.MIN_VALUE, 10_000.1, Number.NaN, Infinity, -Infinity])(
    'does not move for a round trip of %d ms, but counts it',
    (ms) => {
      const vivaldi = new Vivaldi(generator(1))
      expect(vivaldi.observe(ORIGIN, ms)).toBe(false)
      expect(vivaldi.coordinate).toBe(ORIGIN)
      expect(vivaldi.rejected).toBe(1)
    },
  )

  it('does not move for an invalid coordinate, but counts it', () => {
    const vivaldi = new Vivaldi(generator(1))
    expect(vivaldi.observe({ ...ORIGIN, vector: [1, 2] }, 1)).toBe(false)
    expect(vivaldi.observe({ ...ORIGIN, height: Number.NaN }, 1)).toBe(false)
    expect(vivaldi.coordinate).toBe(ORIGIN)
    expect(vivaldi.rejected).toBe(2)
  })

  it('that would leave the bounds starts anew from the origin, and counts it', () => {
    const vivaldi = new Vivaldi(generator(1))
    const at = (x: number): Coordinate => ({ ...ORIGIN, vector: [x, 0, 0, 0, 0, 0, 0, 0], error: 0 })
    for (let i = 0; i < 40; i++) vivaldi.observe(at(MAX_LENGTH_MS), 1)
    const [edge] = vivaldi.coordinate.vector
    expect(edge).toBeGreaterThan(MAX_LENGTH_MS - 1000)
    expect(vivaldi.observe(at(edge! - 100), 10_000)).toBe(true)
    expect(vivaldi.resets).toBe(1)
    expect(vivaldi.coordinate).toEqual(ORIGIN)
  })

  it('moves by its share of the surprise, through the core and along the access link alike', () => {
    const other: Coordinate = { ...ORIGIN, vector: [50, 0, 0, 0, 0, 0, 0, 0], height: 20, error: 0.5 }
    for (const ms of [140, 20]) {
      const vivaldi = new Vivaldi(generator(1))
      vivaldi.observe(other, ms)
      const { vector, height, error, adjustment } = vivaldi.coordinate
      const distance = 70.01
      const weight = 1.5 / (1.5 + 0.5)
      const share = (0.25 * weight * (ms - distance)) / distance
      expect(vector[0]).toBeCloseTo(-50 * share, 4)
      expect(height).toBeCloseTo(Math.max(MIN_HEIGHT_MS, 0.01 + 20.01 * share), 4)
      const wrongness = Math.abs(distance - ms) / ms
      expect(error).toBeCloseTo(Math.min(1.5, 0.25 * weight * wrongness + 1.5 * (1 - 0.25 * weight)), 10)
      expect(adjustment).toBeCloseTo((ms - rawDistanceMs(vivaldi.coordinate, other)) / 40, 4)
    }
  })

  it('falls back towards the origin, by more the farther out', () => {
    const vivaldi = new Vivaldi(generator(1))
    const other: Coordinate = { ...ORIGIN, vector: [MAX_LENGTH_MS, 0, 0, 0, 0, 0, 0, 0], error: 0.1 }
    const radius = (): number => magnitude(vivaldi.coordinate.vector)
    for (const expected of [500, 5000]) {
      while (radius() < expected) vivaldi.observe(other, 1)
      const before = radius()
      vivaldi.observe(other, rawDistanceMs(vivaldi.coordinate, other))
      expect(before - radius()).toBeCloseTo(1000 * (before / 150_000) ** 2, 6)
    }
  })

  it('moves less for one that is unsure of itself', () => {
    const moved = [0.1, 1.5].map((error) => {
      const vivaldi = new Vivaldi(generator(1))
      vivaldi.observe({ ...ORIGIN, vector: [50, 0, 0, 0, 0, 0, 0, 0], error }, 100)
      return magnitude(vivaldi.coordinate.vector)
    })
    expect(moved[0]!).toBeGreaterThan(1.5 * moved[1]!)
  })

  it('on top of another leaves it in a direction that is drawn', () => {
    const places = [1, 2].map((seed) => {
      const vivaldi = new Vivaldi(generator(seed))
      vivaldi.observe(ORIGIN, 10)
      return vivaldi.coordinate.vector
    })
    for (const place of places) expect(magnitude(place)).toBeCloseTo(0.25 * 0.5 * (10 - 0.02), 4)
    expect(places[0]).not.toEqual(places[1])
  })

  it('is a function of what was observed and drawn', () => {
    expect(region(7, 30).map(({ coordinate }) => coordinate)).toEqual(
      region(7, 30).map(({ coordinate }) => coordinate),
    )
  })
})

const NODES = 60
/** Round trips between three regions, in ms. */
const BETWEEN = [
  [0.5, 40, 90],
  [40, 0.5, 120],
  [90, 120, 0.5],
]

/** Each node's own access link adds to that. */
function trueRoundTrip(a: number, b: number): number {
  const access = (node: number): number => 0.1 + ((node * 7) % 10) / 10
  return BETWEEN[a % 3]![b % 3]! + access(a) + access(b)
}

/** Runs rounds in which each node measures one random other: up to a tenth of jitter, one in 20 delayed by up to 200 ms. */
function region(seed: number, rounds: number): Vivaldi[] {
  const random = generator(seed)
  const share = (): number => random() / 2 ** 32
  const nodes = Array.from({ length: NODES }, () => ({
    vivaldi: new Vivaldi(random),
    windows: Array.from({ length: NODES }, () => new LatencyWindow()),
  }))
  for (let round = 0; round < rounds; round++) {
    nodes.forEach(({ vivaldi, windows }, a) => {
      const b = (a + 1 + (random() % (NODES - 1))) % NODES
      const spike = share() < 0.05 ? 200 * share() : 0
      const measured = trueRoundTrip(a, b) * (1 + 0.1 * share()) + spike
      vivaldi.observe(nodes[b]!.vivaldi.coordinate, windows[b]!.add(measured))
    })
  }
  return nodes.map(({ vivaldi }) => vivaldi)
}

describe('places in three regions', () => {
  const errorsOf = (nodes: Vivaldi[], wanted: (a: number, b: number) => boolean): number[] =>
    nodes
      .flatMap((one, a) =>
        nodes.slice(0, a).map((other, b) => {
          const truth = trueRoundTrip(a, b)
          const relative = Math.abs(distanceMs(one.coordinate, other.coordinate) - truth) / truth
          return wanted(a, b) ? [relative] : []
        }),
      )
      .flat()
      .sort((a, b) => a - b)
  const sameRegion = (a: number, b: number): boolean => a % 3 === b % 3

  it.each([1, 2, 3])('predict round trips between regions within 10 %% in the median (seed %i)', (seed) => {
    const errors = errorsOf(region(seed, 200), (a, b) => !sameRegion(a, b))
    expect(errors[errors.length >> 1]).toBeLessThan(0.1)
    expect(errors[Math.floor(errors.length * 0.9)]).toBeLessThan(0.2)
  })

  it.each([1, 2, 3])('tell one region from the others for every single pair (seed %i)', (seed) => {
    const nodes = region(seed, 200)
    const distances = (same: boolean): number[] =>
      nodes.flatMap((one, a) =>
        nodes
          .filter((_, b) => a !== b && sameRegion(a, b) === same)
          .map((other) => distanceMs(one.coordinate, other.coordinate)),
      )
    expect(Math.max(...distances(true))).toBeLessThan(Math.min(...distances(false)))
  })

  it('are wrong by half or more before they have converged, so that the bounds above mean something', () => {
    const errors = errorsOf(region(1, 3), (a, b) => !sameRegion(a, b))
    expect(errors[errors.length >> 1]).toBeGreaterThan(0.5)
  })
})
