import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LocalHealth } from '../../src/membership/local-health.ts'

const START = -10_000

describe('local health', () => {
  it('of a node whose timers are in time changes nothing', () => {
    const health = new LocalHealth()
    for (let now = START; now < START + 60_000; now += 1_000) health.noteLateness(50, now)
    expect(health.factor(START + 60_000)).toBe(1)
  })

  it('gives others more time by what this node stood still, up to twice', () => {
    const late = (ms: number): number => {
      const health = new LocalHealth()
      health.noteLateness(ms, START)
      return health.factor(START)
    }
    expect([500, 1_000, 2_000, 60_000].map(late)).toEqual([1.25, 1.5, 2, 2])
  })

  it('forgets with a time constant of ten seconds', () => {
    const health = new LocalHealth()
    health.noteLateness(1_000, START)
    const left = health.stallMs(START + 10_000)
    expect(Math.abs(left - 1_000 / Math.E)).toBeLessThan(5)
    expect(health.factor(START + 120_000)).toBeCloseTo(1, 3)
  })

  it('adds up what comes in a row', () => {
    const health = new LocalHealth()
    health.noteLateness(500, START)
    health.noteLateness(500, START + 500)
    expect(health.stallMs(START + 500)).toBeGreaterThan(950)
    expect(health.stalledMs).toBe(1_000)
  })

  it('counts a stall once, however many timers saw it, and by the one that was due first', () => {
    const health = new LocalHealth()
    health.noteLateness(500, START)
    health.noteLateness(400, START)
    health.noteLateness(450, START + 40)
    expect(health.stalledMs).toBe(540)
    expect(health.factor(START + 40)).toBeLessThan(1.3)
  })

  it('never makes a node less patient, nor more than twice as much', () => {
    const lateness = fc.array(fc.tuple(fc.nat({ max: 5_000 }), fc.nat({ max: 5_000 })))
    fc.assert(
      fc.property(lateness, (list) => {
        const health = new LocalHealth()
        let now = START
        for (const [gap, late] of list) {
          now += gap
          const before = health.factor(now)
          health.noteLateness(late, now)
          expect(health.factor(now)).toBeGreaterThanOrEqual(before)
          expect(health.factor(now)).toBeLessThanOrEqual(2)
        }
      }),
    )
  })
})
