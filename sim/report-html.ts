import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { round } from './measure.ts'
import { COLUMNS, type Recording } from './recorder.ts'
import type { Report } from './report-json.ts'

/** Strips beyond this are left out of the page: it is for eyes. */
const MOST_STRIPS = 120
/** Nodes to which nothing happened are shown up to so many strips in all. */
const CALM_STRIPS = 40
const MOST_POINTS = 500

const VIEW_NAMES = ['unknown', ...COLUMNS]

interface Strip {
  readonly index: number
  readonly name: string
  /** For each run of equal samples: its length, then the four counts of `COLUMNS`. */
  readonly runs: readonly number[]
}

type Times = readonly (readonly [ms: number, count: number])[]

/** Throws where no page can be made: better before a long run than after it. */
export function assertPlottable(): void {
  plottingLibrary()
}

/**
 * One page with everything that it needs, the plotting library too: it can be opened from a disk, mailed and kept. `docs` says what
 * the scenario is about, `command` how to run it again. Throws where uPlot, which is a tool of development, is not installed.
 */
export function reportHtml(
  report: Report,
  recording: Recording,
  about: { readonly docs: string; readonly command: string },
): string {
  const plotter = plottingLibrary()
  const title = `${report.scenario}, ${report.nodes} nodes, seed ${report.seed}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<title>hearsay: ${escaped(title)}</title>
<style>${plotter.css}
${asset('report-page.css')}</style>
</head>
<body>
<main><header id="head"></header><div class="charts" id="charts"></div>
<details><summary>Steps, parameters and warnings</summary><div class="charts" id="details"></div></details></main>
<script type="application/json" id="data">${inert(pageData(report, recording, about))}</script>
<script>
${plotter.licence}
${plotter.js}</script>
<script>${asset('report-page.js')}</script>
</body>
</html>
`
}

/** What the page's script draws; the recording thinned to what can be seen. */
function pageData(
  report: Report,
  recording: Recording,
  about: { readonly docs: string; readonly command: string },
): object {
  const { atMs, live, agreement, packets, bytes, streamBytes, busiest } = recording
  const rounded = (values: readonly number[]): number[] => values.map(round)
  const indices = interesting(recording)
  let begunAt = 0
  const steps = report.steps.map(({ name, virtualMs }) => {
    const step = { name, atMs: round(begunAt) }
    begunAt += virtualMs
    return step
  })
  return {
    ...about,
    report,
    steps,
    recording: {
      atMs: rounded(atMs),
      live,
      agreement: agreement.map((share) => Math.round(share * 1e6) / 1e6),
      packets: rounded(packets),
      bytes: rounded(bytes),
      streamBytes: rounded(streamBytes),
      busiest: rounded(busiest),
    },
    detection: {
      first: counted(recording.detection.firstMs),
      each: recording.detection.eachMs,
      everyone: counted(recording.detection.everyoneMs),
    },
    convergence: counted(recording.convergenceMs),
    names: recording.names,
    strips: indices.map((index): Strip => strip(recording, index)),
    stripsOmitted: recording.names.length - indices.length,
    verdicts: recording.verdicts.map(({ atMs, observer, subject, view }) => [
      round(atMs),
      observer,
      subject,
      VIEW_NAMES[view],
    ]),
    verdictsDropped: recording.verdictsDropped,
  }
}

/** The subjects that most happened to, and calm ones while there is room; in the order of their numbers. */
function interesting({ names, views }: Recording): number[] {
  const trouble = names.map((_, index) => {
    let sum = 0
    for (const sample of views) {
      const at = index * COLUMNS.length
      sum += sample[at + 1]! + 2 * sample[at + 2]! + 2 * sample[at + 3]!
    }
    return { index, sum }
  })
  trouble.sort((a, b) => b.sum - a.sum || a.index - b.index)
  return trouble
    .filter(({ sum }, i) => i < (sum > 0 ? MOST_STRIPS : CALM_STRIPS))
    .map(({ index }) => index)
    .sort((a, b) => a - b)
}

function strip({ names, views }: Recording, index: number): Strip {
  const runs: number[] = []
  let before: readonly number[] | undefined
  for (const sample of views) {
    const counts = COLUMNS.map((_, column) => sample[index * COLUMNS.length + column]!)
    if (before?.every((count, column) => count === counts[column])) runs[runs.length - counts.length - 1]!++
    else runs.push(1, ...counts)
    before = counts
  }
  return { index, name: names[index]!, runs }
}

/** Times with how often each came, in ascending order; so many that a curve can show them. */
function counted(times: readonly number[]): Times {
  const sorted = [...times].sort((a, b) => a - b)
  const each = Math.ceil(sorted.length / MOST_POINTS)
  const points: [number, number][] = []
  for (let i = 0; i < sorted.length; i += each) {
    const slice = sorted.slice(i, i + each)
    points.push([round(slice.at(-1)!), slice.length])
  }
  return points
}

/** JSON that cannot end the element which holds it. */
function inert(value: object): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

const require: NodeJS.Require = createRequire(import.meta.url)

/** Of the package's sources, from wherever in the package this runs. */
function asset(name: string): string {
  return readFileSync(join(dirname(require.resolve('hearsay/package.json')), 'sim', name), 'utf8')
}

function plottingLibrary(): { readonly js: string; readonly css: string; readonly licence: string } {
  let root: string
  try {
    root = dirname(dirname(require.resolve('uplot')))
  } catch (cause) {
    throw new Error('--report draws with uPlot: npm install --no-save uplot@1.6', { cause })
  }
  const read = (path: string): string => readFileSync(join(root, path), 'utf8').trim()
  return {
    // Its banner is but an address on the web; the licence, which has to stay, comes instead.
    js: read('dist/uPlot.iife.min.js').replace(/^\/\*!.*?\*\//, ''),
    css: read('dist/uPlot.min.css'),
    licence: `/* uPlot\n${read('LICENSE')}\n*/`,
  }
}
