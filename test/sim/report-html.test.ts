import { beforeAll, describe, expect, it } from 'vitest'
import { Observer, VIEW } from '../../sim/observer.ts'
import { COLUMNS, Recorder, type Recording } from '../../sim/recorder.ts'
import { reportHtml } from '../../sim/report-html.ts'
import type { Report } from '../../sim/report-json.ts'
import { type Outcome, runScenario } from '../../sim/run.ts'
import type { Context } from '../../sim/scenario.ts'
import { SCENARIOS } from '../../sim/scenarios/index.ts'
import { Simulation } from '../../sim/simulation.ts'

interface Told {
  readonly outcome: Outcome
  readonly recording: Recording
  readonly html: string
}

async function tell(name: string, nodes: number, set: Record<string, number> = {}): Promise<Told> {
  const scenario = SCENARIOS.find((candidate) => candidate.name === name)!
  let recorder: Recorder | undefined
  const outcome = await runScenario({
    scenario,
    nodes,
    seed: 5,
    set,
    minutes: 0.2,
    begun(context) {
      recorder = new Recorder(context)
    },
  })
  const recording = recorder!.recording()
  const report: Report = { ...outcome, wallMs: 10, speedup: 100, peakRssMb: 50, steps: [] }
  return { outcome, recording, html: reportHtml(report, recording, { docs: 'a <story>', command: 'again' }) }
}

/** What the page's script would read. */
function dataOf(html: string): Record<string, unknown> & {
  readonly strips: readonly { readonly name: string; readonly runs: readonly number[] }[]
  readonly recording: Readonly<Record<string, readonly number[]>>
  readonly detection: Readonly<Record<'first' | 'each' | 'everyone', readonly [number, number][]>>
  readonly verdicts: readonly [ms: number, observer: number, subject: number, view: string][]
  readonly names: readonly string[]
} {
  return JSON.parse(/<script type="application\/json" id="data">(.*?)<\/script>/s.exec(html)![1]!)
}

describe('the page of a run', () => {
  let crash: Told
  beforeAll(async () => {
    crash = await tell('crash', 8, { kill: 2 })
  })

  it('needs nothing that is not in it', () => {
    expect(crash.html).not.toMatch(/https?:/i)
    expect(crash.html).not.toMatch(/\b(src|href|srcset)\s*=\s*["']|@import|url\(|\bimport\s*\(|\bfetch\s*\(/)
    expect(crash.html).toContain("default-src 'none'")
    expect(crash.html).toContain('var uPlot=')
    expect(crash.html).toMatch(/uPlot\nThe MIT License/)
  })

  it('holds its data as inert JSON, whatever a text contains', () => {
    const data = dataOf(crash.html)
    expect(data).toMatchObject({
      docs: 'a <story>',
      command: 'again',
      report: { scenario: 'crash', nodes: 8 },
    })
    expect(crash.html).not.toContain('a <story>')
  })

  it('shows all series over the same times, from the beginning to the end', () => {
    const { atMs, ...series } = dataOf(crash.html).recording
    expect(Object.keys(series)).toEqual(['live', 'agreement', 'packets', 'bytes', 'streamBytes', 'busiest'])
    for (const values of Object.values(series)) expect(values).toHaveLength(atMs!.length)
    expect([...atMs!].sort((a, b) => a - b)).toEqual(atMs)
    expect(atMs!.at(-1)).toBeCloseTo(crash.outcome.virtualMs, 2)
    expect(series.live!.at(-1)).toBe(6)
    expect(series.agreement!.at(-1)).toBe(1)
    expect(Math.min(...series.agreement!.slice(-200))).toBeLessThan(1)
  })

  it('shows when each survivor noticed each crash', () => {
    const { first, each, everyone } = dataOf(crash.html).detection
    const times = (list: readonly [number, number][]): number =>
      list.reduce((sum, [, count]) => sum + count, 0)
    expect([times(first), times(everyone), times(each)]).toEqual([2, 2, 7 + 6])
    expect(first[0]![0]).toBe(crash.outcome.detection.firstMs!.p50)
    expect(everyone.at(-1)![0]).toBe(crash.outcome.detection.everyoneMs!.max)
  })

  it('shows who saw whom as what: the dead failed at every survivor, the living alive', () => {
    const { strips, names, verdicts, recording } = dataOf(crash.html)
    expect(strips).toHaveLength(8)
    let dead = 0
    for (const { name, runs } of strips) {
      let samples = 0
      for (let i = 0; i < runs.length; i += 5) samples += runs[i]!
      expect(samples).toBe(recording.atMs!.length)
      const [alive, , failed] = runs.slice(-4)
      const failedBy = new Set(
        verdicts.filter(([, , of, view]) => names[of] === name && view === 'failed').map(([, by]) => by),
      )
      if (alive === 0) {
        dead++
        expect(failed).toBe(6)
        expect(failedBy.size).toBeGreaterThanOrEqual(6)
      } else {
        expect([alive, failed, failedBy.size]).toEqual([5, 0, 0])
      }
    }
    expect(dead).toBe(2)
  })

  it.each(SCENARIOS.map(({ name }) => name))('can be made of %s', async (name) => {
    const { parameters } = SCENARIOS.find((scenario) => scenario.name === name)!
    const { html, outcome } = await tell(name, 5, 'entries' in parameters ? { entries: 50 } : {})
    expect(dataOf(html).report).toMatchObject({ scenario: name, traceHash: outcome.traceHash })
    for (const values of Object.values(dataOf(html).recording)) {
      expect(values.every((value) => Number.isFinite(value))).toBe(true)
    }
  })
})

describe('Recorder', () => {
  const story = {
    scenario: SCENARIOS.find(({ name }) => name === 'crash')!,
    nodes: 6,
    seed: 9,
    set: { kill: 1 },
  }

  it('changes nothing: a run that is recorded has the same trace', async () => {
    const unseen = await runScenario(story)
    const recorded = await runScenario({ ...story, begun: (context) => void new Recorder(context) })
    expect(recorded).toEqual(unseen)
  })

  it('keeps as many samples of a run of hours as of one of minutes', async () => {
    let recorder: Recorder | undefined
    const begun = (context: ConstructorParameters<typeof Recorder>[0]): void => {
      recorder = new Recorder(context)
    }
    const { virtualMs } = await runScenario({ ...story, nodes: 4, minutes: 61, begun })
    const { atMs } = recorder!.recording()
    expect(virtualMs).toBeGreaterThan(3_600_000)
    expect(atMs.length).toBeGreaterThan(200)
    expect(atMs.length).toBeLessThanOrEqual(513)
  })

  it('shows a suspicion that came and went between two samples, however coarse they become', () => {
    const sim = new Simulation()
    const observer = new Observer(sim, 2)
    for (const name of ['a', 'b']) sim.world.host(name)
    const recorder = new Recorder({ sim, observer, nodes: 2, measured: {} } as unknown as Context)
    const listener = observer.listeners[0]!
    listener.onView(0, 1, VIEW.unknown, VIEW.alive)
    for (let ms = 10; ms <= 600_000; ms += 10) {
      sim.world.now = ms
      sim.world.onLook!()
      if (ms !== 70_020) continue
      listener.onView(0, 1, VIEW.alive, VIEW.suspect)
      listener.onView(0, 1, VIEW.suspect, VIEW.alive)
    }
    const { views, verdicts } = recorder.recording()
    const suspecting = views.map((sample) => sample[COLUMNS.length + 1])
    expect(suspecting.reduce((sum, count) => sum! + count!, 0)).toBe(1)
    expect(views.at(-1)![COLUMNS.length]).toBe(1)
    expect(verdicts.map(({ atMs, view }) => [atMs, view])).toEqual([
      [70_020, VIEW.suspect],
      [70_020, VIEW.alive],
    ])
  })
})
