import { describe, expect, it } from 'vitest'
import { FalseAlarms } from '../../src/membership/false-alarms.ts'

const NOW = -50_000

describe('the false-alarm memory', () => {
  it('counts one for what several had agreed on, two for a verdict, and nothing for a single accuser', () => {
    const alarms = new FalseAlarms()
    alarms.note(1, false, NOW)
    expect(alarms.recent(NOW)).toBe(0)
    alarms.note(2, false, NOW)
    expect(alarms.recent(NOW)).toBe(1)
    alarms.note(1, true, NOW)
    expect(alarms.recent(NOW)).toBe(3)
  })

  it('forgets with a time constant of a minute', () => {
    const alarms = new FalseAlarms()
    alarms.note(2, true, NOW)
    expect(alarms.recent(NOW + 60_000)).toBeCloseTo(2 / Math.E, 2)
    expect(alarms.recent(NOW + 600_000)).toBeLessThan(0.001)
  })
})
