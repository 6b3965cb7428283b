import { beforeEach, describe, expect, it } from 'vitest'
import { JudgingTimers } from '../../src/membership/judging-timers.ts'
import { LocalHealth } from '../../src/membership/local-health.ts'
import type { Runtime } from '../../src/runtime/runtime.ts'
import { TestClock } from '../dissemination/test-clock.ts'

let clock: TestClock
let runtime: Runtime
let health: LocalHealth
let timers: JudgingTimers
let judgedAt: number[]
let start: number
/** The process stands still until then: what is due waits. */
let stillUntil: number

beforeEach(() => {
  clock = new TestClock()
  start = clock.now
  stillUntil = start
  judgedAt = []
  health = new LocalHealth()
  const outside = clock.outside(1)
  runtime = {
    ...outside,
    setTimer: (delayMs, callback) => {
      const due = (): void => {
        if (clock.now < stillUntil) clock.schedule(stillUntil - clock.now, due)
        else callback()
      }
      return clock.schedule(delayMs, due)
    },
  }
  timers = new JudgingTimers(runtime, health)
})

function judge(): void {
  judgedAt.push(clock.now - start)
}

function standStill(fromMs: number, forMs: number): void {
  clock.schedule(fromMs, () => {
    stillUntil = clock.now + forMs
  })
}

describe('a judging timer', () => {
  it('judges when its time is up', () => {
    timers.set(500, { leftMs: 1_000 }, judge)
    clock.run(5_000)
    expect(judgedAt).toEqual([500])
  })

  it('waits longer by what the process stood still when it was due', () => {
    timers.set(500, { leftMs: 1_000 }, judge)
    standStill(400, 300)
    clock.run(5_000)
    expect(judgedAt).toEqual([900])
  })

  it('waits longer by a stall that other timers saw while it ran', () => {
    timers.set(1_000, { leftMs: 1_000 }, judge)
    timers.set(450, { leftMs: 0 }, () => {})
    standStill(400, 300)
    clock.run(5_000)
    expect(judgedAt).toEqual([1_250])
  })

  it('is not impressed by stalls before its time, nor by the grain of the platform', () => {
    health.noteLateness(400, clock.now)
    timers.set(500, { leftMs: 1_000 }, judge)
    standStill(480, 60)
    clock.run(5_000)
    expect(judgedAt).toEqual([540])
  })

  it('never waits longer than its grace, however often the process stands still: it is not blind on a busy host', () => {
    const grace = { leftMs: 1_000 }
    timers.set(500, grace, judge)
    for (let at = 100; at < 60_000; at += 1_000) standStill(at, 900)
    clock.run(60_000)
    expect(grace.leftMs).toBe(0)
    expect(judgedAt).toHaveLength(1)
    // Its time, its grace, and the stalls at whose ends each of them was noticed.
    expect(judgedAt[0]).toBeLessThanOrEqual(500 + 1_000 + 3 * 900)
  })

  it('spends one grace over the stages of one thing', () => {
    const grace = { leftMs: 100 }
    timers.set(500, grace, () => timers.set(500, grace, judge))
    standStill(400, 300)
    standStill(1_200, 300)
    clock.run(5_000)
    // The first stage ends at 700 + 100, the second at 1300, which a stall holds up until 1500.
    expect(judgedAt).toEqual([1_500])
  })

  it('lets everything that had arrived be read before', () => {
    const order: string[] = []
    const drained: (() => void)[] = []
    timers = new JudgingTimers(
      { ...runtime, afterPendingIo: (callback) => void drained.push(callback) },
      health,
    )
    timers.set(500, { leftMs: 0 }, () => order.push('judged'))
    clock.run(500)
    expect(order).toEqual([])
    order.push('read')
    for (const callback of drained) callback()
    expect(order).toEqual(['read', 'judged'])
  })

  it('that is cancelled does not judge, not even when its time was up', () => {
    timers.set(500, { leftMs: 0 }, judge).cancel()
    const drained: (() => void)[] = []
    timers = new JudgingTimers(
      { ...runtime, afterPendingIo: (callback) => void drained.push(callback) },
      health,
    )
    const second = timers.set(500, { leftMs: 0 }, judge)
    clock.run(500)
    second.cancel()
    for (const callback of drained) callback()
    expect(drained).toHaveLength(1)
    expect(judgedAt).toEqual([])
  })
})
