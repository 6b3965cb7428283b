import { describe, expect, it } from 'vitest'
import { distribution } from '../../sim/measure.ts'
import { reportJson } from '../../sim/report-json.ts'
import { type Outcome, runScenario } from '../../sim/run.ts'
import { SCENARIOS } from '../../sim/scenarios/index.ts'

function run(name: string, nodes: number, set: Record<string, number> = {}, seed = 1): Promise<Outcome> {
  const scenario = SCENARIOS.find((candidate) => candidate.name === name)!
  return runScenario({ scenario, nodes, seed, set })
}

/** Small and short, and nothing may be violated. */
async function well(name: string, nodes: number, set: Record<string, number> = {}): Promise<Outcome> {
  const outcome = await run(name, nodes, set)
  expect(outcome.invariants).toEqual({ checked: 10, violations: [] })
  return outcome
}

describe('all scenarios', () => {
  const minute = { durationMs: 20_000 }
  const cases: [name: string, set: Record<string, number>][] = [
    ['steady', {}],
    ['join-storm', {}],
    ['crash', { kill: 1 }],
    ['mass-failure', {}],
    ['rolling-restart', { restarts: 2 }],
    ['partition-heal', {}],
    ['single-stall', { stalls: 1, spacingMs: 5000 }],
    ['slow-nodes', { ...minute, slow: 2, kill: 1 }],
    ['overload', { ...minute, kill: 1 }],
    ['lossy', { ...minute, kill: 1, entries: 5 }],
    ['one-way-loss', { ...minute, kill: 1 }],
    ['churn', { ...minute, perMinute: 20 }],
    ['entry-burst', { entries: 20 }],
    ['entry-churn', { ...minute, endpoints: 20 }],
    ['late-joiner', { entries: 200 }],
    ['wan', { ...minute, kill: 1, entries: 5 }],
    ['key-rotation', { rotations: 1 }],
  ]

  it('are tested here, each with docs, and each default within its bounds', () => {
    expect(cases.map(([name]) => name)).toEqual(SCENARIOS.map(({ name }) => name))
    for (const { docs, parameters } of SCENARIOS) {
      expect(docs).toMatch(/^[A-Z].*\.$/s)
      for (const { default: value, min, max, docs: about } of Object.values(parameters)) {
        expect(about).not.toBe('')
        expect(value).toBeGreaterThanOrEqual(min)
        expect(value).toBeLessThanOrEqual(max)
      }
    }
  })

  it.each(cases)('%s: gives the same outcome for the same arguments', async (name, set) => {
    const first = await run(name, 5, set)
    expect(await run(name, 5, set)).toEqual(first)
    expect(first.invariants.violations).toEqual([])
  })

  it('give another outcome for another seed', async () => {
    const first = await run('crash', 5, { kill: 1 })
    expect((await run('crash', 5, { kill: 1 }, 2)).traceHash).not.toBe(first.traceHash)
  })
})

describe('scenarios', () => {
  it('measure nothing that they do not show: null', async () => {
    const report = await well('steady', 5)
    expect(report.detection).toMatchObject({ crashes: 0, firstMs: null, everyoneMs: null, pairsMs: null })
    expect([report.impaired, report.trafficAfterCrash]).toEqual([null, null])
    expect(report.convergence).toEqual({ everyoneMs: null })
    expect(report.join.everyoneMs).toBeGreaterThanOrEqual(0)
    expect(report.traffic!.packetsPerNodePerSecond).toBeGreaterThan(0.5)
    expect(report.virtualMs).toBeGreaterThan(60_000)
  })

  it('crash: every crash is detected, first by one and then by all', async () => {
    const { detection } = await well('crash', 12, { kill: 3 })
    expect(detection.crashes).toBe(3)
    expect(detection.firstMs!.max).toBeGreaterThan(0)
    expect(detection.everyoneMs!.max).toBeGreaterThanOrEqual(detection.firstMs!.max)
  })

  it('crash: what is sent in the five seconds after each is more than what is sent in all', async () => {
    const { traffic, trafficAfterCrash } = await well('crash', 12, { kill: 2, spacingMs: 20_000 })
    expect(trafficAfterCrash!.windowMs).toBe(5000)
    expect(trafficAfterCrash!.packetsPerNodePerSecond).toBeGreaterThan(traffic!.packetsPerNodePerSecond)
  })

  it('crash: nodes that come back crash again, even in a cluster of two', async () => {
    const { detection, falsePositives } = await well('crash', 2, { kill: 3, restart: 1 })
    expect(detection.crashes).toBe(3)
    expect(detection.eachEveryoneMs).toHaveLength(3)
    expect(falsePositives!.healthy).toBe(0)
  })

  it('crash: a process that hangs is found, if later than a host that is gone', async () => {
    const hung = (await well('crash', 12, { kill: 1, hung: 1 })).detection
    const gone = (await well('crash', 12, { kill: 1 })).detection
    expect(hung.everyoneMs!.max).toBeGreaterThan(gone.everyoneMs!.max)
  })

  it('crash: one time to each survivor, of which the last is the one to everyone', async () => {
    const { detection } = await well('crash', 12, { kill: 1 })
    expect(detection.pairsMs!.max).toBe(detection.everyoneMs!.max)
    expect(detection.eachEveryoneMs.map(Math.round)).toEqual([Math.round(detection.everyoneMs!.max)])
  })

  it('single-stall: a short one is overlooked; a host that stands still for long goes out of view, and comes back', async () => {
    const short = await well('single-stall', 8, { stalls: 2, stallMs: 500, spacingMs: 5000 })
    expect(short.impaired).toMatchObject({ nodes: 2, declaredFailed: 0, outOfView: 0, changes: 0 })
    const set = { stalls: 1, stallMs: 30_000, spacingMs: 30_000, wholeHost: 1 }
    const { impaired, falsePositives } = await well('single-stall', 8, set)
    expect(impaired).toMatchObject({ nodes: 1, declaredFailed: 1, outOfViewAtEnd: 0, changes: 2 })
    expect(impaired!.outOfView).toBeGreaterThan(0.2)
    expect(impaired!.outOfView).toBeLessThan(0.55)
    expect(falsePositives!.healthy).toBe(0)
  })

  it('join-storm: everyone finds everyone', async () => {
    const { join, traffic } = await well('join-storm', 20)
    expect(join.everyoneMs).toBeGreaterThan(0)
    expect(traffic!.packetsPerNodePerSecond).toBeGreaterThan(0)
  })

  it('mass-failure: all that crash at once are detected by all that are left', async () => {
    const { detection } = await well('mass-failure', 15)
    expect(detection.crashes).toBe(5)
    expect(detection.everyoneMs!.max).toBeGreaterThan(0)
  })

  it('rolling-restart: each node comes back under its name, told or killed, and none of it is a false positive', async () => {
    for (const graceful of [0, 1]) {
      const { convergence, falsePositives } = await well('rolling-restart', 6, { restarts: 3, graceful })
      expect(convergence.everyoneMs!.max).toBeGreaterThan(0)
      expect(falsePositives).toMatchObject({ healthy: 0, anomalous: 0 })
    }
  })

  it('partition-heal: everyone finds everyone again', async () => {
    for (const parts of [2, 3]) {
      const { convergence, falsePositives } = await well('partition-heal', 10, { parts })
      expect(convergence.everyoneMs!.max).toBeGreaterThan(0)
      expect(falsePositives!.healthy).toBe(0)
    }
  })

  it('partition-heal: as many sides as asked for, of equal size if more than two', async () => {
    const scenario = SCENARIOS.find(({ name }) => name === 'partition-heal')!
    for (const [parts, sides] of [
      [2, '5 | 5'],
      [3, '4 | 3 | 3'],
    ] as const) {
      const told: string[] = []
      const progress = (step: string): number => told.push(step)
      await runScenario({ scenario, nodes: 10, seed: 1, set: { parts, cutMs: 1000 }, progress })
      expect(told).toContain(`partition ${sides}`)
    }
  })

  it('slow-nodes and one-way-loss: crashes are detected meanwhile, and bad nodes count as anomalous', async () => {
    const set = { slow: 2, kill: 2, durationMs: 60_000, blockedMs: 20_000, wholeHost: 1 }
    const slow = await well('slow-nodes', 12, set)
    const lossy = await well('one-way-loss', 12, { kill: 2, durationMs: 60_000 })
    for (const { detection, falsePositives, impaired } of [slow, lossy]) {
      expect(detection.crashes).toBe(2)
      expect(detection.everyoneMs!.max).toBeGreaterThan(0)
      expect(falsePositives).toMatchObject({ healthy: 0 })
      expect(impaired!.outOfView).toBeGreaterThan(0)
      expect(falsePositives!.anomalous).toBeGreaterThan(0)
      expect(falsePositives!.episodes).toBeLessThanOrEqual(falsePositives!.anomalous)
    }
  })

  it('overload and lossy: crashes are detected in the very runs that count false alarms', async () => {
    const overload = await well('overload', 12, { kill: 3, durationMs: 40_000 })
    const lossy = await well('lossy', 12, { kill: 3, durationMs: 40_000, entries: 10, loss: 0.2 })
    for (const { detection } of [overload, lossy]) expect(detection.everyoneMs).not.toBeNull()
    expect(lossy.convergence.everyoneMs!.max).toBeGreaterThan(0)
  })

  it('churn: who comes back under his name is no false positive', async () => {
    const { detection, falsePositives } = await well('churn', 12, { durationMs: 60_000 })
    expect(detection.crashes).toBeGreaterThan(5)
    expect(falsePositives).toMatchObject({ healthy: 0, anomalous: 0 })
  })

  it('entry-burst: every entry is at every node that joined, and at no other', async () => {
    const set = { entries: 50, writers: 3, outsiders: 0.3 }
    expect((await well('entry-burst', 10, set)).convergence.everyoneMs!.max).toBeGreaterThan(0)
  })

  it('entry-churn: everyone knows where each IP is, however it was handed on', async () => {
    const { convergence } = await well('entry-churn', 10, { endpoints: 30, reuse: 0.5, durationMs: 20_000 })
    expect(convergence.everyoneMs!.max).toBeGreaterThan(0)
  })

  it('late-joiner: one who comes late gets everything', async () => {
    const { convergence } = await well('late-joiner', 6, { entries: 3000 })
    expect(convergence.everyoneMs!.max).toBeGreaterThan(0)
  })

  it('wan: long links show in how long entries take', async () => {
    const { convergence } = await well('wan', 9, { kill: 1, entries: 10, durationMs: 60_000 })
    expect(convergence.everyoneMs!.p50).toBeGreaterThan(45)
  })

  it('key-rotation: under load no packet is lost, nobody is suspected, and entries come as ever', async () => {
    const { convergence, rotation } = await well('key-rotation', 16, { rotations: 1, entriesPerSecond: 50 })
    expect(rotation).toMatchObject({ dropped: 0, probesFailed: 0, suspected: 0 })
    expect(rotation!.entriesMs!.max).toBeLessThan(5_000)
    expect(convergence.everyoneMs!.max).toBeLessThan(3_000)
    expect(rotation!.streamsPerNode).toBeLessThan(12)
  })

  it.each<[string, Record<string, number>]>([
    ['a tenth of the packets is lost', { loss: 0.1 }],
    ['three are begun at once', { atOnce: 3 }],
    ['members are stalled, cut off and restarted meanwhile', { stalled: 1, cut: 2, restarted: 1 }],
    ['all of that comes together', { loss: 0.1, atOnce: 3, stalled: 1, cut: 2, restarted: 1 }],
  ])('key-rotation: no packet is dropped for its key where %s', async (_where, set) => {
    const { convergence, rotation } = await well('key-rotation', 10, { rotations: 1, spacingMs: 0, ...set })
    expect(rotation!.dropped).toBe(0)
    expect(convergence.everyoneMs!.max).toBeGreaterThan(0)
  })

  it('run sealed, over a lossy edge, with every kind of disorder at once', async () => {
    const disorder = { loss: 0.02, duplication: 0.02, reordering: 0.05, corruption: 0.01, streamBreaks: 0.05 }
    const set = { sealed: 1, topology: 2, clockSkewMs: 5000, entries: 30, ...disorder }
    const first = await well('entry-burst', 8, set)
    expect(await run('entry-burst', 8, set)).toEqual(first)
    expect(first.traceHash).not.toBe((await run('entry-burst', 8, { ...set, sealed: 0 })).traceHash)
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
