import { expect, it } from 'vitest'
import { Offers } from '../../src/dissemination/offers.ts'
import { TestClock } from './test-clock.ts'

function setUp(): { clock: TestClock; offers: Offers; told: { atMs: number; domain: string }[] } {
  const clock = new TestClock()
  const start = clock.now
  const told: { atMs: number; domain: string }[] = []
  const offers = new Offers(clock.runtime(1), (domain) => told.push({ atMs: clock.now - start, domain }))
  return { clock, offers, told }
}

it('an offer is told in four rounds, the first one soon, and is over then', () => {
  const { clock, offers, told } = setUp()
  offers.begin('x')
  expect(told).toEqual([])
  expect(offers.has('x')).toBe(true)
  clock.run(10_000)
  expect(told.map(({ atMs }) => atMs)).toEqual([10, 40, 100, 250])
  expect(offers.has('x')).toBe(false)
  expect(clock.waiting).toBe(0)
})

it('more news begin it anew, but never put its first round off', () => {
  const { clock, offers, told } = setUp()
  for (let i = 0; i < 15; i++) {
    offers.begin('x')
    clock.run(1)
  }
  expect(told.map(({ atMs }) => atMs)).toEqual([10])
  clock.run(10_000)
  // The last of those news came at 14 ms.
  expect(told.map(({ atMs }) => atMs)).toEqual([10, 20, 50, 110, 260])
})

it('offers of several domains do not disturb each other', () => {
  const { clock, offers, told } = setUp()
  offers.begin('x')
  clock.run(5)
  offers.begin('y')
  clock.run(10_000)
  for (const domain of ['x', 'y']) expect(told.filter((round) => round.domain === domain)).toHaveLength(4)
})

it('however often there are more news, rounds are told sixteen at once and four a second', () => {
  const { clock, offers, told } = setUp()
  const seconds = 20
  for (let i = 0; i < seconds * 100; i++) {
    offers.begin(`domain ${i % 3}`)
    clock.run(10)
  }
  expect(told.length).toBeLessThanOrEqual(16 + seconds * 4)
  expect(told.length).toBeGreaterThanOrEqual(seconds * 4)
})

it('beyond that none is under way, so that nothing waits for it', () => {
  const { clock, offers, told } = setUp()
  for (let i = 0; told.length < 16; i++) {
    offers.begin(`domain ${i}`)
    clock.run(10)
  }
  offers.stop()
  offers.begin('x')
  expect(offers.has('x')).toBe(false)
  const before = told.length
  clock.run(1_000)
  expect(told).toHaveLength(before)
  offers.begin('x')
  expect(offers.has('x')).toBe(true)
})

it('what is forgotten is not told any more, and after a stop nothing is', () => {
  const { clock, offers, told } = setUp()
  for (const domain of ['x', 'y']) offers.begin(domain)
  offers.forget('x')
  clock.run(20)
  expect(told.map(({ domain }) => domain)).toEqual(['y'])
  offers.stop()
  clock.run(10_000)
  expect(told).toHaveLength(1)
  expect(clock.waiting).toBe(0)
})
