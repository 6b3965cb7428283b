import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LatencyFilter } from '../../src/topology/latency-filter.ts'
import { RecentMap } from '../../src/topology/recent-map.ts'

describe('the filter of round trips', () => {
  it('gives the median of the last three of a peer', () => {
    const filter = new LatencyFilter(10)
    expect([5, 900, 6, 7, 1000, 8].map((ms) => filter.add('a', ms))).toEqual([5, 5, 6, 7, 7, 8])
  })

  it('keeps peers apart and forgets when told', () => {
    const filter = new LatencyFilter(10)
    filter.add('a', 1)
    filter.add('a', 1)
    expect(filter.add('b', 9)).toBe(9)
    expect(filter.add('a', 9)).toBe(1)
    filter.forget('a')
    expect(filter.add('a', 9)).toBe(9)
  })

  it('always gives a round trip that was measured', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 10_000, noNaN: true }), { minLength: 1 }), (measured) => {
        const filter = new LatencyFilter(1)
        for (const ms of measured) expect(measured).toContain(filter.add('a', ms))
      }),
    )
  })
})

describe('the map of the most recent', () => {
  it('never holds more than its bound, and lets the one go that was set longest ago', () => {
    const operations = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.boolean()), {
      maxLength: 50,
    })
    fc.assert(
      fc.property(operations, (operations) => {
        const map = new RecentMap<number>(3)
        let model: [string, number][] = []
        operations.forEach(([key, set], i) => {
          model = model.filter(([known]) => known !== key)
          if (set) {
            map.set(key, i)
            model = [...model, [key, i] as [string, number]].slice(-3)
          } else {
            map.delete(key)
          }
          expect(map.size).toBe(model.length)
          for (const [known, value] of model) expect(map.get(known)).toBe(value)
        })
      }),
    )
  })
})
