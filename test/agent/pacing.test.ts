import { describe, expect, it } from 'vitest'
import { nodeClock } from '../../src/agent/node-clock.ts'
import { backoffMs, drawChance, lessUpToAQuarter, Ration } from '../../src/agent/pacing.ts'

describe('a ration', () => {
  it('lets something take its share of the time, and no more', () => {
    const ration = new Ration(1 / 5, 1_000)
    expect(ration.freeAt).toBeLessThan(-1e9)
    ration.spent(100, 120)
    expect({ freeAt: ration.freeAt, lastMs: ration.lastMs }).toEqual({ freeAt: 200, lastMs: 20 })
  })

  it('never makes it rest for longer than its limit, however long it took', () => {
    const ration = new Ration(1 / 5, 1_000)
    ration.spent(0, 60_000)
    expect(ration.freeAt).toBe(61_000)
  })
})

describe('the pause after failures', () => {
  it('doubles up to its maximum, less up to a quarter', () => {
    const options = { minMs: 100, maxMs: 5_000 }
    const pauses = [1, 2, 3, 6, 7, 2_000].map((failures) => backoffMs(options, failures, 0))
    expect(pauses).toEqual([100, 200, 400, 3_200, 5_000, 5_000])
    expect(backoffMs(options, 1, 0.999_999)).toBeCloseTo(75)
    expect(lessUpToAQuarter(1_000, 0.5)).toBe(875)
  })

  it('is shortened by a chance below 1', () => {
    expect(drawChance({ ...nodeClock, randomUint32: () => 2 ** 32 - 1 })).toBeLessThan(1)
    expect(drawChance({ ...nodeClock, randomUint32: () => 0 })).toBe(0)
  })
})

describe('the clock of this process', () => {
  it('takes a delay beyond what timers can as a long one, not as none', async () => {
    let fired = false
    const timer = nodeClock.setTimer(1e12, () => {
      fired = true
    })
    await new Promise<void>((resolve) => nodeClock.setTimer(10, resolve))
    timer.cancel()
    expect(fired).toBe(false)
  })
})
