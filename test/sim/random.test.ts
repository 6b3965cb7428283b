import { describe, expect, it } from 'vitest'
import { exp, log, normalQuantiles } from '../../sim/arithmetic.ts'
import { Lognormal, Random } from '../../sim/random.ts'

const take = (random: Random, count: number): number[] => Array.from({ length: count }, () => random.uint32())

function quantile(values: number[], share: number): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length * share)]!
}

describe('the arithmetic of traces', () => {
  it('agrees with the exponential and the logarithm of the platform', () => {
    for (let x = -20; x <= 20; x += 0.137) {
      expect(Math.abs(exp(x) / Math.exp(x) - 1)).toBeLessThan(1e-14)
      expect(Math.abs(log(Math.exp(x)) - x)).toBeLessThan(1e-13)
    }
  })

  it('knows the quantiles of the normal distribution', () => {
    const quantiles = normalQuantiles(1000)
    expect(quantiles[500]).toBeCloseTo(0, 6)
    expect(quantiles[975]).toBeCloseTo(1.959964, 2)
    expect(quantiles[10]).toBeCloseTo(-2.326348, 2)
  })
})

describe('Random', () => {
  it('gives the same numbers for the same seed and others for another, above 2^32 too', () => {
    expect(take(new Random(7), 50)).toEqual(take(new Random(7), 50))
    const streams = [7, 8, 2 ** 32 + 7, 2 ** 33 + 7].map((seed) => take(new Random(seed), 8).join())
    expect(new Set(streams).size).toBe(4)
  })

  it('forks by label alone: what was drawn before changes nothing', () => {
    const drawn = new Random(3)
    take(drawn, 1000)
    drawn.fork('faults').uint32()
    expect(take(drawn.fork('latency'), 20)).toEqual(take(new Random(3).fork('latency'), 20))
  })

  it('forks streams that have nothing in common with each other or with their parent', () => {
    const root = new Random(1)
    const streams = [root.fork('a'), root.fork('b'), root.fork('a').fork('a'), root].map((r) => take(r, 500))
    expect(new Set(streams.flat()).size).toBe(2000)
  })

  it('is uniform over the bits and over int(n)', () => {
    const random = new Random(11)
    const bits = new Array<number>(32).fill(0)
    const faces = new Array<number>(6).fill(0)
    for (let i = 0; i < 60_000; i++) {
      const word = random.uint32()
      for (let bit = 0; bit < 32; bit++) bits[bit]! += (word >>> bit) & 1
      faces[random.int(6)]!++
    }
    for (const ones of bits) expect(Math.abs(ones - 30_000)).toBeLessThan(600)
    for (const hits of faces) expect(Math.abs(hits - 10_000)).toBeLessThan(450)
  })

  it('draws exponential, normal and lognormal numbers of the right shape', () => {
    const random = new Random(5)
    const draws = (draw: () => number): number[] => Array.from({ length: 40_000 }, draw)
    const mean = draws(() => random.exponential(30)).reduce((sum, x) => sum + x) / 40_000
    expect(Math.abs(mean - 30)).toBeLessThan(0.6)
    const lognormal = draws(() => random.lognormal(0.8, 0.5))
    expect(quantile(lognormal, 0.5)).toBeCloseTo(0.8, 1)
    expect(quantile(lognormal, 0.975)).toBeCloseTo(0.8 * Math.exp(0.5 * 1.96), 0)
    const latency = new Lognormal(0.8, 0.5)
    const table = draws(() => latency.draw(random))
    expect(Math.abs(quantile(table, 0.5) - quantile(lognormal, 0.5))).toBeLessThan(0.02)
    expect(new Set(table).size).toBeGreaterThan(39_000)
    expect(Math.abs(quantile(table, 0.99) - quantile(lognormal, 0.99))).toBeLessThan(0.15)
  })

  it('samples without repetition', () => {
    const sample = new Random(2).sample([1, 2, 3, 4, 5, 6], 4)
    expect(new Set(sample).size).toBe(4)
    expect(new Random(2).sample([1, 2], 9).sort()).toEqual([1, 2])
  })

  it('fills every byte', () => {
    const seen = new Uint8Array(7)
    const random = new Random(9)
    for (let i = 0; i < 20; i++) {
      const bytes = new Uint8Array(7)
      random.fill(bytes)
      bytes.forEach((byte, at) => {
        seen[at]! |= byte
      })
    }
    expect([...seen]).toEqual(new Array(7).fill(255))
  })
})
