import { beforeEach, describe, expect, it } from 'vitest'
import { ClockWatch } from '../../src/membership/clock-watch.ts'
import { TestClock } from '../dissemination/test-clock.ts'

const TICK_MS = 1_000

let now: number
let wall: number
let watch: ClockWatch

beforeEach(() => {
  now = -5_000
  wall = 1_800_000_000_000
  const runtime = { ...new TestClock().outside(1), now: () => now, wallClock: () => wall }
  watch = new ClockWatch(runtime)
})

function pass(ms: number, wallMs = ms): { stalledMs: number; jumpMs: number } {
  now += ms
  wall += wallMs
  return watch.check(TICK_MS)
}

describe('a process that stood still', () => {
  it('notices it by its timer that came late, however late', () => {
    expect(pass(TICK_MS)).toEqual({ stalledMs: 0, jumpMs: 0 })
    expect(pass(61_000)).toEqual({ stalledMs: 60_000, jumpMs: 0 })
    expect(pass(TICK_MS)).toEqual({ stalledMs: 0, jumpMs: 0 })
    expect(watch.jumps).toBe(0)
  })

  it('notices by the wall clock when the monotonic one stood still, too: forwards and backwards', () => {
    expect(pass(TICK_MS, 3_600_000)).toEqual({ stalledMs: 3_599_000, jumpMs: 3_599_000 })
    expect(pass(TICK_MS)).toEqual({ stalledMs: 0, jumpMs: 0 })
    expect(pass(TICK_MS, -9_000)).toEqual({ stalledMs: 10_000, jumpMs: 10_000 })
    expect(pass(TICK_MS)).toEqual({ stalledMs: 0, jumpMs: 0 })
    expect(watch.jumps).toBe(2)
  })

  it('takes a wall clock that is corrected by up to two seconds, or drifts, for what it is', () => {
    for (const correction of [2_000, -2_000, 1_999]) {
      expect(pass(TICK_MS, TICK_MS + correction)).toEqual({ stalledMs: 0, jumpMs: 0 })
    }
    for (let i = 0; i < 100; i++) pass(TICK_MS, TICK_MS * 1.1)
    expect(watch.jumps).toBe(0)
    pass(TICK_MS, TICK_MS + 2_001)
    expect(watch.jumps).toBe(1)
  })
})
