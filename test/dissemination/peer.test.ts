import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sample } from '../../src/dissemination/peer.ts'
import { randomNumbers } from './test-clock.ts'

describe('a sample', () => {
  it('has distinct elements, only accepted ones, and as many as wanted while there are so many', () => {
    const world = fc.record({
      size: fc.nat({ max: 60 }),
      count: fc.integer({ min: -1, max: 70 }),
      refused: fc.uniqueArray(fc.nat({ max: 60 })),
      seed: fc.nat(),
    })
    fc.assert(
      fc.property(world, ({ size, count, refused, seed }) => {
        const elements = Array.from({ length: size }, (_, i) => i)
        const accept = (element: number): boolean => !refused.includes(element)
        const chosen = sample(elements, count, randomNumbers(seed), accept)
        expect(new Set(chosen).size).toBe(chosen.length)
        expect(chosen.every((element) => element < size && accept(element))).toBe(true)
        expect(chosen.length).toBe(Math.max(0, Math.min(count, elements.filter(accept).length)))
      }),
    )
  })

  /** How often each of ten elements was chosen, and how often it came first, in multiples of what is fair. */
  function shares(
    count: number,
    accept: (element: number) => boolean,
  ): { chosen: number[]; first: number[] } {
    const elements = Array.from({ length: 10 }, (_, i) => i)
    const accepted = elements.filter(accept)
    const random = randomNumbers(7)
    const rounds = 20_000
    const chosen = new Array<number>(10).fill(0)
    const first = new Array<number>(10).fill(0)
    for (let i = 0; i < rounds; i++) {
      const drawn = sample(elements, count, random, accept)
      for (const element of drawn) chosen[element]!++
      first[drawn[0]!]!++
    }
    const fair = Math.min(1, count / accepted.length) * rounds
    return {
      chosen: accepted.map((element) => chosen[element]! / fair),
      first: accepted.map((element) => (first[element]! * accepted.length) / rounds),
    }
  }

  it.each([
    ['all are accepted', 3, () => true],
    ['many neighbours are refused', 1, (element: number) => element === 0 || element > 7],
    ['all but a few are refused, and two of them wanted', 2, (element: number) => element % 4 === 0],
    ['all are wanted', 10, () => true],
  ])('prefers nobody, neither to be chosen nor to come first, when %s', (_, count, accept) => {
    const { chosen, first } = shares(count, accept)
    for (const share of [...chosen, ...first]) expect(Math.abs(share - 1)).toBeLessThan(0.1)
  })

  it('of all comes in random order', () => {
    const random = randomNumbers(1)
    const orders = new Set(Array.from({ length: 500 }, () => sample([1, 2, 3, 4], 4, random).join()))
    expect(orders.size).toBe(24)
  })
})
