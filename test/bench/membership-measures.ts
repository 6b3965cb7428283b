import type { Report } from '../../sim/report-json.ts'

/** What the reports of a row come to. */
export interface Measurement {
  /** For the table. */
  readonly text: string
  /** Whether the bar is met; undefined where there is none. */
  readonly met: boolean | undefined
  /** The numbers behind the text, by name; times in ms. `Infinity` is never. */
  readonly values: Readonly<Record<string, number>>
}

/** The reports of one run, one for each seed. */
export type Seeds = readonly Report[]

/** Makes a measurement of the reports of a row's runs, in their order. */
export type Measure = (runs: readonly Seeds[]) => Measurement

interface Found {
  readonly crashes: number
  readonly found: number
  readonly medianMs: number
  readonly maxMs: number
}

/** Times until every survivor knew, of the crashes of all seeds together; a crash that somebody never found took for ever. */
export function crashesFound(seeds: Seeds): Found {
  const times = seeds.flatMap(({ detection }) => detection.eachEveryoneMs)
  const crashes = seeds.reduce((sum, { detection }) => sum + detection.crashes, 0)
  const never = Array<number>(crashes - times.length).fill(Number.POSITIVE_INFINITY)
  const sorted = [...times, ...never].sort((a, b) => a - b)
  return { crashes, found: times.length, medianMs: median(sorted), maxMs: sorted.at(-1) ?? Number.NaN }
}

/** How soon everyone knows of a crash: median and maximum, in s; of several runs the worst of each. */
export function detection(bar?: { readonly median: number; readonly max?: number }): Measure {
  return checked((runs) => {
    const each = runs.map((seeds) => ({ nodes: seeds[0]!.nodes, ...crashesFound(seeds) }))
    const slowest = each.reduce((worst, one) => (one.medianMs > worst.medianMs ? one : worst))
    const last = each.reduce((worst, one) => (one.maxMs > worst.maxMs ? one : worst))
    const [medianMs, maxMs] = [slowest.medianMs, last.maxMs]
    const crashes = sum(each.map((one) => one.crashes))
    const found = sum(each.map((one) => one.found))
    const alarms = sum(runs.flat().map((report) => report.falsePositives?.healthy ?? 0))
    const notes = [
      each.length > 1 ? ` (at ${slowest.nodes}; at ${last.nodes} nodes)` : '',
      found < crashes ? `; ${crashes - found} of ${crashes} never` : '',
      alarms > 0 ? `; ${alarms} false alarms` : '',
    ]
    return {
      text: `${seconds(medianMs)} / ${seconds(maxMs)} s${notes.join('')}`,
      met: bar && found === crashes && isWithin(medianMs, bar.median) && isWithin(maxMs, bar.max),
      values: { crashes, found, medianMs, maxMs, ...(each.length > 1 && byNodes(each)), falseAlarms: alarms },
    }
  })
}

/** Whether a time is within a bar in s, if there is one. */
function isWithin(ms: number, bar: number | undefined): boolean {
  return bar === undefined || ms <= bar * 1000
}

function byNodes(each: readonly (Found & { readonly nodes: number })[]): Record<string, number> {
  return Object.fromEntries(
    each.flatMap(({ nodes, medianMs, maxMs }) => [
      [`of${nodes}MedianMs`, medianMs],
      [`of${nodes}MaxMs`, maxMs],
    ]),
  )
}

/** Healthy members declared failed, the mean of the seeds; the crashes of the same runs are to be found. */
export function falseAlarms(bar: number): Measure {
  return checked((runs) => {
    const counts = runs.flat().map((report) => report.falsePositives?.healthy ?? Number.NaN)
    const mean = average(counts)
    const crashes = crashesText(runs.flat())
    return {
      text: `${short(mean)}${spread(counts)}${crashes.text}`,
      met: mean <= bar && crashes.all,
      values: { falseAlarms: mean, ...crashes.values },
    }
  })
}

/** Share of time for which impaired nodes were out of the view of healthy ones. */
export function outOfView(bar: number): Measure {
  return checked((runs) => {
    const shares = runs.flat().map(({ impaired }) => impaired?.outOfView ?? Number.NaN)
    const mean = average(shares)
    const alarms = average(runs.flat().map((report) => report.falsePositives?.healthy ?? Number.NaN))
    const crashes = crashesText(runs.flat())
    return {
      text: `${percent(mean)}; ${short(alarms)} healthy failed${crashes.text}`,
      met: mean >= bar && crashes.all,
      values: { outOfView: mean, falseAlarms: alarms, ...crashes.values },
    }
  })
}

/** Packets of a node in a second: of the first run in all, of the second in the time after a crash. */
export function packets(bar: { readonly idle: number; readonly afterCrash: number }): Measure {
  return checked(([quiet, crashing]) => {
    const idle = average(quiet!.map(({ traffic }) => traffic?.packetsPerNodePerSecond ?? Number.NaN))
    const afterCrash = average(
      crashing!.map(({ trafficAfterCrash }) => trafficAfterCrash?.packetsPerNodePerSecond ?? Number.NaN),
    )
    return {
      text: `${idle.toFixed(2)}; ${afterCrash.toFixed(2)}`,
      // As exact as the bar is.
      met: Number(idle.toFixed(1)) <= bar.idle && Number(afterCrash.toFixed(1)) <= bar.afterCrash,
      values: { idle, afterCrash },
    }
  })
}

/** Until everyone knew everyone after a start of all at once, in s; the worst seed. */
export function join(bar: number): Measure {
  return checked((runs) => {
    const worstMs = Math.max(
      ...runs.flat().map((report) => report.join.everyoneMs ?? Number.POSITIVE_INFINITY),
    )
    return { text: `${seconds(worstMs)} s`, met: isWithin(worstMs, bar), values: { worstMs } }
  })
}

/** Until every node knew everyone again, in s; the worst seed. */
export function wholeAgain(bar?: number): Measure {
  return checked((runs) => {
    const worstMs = Math.max(
      ...runs.flat().map(({ convergence }) => convergence.everyoneMs?.max ?? Number.POSITIVE_INFINITY),
    )
    return {
      text: `${seconds(worstMs)} s`,
      met: bar === undefined ? undefined : isWithin(worstMs, bar),
      values: { worstMs },
    }
  })
}

/** For each run, which stalls one node for so long: the share of stalls after which somebody declared it failed. */
export const declaredFailed: Measure = checked((runs) => {
  const cells = runs.map((seeds) => {
    const stalls = sum(seeds.map(({ impaired }) => impaired?.nodes ?? 0))
    const declared = sum(seeds.map(({ impaired }) => impaired?.declaredFailed ?? 0))
    return { stallMs: seeds[0]!.parameters.stallMs!, share: declared / stalls }
  })
  return {
    text: cells.map(({ stallMs, share }) => `${stallMs / 1000} s: ${Math.round(share * 100)} %`).join(', '),
    met: undefined,
    values: Object.fromEntries(cells.map(({ stallMs, share }) => [`of${stallMs}Ms`, share])),
  }
})

/** What violated an invariant measures nothing: it is said, and no bar is met. */
function checked(measure: Measure): Measure {
  return (runs) => {
    const measurement = measure(runs)
    const violations = sum(runs.flat().map(({ invariants }) => invariants.violations.length))
    if (violations === 0) return measurement
    const { text, met, values } = measurement
    return {
      text: `${text}; ${violations} violations`,
      met: met === undefined ? undefined : false,
      values: { ...values, violations },
    }
  }
}

function crashesText(seeds: Seeds): {
  readonly text: string
  readonly all: boolean
  readonly values: Readonly<Record<string, number>>
} {
  const { crashes, found, medianMs, maxMs } = crashesFound(seeds)
  if (crashes === 0) return { text: '', all: true, values: {} }
  return {
    text: `; ${found} of ${crashes} crashes found, ${seconds(medianMs)} / ${seconds(maxMs)} s`,
    all: found === crashes,
    values: { crashes, found, medianMs, maxMs },
  }
}

/** Nearest rank. */
function median(sorted: readonly number[]): number {
  return sorted[Math.max(0, Math.ceil(sorted.length / 2) - 1)] ?? Number.NaN
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function average(values: readonly number[]): number {
  return sum(values) / values.length
}

function seconds(ms: number): string {
  if (Number.isNaN(ms)) return '-'
  return Number.isFinite(ms) ? (ms / 1000).toFixed(2) : 'never'
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

function short(value: number): string {
  return String(Math.round(value * 10) / 10)
}

/** The values behind a mean, where they differ. */
function spread(values: readonly number[]): string {
  return new Set(values).size > 1 ? ` (${values.map(short).join(', ')})` : ''
}
