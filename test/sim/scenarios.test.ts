import { describe, expect, it } from 'vitest'
import { distribution } from '../../sim/measure.ts'
import { reportJson } from '../../sim/report-json.ts'
import { type Outcome, runScenario } from '../../sim/run.ts'
import { SCENARIOS } from '../../sim/scenarios/index.ts'

function run(name: string, nodes: number, set: Record<string, number> = {}, seed = 1): Promise<Outcome> {
  const scenario = SCENARIOS.find((candidate) => candidate.name === name)!
  return runScenario({ scenario, nodes, seed, set })
}

describe('scenarios', () => {
  it('give the same outcome for the same arguments, another for another seed', async () => {
    const set = { kill: 2, loss: 0.01 }
    const first = await run('crash', 8, set)
    expect(await run('crash', 8, set)).toEqual(first)
    expect((await run('crash', 8, set, 2)).traceHash).not.toBe(first.traceHash)
  })

  it('measure nothing that they do not show: null', async () => {
    const report = await run('steady', 5)
    expect(report.detection).toEqual({ crashes: 0, firstMs: null, everyoneMs: null })
    expect(report.convergence).toEqual({ everyoneMs: null })
    expect(report.join.everyoneMs).toBeGreaterThanOrEqual(0)
    expect(report.traffic!.packetsPerNodePerSecond).toBeGreaterThan(0.5)
    expect(report.virtualMs).toBeGreaterThan(60_000)
    expect(report.invariants.violations).toEqual([])
  })

  it('crash: every crash is detected, first by one and then by all', async () => {
    const { detection, invariants } = await run('crash', 12, { kill: 3 })
    expect(detection.crashes).toBe(3)
    expect(detection.firstMs!.max).toBeGreaterThan(0)
    expect(detection.everyoneMs!.max).toBeGreaterThanOrEqual(detection.firstMs!.max)
    expect(invariants.violations).toEqual([])
  })

  it('join-storm: everyone finds everyone', async () => {
    const { join, traffic, invariants } = await run('join-storm', 20)
    expect(join.everyoneMs).toBeGreaterThan(0)
    expect(traffic!.packetsPerNodePerSecond).toBeGreaterThan(0)
    expect(invariants.violations).toEqual([])
  })

  it('partition-heal: everyone finds everyone again', async () => {
    const { convergence, invariants } = await run('partition-heal', 10)
    expect(convergence.everyoneMs!.max).toBeGreaterThan(0)
    expect(invariants.violations).toEqual([])
  })

  it('entry-burst: every entry is everywhere', async () => {
    const { convergence, invariants } = await run('entry-burst', 10, { entries: 50, writers: 3 })
    expect(convergence.everyoneMs!.max).toBeGreaterThan(0)
    expect(invariants.violations).toEqual([])
  })

  it('say what was violated: here, in a network that carries nothing', async () => {
    const { join, invariants } = await run('steady', 3, { loss: 1 })
    expect(join.everyoneMs).toBeNull()
    expect(invariants.violations.join()).toContain('not everyone knew everyone')
    expect(invariants.violations.join()).toContain('a live, reachable member is not failed')
  })
})

describe('reports', () => {
  it('show nearest-rank percentiles, and nothing of nothing', () => {
    const times = Array.from({ length: 200 }, (_, i) => 200 - i)
    expect(distribution(times)).toEqual({ p50: 100, p99: 198, max: 200 })
    expect(distribution([5])).toEqual({ p50: 5, p99: 5, max: 5 })
    expect(distribution([])).toBeNull()
  })

  it('are rounded to three decimals', async () => {
    const outcome = await run('steady', 3)
    const text = reportJson({ ...outcome, wallMs: 1.23456, speedup: 1, peakRssMb: 1, steps: [] })
    expect(JSON.parse(text).wallMs).toBe(1.235)
    expect(text).not.toMatch(/\d\.\d{4}/)
  })
})
