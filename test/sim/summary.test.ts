import { describe, expect, it } from 'vitest'
import type { Report } from '../../sim/report-json.ts'
import { summary } from '../../sim/summary.ts'

const NO_CRASH: Report['detection'] = {
  crashes: 0,
  firstMs: null,
  everyoneMs: null,
  pairsMs: null,
  eachFirstMs: [],
  eachEveryoneMs: [],
}

const NOTHING: Report = {
  scenario: 'steady',
  nodes: 3,
  seed: 1,
  parameters: {},
  virtualMs: 60_000,
  wallMs: 2_000,
  speedup: 30,
  peakRssMb: 80.4,
  steps: [],
  events: 1_234_567,
  traceHash: '0123456789abcdef',
  traffic: null,
  trafficAfterCrash: null,
  join: { everyoneMs: null },
  detection: NO_CRASH,
  falsePositives: null,
  impaired: null,
  rotation: null,
  convergence: { everyoneMs: null },
  warnings: {},
  invariants: { checked: 5, violations: [] },
}

describe('the summary of a run', () => {
  it('says "-" for whatever was not measured', () => {
    const lines = summary(NOTHING).split('\n')
    for (const label of [
      'traffic',
      'first survivor',
      'last survivor',
      'convergence',
      'join',
      'false positives',
    ]) {
      expect(lines.find((line) => line.startsWith(label))).toMatch(/ -$/)
    }
    expect(lines).toContain('trace            0123456789abcdef, 1,234,567 events')
    expect(lines).toContain('time             60.0 virtual s in 2.0 s, 30.0x')
  })

  it('lines the times up under their headings', () => {
    const text = summary({
      ...NOTHING,
      join: { everyoneMs: 217.4 },
      detection: {
        ...NO_CRASH,
        crashes: 4,
        firstMs: { p50: 2215.4, p99: 2746, max: 2746 },
        everyoneMs: { p50: 12_238, p99: 12_768, max: 12_768 },
      },
    })
    const lines = text.split('\n')
    const rows = ['p50', 'first survivor', 'last survivor', 'join'].map(
      (start) => lines.find((line) => line.trimStart().startsWith(start))!,
    )
    expect(rows[0]).toBe('                         p50        p99        max')
    expect(rows[1]).toBe('first survivor      2,215 ms   2,746 ms   2,746 ms')
    expect(rows[2]).toBe('last survivor      12,238 ms  12,768 ms  12,768 ms')
    expect(rows[3]).toBe('join                                        217 ms')
  })

  it('names the warnings, when there were any', () => {
    expect(summary(NOTHING)).not.toContain('warnings')
    expect(summary({ ...NOTHING, warnings: { WARN_NOT_SYNCED: 2 } })).toContain(
      'warnings         2 WARN_NOT_SYNCED',
    )
  })
})
