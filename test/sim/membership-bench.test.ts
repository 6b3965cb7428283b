import { describe, expect, it } from 'vitest'
import type { Report } from '../../sim/report-json.ts'
import { resolveParameters } from '../../sim/scenario.ts'
import { SCENARIOS } from '../../sim/scenarios/index.ts'
import {
  crashesFound,
  declaredFailed,
  detection,
  falseAlarms,
  join,
  outOfView,
  packets,
  wholeAgain,
} from '../bench/membership-measures.ts'
import { argumentsOf, ROWS, rowsOf } from '../bench/membership-rows.ts'
import { jsonOf, tableOf } from '../bench/membership-table.ts'

const NO_CRASH: Report['detection'] = {
  crashes: 0,
  firstMs: null,
  everyoneMs: null,
  pairsMs: null,
  eachFirstMs: [],
  eachEveryoneMs: [],
}

function report(parts: Partial<Report> = {}): Report {
  return {
    scenario: 'crash',
    nodes: 50,
    seed: 1,
    parameters: {},
    virtualMs: 1,
    wallMs: 1,
    speedup: 1,
    peakRssMb: 1,
    steps: [],
    events: 1,
    traceHash: '',
    traffic: null,
    trafficAfterCrash: null,
    join: { everyoneMs: null },
    detection: NO_CRASH,
    falsePositives: null,
    impaired: null,
    rotation: null,
    convergence: { everyoneMs: null },
    warnings: {},
    invariants: { checked: 1, violations: [] },
    ...parts,
  }
}

/** Of a run in which so many nodes crashed, and these were found after so long. */
function crashed(
  eachEveryoneMs: readonly number[],
  crashes: number = eachEveryoneMs.length,
): Partial<Report> {
  return { detection: { ...NO_CRASH, crashes, eachEveryoneMs } }
}

function alarmed(healthy: number): Partial<Report> {
  return { falsePositives: { healthy, anomalous: 9, episodes: 9, suspicions: 9 } }
}

const RATES = { bytesPerNodePerSecond: 0, streamBytesPerNodePerSecond: 0, streamsPerNodePerSecond: 0 }

describe('detection', () => {
  it('takes the median and the maximum of the crashes of all seeds together', () => {
    const seeds = [report(crashed([1000, 9000])), report(crashed([2000, 3000, 4000]))]
    expect(crashesFound(seeds)).toEqual({ crashes: 5, found: 5, medianMs: 3000, maxMs: 9000 })
    expect(detection({ median: 3, max: 9 })([seeds])).toMatchObject({ text: '3.00 / 9.00 s', met: true })
    expect(detection({ median: 2.9, max: 9 })([seeds]).met).toBe(false)
    expect(detection({ median: 3, max: 8.9 })([seeds]).met).toBe(false)
    expect(detection({ median: 3 })([seeds]).met).toBe(true)
    expect(detection()([seeds]).met).toBeUndefined()
  })

  it('takes a crash that was never found for one that took for ever', () => {
    const seeds = [report(crashed([1000, 1000], 3))]
    const { text, met, values } = detection({ median: 5 })([seeds])
    expect(text).toBe('1.00 / never s; 1 of 3 never')
    expect(met).toBe(false)
    expect(values).toMatchObject({ crashes: 3, found: 2, maxMs: Number.POSITIVE_INFINITY })
  })

  it('shows the worst of several sizes, and keeps each', () => {
    const sizes = [
      [report({ nodes: 2, ...crashed([2000, 2000]) })],
      [report({ nodes: 3, ...crashed([1000, 3000]) })],
    ]
    const { text, values } = detection()(sizes)
    expect(text).toBe('2.00 / 3.00 s (at 2; at 3 nodes)')
    expect(values).toMatchObject({ of2MedianMs: 2000, of3MedianMs: 1000, of2MaxMs: 2000, of3MaxMs: 3000 })
  })

  it('says how many false alarms there were in the same runs', () => {
    expect(detection()([[report({ ...crashed([1000]), ...alarmed(2) })]]).text).toContain('; 2 false alarms')
  })
})

describe('false alarms', () => {
  it('are the mean of the seeds, each shown where they differ', () => {
    const seeds = [report(alarmed(0)), report(alarmed(3))]
    expect(falseAlarms(1.5)([seeds])).toMatchObject({ text: '1.5 (0, 3)', met: true })
    expect(falseAlarms(1.4)([seeds]).met).toBe(false)
  })

  it('meet no bar while a crash of the same run was not found', () => {
    const seeds = [report({ ...alarmed(0), ...crashed([1000], 2) })]
    expect(falseAlarms(0)([seeds])).toMatchObject({
      text: '0; 1 of 2 crashes found, 1.00 / never s',
      met: false,
    })
  })

  it('meet no bar when they were not looked for', () => {
    expect(falseAlarms(0)([[report()]]).met).toBe(false)
  })
})

describe('other measures', () => {
  it('time out of view: the mean share of the seeds is at least the bar', () => {
    const impaired = { nodes: 2, declaredFailed: 2, outOfViewAtEnd: 1, changes: 3 }
    const seeds = [0.7, 0.9].map((share) =>
      report({ ...alarmed(0), impaired: { ...impaired, outOfView: share } }),
    )
    expect(outOfView(0.8)([seeds])).toMatchObject({ text: '80.0 %; 0 healthy failed', met: true })
    expect(outOfView(0.81)([seeds]).met).toBe(false)
  })

  it('packets: idle from the first run, after a crash from the second, compared as exactly as the bar is written', () => {
    const quiet = report({ traffic: { ...RATES, packetsPerNodePerSecond: 2.04, packetsOverflowed: 0 } })
    const crashing = [6.9, 7.1].map((packetsPerNodePerSecond) =>
      report({ trafficAfterCrash: { ...RATES, packetsPerNodePerSecond, windowMs: 5000 } }),
    )
    expect(packets({ idle: 2, afterCrash: 7 })([[quiet], crashing])).toMatchObject({
      text: '2.04; 7.00',
      met: true,
    })
    expect(packets({ idle: 1.9, afterCrash: 7 })([[quiet], crashing]).met).toBe(false)
    expect(packets({ idle: 2, afterCrash: 6.9 })([[quiet], crashing]).met).toBe(false)
  })

  it('joining and healing: the worst seed, and never if it did not happen', () => {
    const joined = [3000, 4000].map((everyoneMs) => report({ join: { everyoneMs } }))
    expect(join(4)([joined])).toMatchObject({ text: '4.00 s', met: true })
    expect(join(4)([[...joined, report()]])).toMatchObject({ text: 'never s', met: false })
    const healed = [5000, 6000].map((max) => report({ convergence: { everyoneMs: { p50: 1, p99: 2, max } } }))
    expect(wholeAgain(5.9)([healed])).toMatchObject({ text: '6.00 s', met: false })
    expect(wholeAgain()([healed]).met).toBeUndefined()
  })

  it('stalls: the share of the stalled nodes of all seeds that somebody declared failed, by duration', () => {
    const stall = (stallMs: number, failed: number): Report =>
      report({
        parameters: { stallMs },
        impaired: { nodes: 1, declaredFailed: failed, outOfView: 0, outOfViewAtEnd: 0, changes: 0 },
      })
    const runs = [
      [stall(1500, 0), stall(1500, 0)],
      [stall(3000, 1), stall(3000, 0)],
    ]
    expect(declaredFailed(runs)).toMatchObject({ text: '1.5 s: 0 %, 3 s: 50 %', met: undefined })
  })

  it('what violated an invariant meets no bar', () => {
    const violated = { invariants: { checked: 1, violations: ['something'] } }
    const seeds = [report({ ...crashed([1000]), ...violated })]
    expect(detection({ median: 5 })([seeds])).toMatchObject({
      text: '1.00 / 1.00 s; 1 violations',
      met: false,
    })
    expect(detection()([seeds]).met).toBeUndefined()
  })
})

describe('the rows', () => {
  it('have ids of their own, and set only what their scenarios let be set', () => {
    expect(new Set(ROWS.map(({ id }) => id)).size).toBe(ROWS.length)
    for (const { runs } of ROWS) {
      for (const { scenario: name, set } of runs) {
        const scenario = SCENARIOS.find((candidate) => candidate.name === name)!
        expect(() => resolveParameters(scenario, set)).not.toThrow()
      }
    }
  })

  it('are chosen by id, in their own order; others are refused', () => {
    expect(rowsOf(['crash-100', 'crash-50']).map(({ id }) => id)).toEqual(['crash-50', 'crash-100'])
    expect(() => rowsOf(['crash-51'])).toThrow('there is no row "crash-51"; there are crash-50,')
  })

  it('become arguments of the command line', () => {
    const run = { scenario: 'crash', nodes: 9, set: { kill: 3, hung: 1 } }
    expect(argumentsOf(run, 7).join(' ')).toBe(
      '--scenario crash --nodes 9 --seed 7 --set kill=3 --set hung=1',
    )
  })
})

describe('the table', () => {
  const row = { ...ROWS[0]!, id: 'x', work: 'this | that', memberlist: '9 s', bar: '2 s' }
  const results = [
    { row, seeds: [1, 2], measurement: { text: '1 s', met: true, values: { medianMs: 1 } } },
    {
      row,
      seeds: [1],
      measurement: { text: 'never', met: false, values: { maxMs: Number.POSITIVE_INFINITY } },
    },
    { row, seeds: [1], measurement: { text: '3 s', met: undefined, values: {} } },
  ]

  it('is Markdown, with the command of each row below', () => {
    const lines = tableOf(results).split('\n')
    expect(lines.slice(0, 6)).toEqual([
      '| work | memberlist | bar | measured | met |',
      '| --- | --- | --- | --- | --- |',
      '| this \\| that | 9 s | 2 s | 1 s | yes |',
      '| this \\| that | 9 s | 2 s | never | NO |',
      '| this \\| that | 9 s | 2 s | 3 s | - |',
      '',
    ])
    expect(lines).toContain('x, with SEED 1, 2:')
    expect(lines).toContain('    npm run sim -- --scenario crash --nodes 50 --seed SEED --set kill=10')
  })

  it('is JSON for machines, which has null for what there is not', () => {
    const { rows } = JSON.parse(jsonOf(results))
    expect(rows.map(({ met }: { met: boolean | null }) => met)).toEqual([true, false, null])
    expect(rows[0]).toMatchObject({ id: 'x', measured: '1 s', values: { medianMs: 1 }, seeds: [1, 2] })
    expect(rows[1].values).toEqual({ maxMs: null })
  })
})
