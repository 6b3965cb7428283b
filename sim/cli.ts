import { writeFileSync } from 'node:fs'
import process, { argv, resourceUsage, stderr, stdout } from 'node:process'
import { parseArgs } from 'node:util'
import { expectedMs, Progress } from './progress.ts'
import { Recorder } from './recorder.ts'
import { assertPlottable, reportHtml } from './report-html.ts'
import { type Report, reportJson } from './report-json.ts'
import { runScenario } from './run.ts'
import { type Parameter, resolveParameters } from './scenario.ts'
import { COMMON, type CommonName } from './scenarios/common.ts'
import { type AnyScenario, SCENARIOS } from './scenarios/index.ts'
import { soakMain } from './soak-cli.ts'
import { summary } from './summary.ts'

const USAGE =
  'usage: npm run sim -- --scenario NAME --nodes N --seed S [--minutes M] [--set key=value]... [--json FILE] [--report FILE.html] | --list'

interface Arguments {
  readonly scenario: AnyScenario
  readonly nodes: number
  readonly seed: number
  readonly minutes: number | undefined
  readonly set: Readonly<Record<string, number>>
  readonly json: string | undefined
  readonly report: string | undefined
}

/** A fault of the caller: one line, and exit code 2. */
class UsageError extends Error {}

function parse(args: string[]): Arguments | 'list' {
  const { values } = parseArgs({
    args,
    options: {
      scenario: { type: 'string' },
      nodes: { type: 'string', default: '50' },
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string' },
      set: { type: 'string', multiple: true, default: [] },
      json: { type: 'string' },
      report: { type: 'string' },
      list: { type: 'boolean', default: false },
    },
  })
  if (values.list) return 'list'
  if (values.scenario === undefined) throw new UsageError(USAGE)
  const scenario = SCENARIOS.find(({ name }) => name === values.scenario)
  if (scenario === undefined) {
    const names = SCENARIOS.map(({ name }) => name).join(', ')
    throw new UsageError(`there is no scenario "${values.scenario}"; there are ${names}`)
  }
  const set = Object.fromEntries(values.set.map(assignment))
  resolveParameters(scenario, set)
  if (values.report !== undefined) assertPlottable()
  return {
    scenario,
    nodes: integer('--nodes', values.nodes, 2, 100_000),
    seed: integer('--seed', values.seed, 0, Number.MAX_SAFE_INTEGER),
    minutes: values.minutes === undefined ? undefined : number('--minutes', values.minutes, 0, 100_000),
    set,
    json: values.json,
    report: values.report,
  }
}

function assignment(text: string): [string, number] {
  const at = text.indexOf('=')
  if (at < 1) throw new UsageError(`--set wants key=value, not "${text}"`)
  const name = text.slice(0, at)
  return [name, number(name, text.slice(at + 1), Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)]
}

function number(name: string, text: string, min: number, max: number): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (!(value >= min && value <= max))
    throw new UsageError(`"${name}" must be a number${bounds(min, max)}, not "${text}"`)
  return value
}

function integer(name: string, text: string, min: number, max: number): number {
  const value = number(name, text, min, max)
  if (!Number.isInteger(value)) throw new UsageError(`"${name}" must be a whole number, not "${text}"`)
  return value
}

function bounds(min: number, max: number): string {
  return Number.isFinite(min) ? ` from ${min} to ${max}` : ''
}

/** Columns of `--list`. */
const PAGE_WIDTH = 96

function list(): string {
  const lines = SCENARIOS.flatMap(({ name, docs, page, parameters }) => {
    const own = Object.entries(parameters).filter(
      ([key, parameter]) => COMMON[key as CommonName] !== parameter,
    )
    return [
      `${name}: ${docs}`,
      '',
      ...wrapped(page),
      '',
      ...own.map(settable),
      ...(own.length > 0 ? [''] : []),
    ]
  })
  return [...lines, 'All scenarios:', '', ...Object.entries(COMMON).map(settable), ''].join('\n')
}

function settable([name, { default: value, min, max, docs }]: [string, Parameter]): string {
  const shown = Number(value.toFixed(3))
  return `  --set ${`${name}=${shown}`.padEnd(22)} ${docs} (${min} to ${max})`
}

/** Indented lines of a paragraph. */
function wrapped(text: string): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    if (lines.at(-1)!.length + word.length > PAGE_WIDTH) lines.push('')
    lines.push(`${lines.pop()} ${word}`)
  }
  return lines.map((line) => ` ${line}`)
}

interface Finished {
  readonly report: Report
  readonly recorder: Recorder | undefined
}

async function run(args: Arguments): Promise<Finished> {
  const { scenario, nodes, seed, minutes, set } = args
  const progress = new Progress(stdout)
  let recorder: Recorder | undefined
  try {
    const outcome = await runScenario({
      scenario,
      nodes,
      seed,
      set,
      ...(minutes !== undefined && { minutes }),
      begun(context) {
        if (args.report !== undefined) recorder = new Recorder(context)
        progress.start(context, expectedMs(context, scenario))
      },
      progress: (name) => progress.begin(name),
    })
    const wallMs = progress.wallMs()
    // maxRSS is in kibibytes.
    const peakRssMb = (resourceUsage().maxRSS * 1024) / 1e6
    const speedup = outcome.virtualMs / wallMs
    return { report: { ...outcome, wallMs, speedup, peakRssMb, steps: progress.steps() }, recorder }
  } finally {
    progress.end()
  }
}

function replayCommand(args: Arguments): string {
  const set = Object.entries(args.set).map(([name, value]) => ` --set ${name}=${value}`)
  const minutes = args.minutes === undefined ? '' : ` --minutes ${args.minutes}`
  return `npm run sim -- --scenario ${args.scenario.name} --nodes ${args.nodes} --seed ${args.seed}${minutes}${set.join('')}`
}

async function main(): Promise<number> {
  let args: Arguments | 'list'
  try {
    args = parse(argv.slice(2))
  } catch (error) {
    stderr.write(`${error instanceof Error ? error.message : error}\n`)
    return 2
  }
  if (args === 'list') {
    stdout.write(list())
    return 0
  }
  const { report, recorder } = await run(args)
  stdout.write(`${summary(report)}\n`)
  if (args.json !== undefined) writeFileSync(args.json, reportJson(report))
  if (args.report !== undefined && recorder !== undefined) {
    const about = { docs: args.scenario.docs, command: replayCommand(args) }
    writeFileSync(args.report, reportHtml(report, recorder.recording(), about))
  }
  if (report.invariants.violations.length === 0) return 0
  stderr.write(`${report.invariants.violations.map((violation) => `VIOLATED ${violation}\n`).join('')}`)
  stderr.write(`replay: ${replayCommand(args)}\n`)
  return 1
}

process.exitCode = argv.includes('--soak') ? await soakMain(argv.slice(2)) : await main()
