import { writeFileSync } from 'node:fs'
import process, { argv, resourceUsage, stderr, stdout } from 'node:process'
import { parseArgs } from 'node:util'
import type { Distribution } from './measure.ts'
import { type Report, reportJson } from './report-json.ts'
import { runScenario } from './run.ts'
import { resolveParameters } from './scenario.ts'
import { type AnyScenario, SCENARIOS } from './scenarios/index.ts'

const USAGE =
  'usage: npm run sim -- --scenario NAME --nodes N --seed S [--minutes M] [--set key=value]... [--json FILE] | --list'

interface Arguments {
  readonly scenario: AnyScenario
  readonly nodes: number
  readonly seed: number
  readonly minutes: number | undefined
  readonly set: Readonly<Record<string, number>>
  readonly json: string | undefined
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
  return {
    scenario,
    nodes: integer('--nodes', values.nodes, 2, 100_000),
    seed: integer('--seed', values.seed, 0, Number.MAX_SAFE_INTEGER),
    minutes: values.minutes === undefined ? undefined : number('--minutes', values.minutes, 0, 100_000),
    set,
    json: values.json,
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

function list(): string {
  const lines = SCENARIOS.flatMap((scenario) => [
    `${scenario.name}: ${scenario.docs}`,
    ...Object.entries(scenario.parameters).map(
      ([name, parameter]) =>
        `  --set ${`${name}=${parameter.default}`.padEnd(22)} ${parameter.docs} (${parameter.min} to ${parameter.max})`,
    ),
    '',
  ])
  return lines.join('\n')
}

/** Knows which step of the story is being told, how long each took, and shows it on a terminal. */
class Progress {
  readonly #began = performance.now()
  readonly #marks: { name: string; virtualMs: number; wallMs: number }[] = []
  #virtualMs: () => number = () => 0

  begin(name: string, virtualMs: () => number): void {
    this.#virtualMs = virtualMs
    this.#marks.push({ name, virtualMs: virtualMs(), wallMs: this.wallMs() })
  }

  wallMs(): number {
    return performance.now() - this.#began
  }

  steps(): Report['steps'] {
    const end = { virtualMs: this.#virtualMs(), wallMs: this.wallMs() }
    return this.#marks.map(({ name, virtualMs, wallMs }, i) => {
      const next = this.#marks[i + 1] ?? end
      return { name, virtualMs: next.virtualMs - virtualMs, wallMs: next.wallMs - wallMs }
    })
  }

  /** One line, written over the one before. */
  show(): void {
    const seconds = (ms: number): string => (ms / 1000).toFixed(1)
    const name = this.#marks.at(-1)?.name ?? ''
    stderr.write(`\r\u001b[K${name}: ${seconds(this.#virtualMs())} virtual s, ${seconds(this.wallMs())} s`)
  }
}

async function run(args: Arguments): Promise<Report> {
  const { scenario, nodes, seed, minutes, set } = args
  const progress = new Progress()
  const ticking = stderr.isTTY ? setInterval(() => progress.show(), 250) : undefined
  try {
    const outcome = await runScenario({
      scenario,
      nodes,
      seed,
      set,
      ...(minutes !== undefined && { minutes }),
      progress: (name, sim) => progress.begin(name, () => sim.now),
    })
    const wallMs = progress.wallMs()
    // maxRSS is in kibibytes.
    const peakRssMb = (resourceUsage().maxRSS * 1024) / 1e6
    return { ...outcome, wallMs, speedup: outcome.virtualMs / wallMs, peakRssMb, steps: progress.steps() }
  } finally {
    clearInterval(ticking)
    if (stderr.isTTY) stderr.write('\r\u001b[K')
  }
}

function summary(report: Report): string {
  const { traffic, detection, falsePositives, invariants } = report
  const ms = (value: number | null): string => (value === null ? '-' : `${Math.round(value)} ms`)
  const times = (d: Distribution | null): string =>
    d === null ? '-' : `p50 ${ms(d.p50)}   p99 ${ms(d.p99)}   max ${ms(d.max)}`
  const rows: [string, string][] = [
    ['scenario', `${report.scenario}, ${report.nodes} nodes, seed ${report.seed}`],
    [
      'time',
      `${(report.virtualMs / 1000).toFixed(1)} virtual s in ${(report.wallMs / 1000).toFixed(1)} s, ${report.speedup.toFixed(1)}x`,
    ],
    ['events', `${report.events}, trace ${report.traceHash}, peak ${Math.round(report.peakRssMb)} MB`],
    [
      'traffic',
      traffic === null
        ? '-'
        : `${traffic.packetsPerNodePerSecond.toFixed(2)} packets, ${traffic.bytesPerNodePerSecond.toFixed(0)} B by packet, ` +
          `${traffic.streamBytesPerNodePerSecond.toFixed(0)} B by stream, each node each second`,
    ],
    ['join', `everyone ${ms(report.join.everyoneMs)}`],
    ['detection', `${detection.crashes} crashes; first ${times(detection.firstMs)}`],
    ['', `everyone ${times(detection.everyoneMs)}`],
    [
      'false positives',
      falsePositives === null
        ? '-'
        : `${falsePositives.healthy} healthy, ${falsePositives.anomalous} anomalous; ${falsePositives.suspicions} suspicions`,
    ],
    ['convergence', `everyone ${times(report.convergence.everyoneMs)}`],
    ['invariants', `${invariants.checked} checked, ${invariants.violations.length} violations`],
  ]
  return rows.map(([name, value]) => `${name.padEnd(16)} ${value}`).join('\n')
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
  const report = await run(args)
  stdout.write(`${summary(report)}\n`)
  if (args.json !== undefined) writeFileSync(args.json, reportJson(report))
  if (report.invariants.violations.length === 0) return 0
  stderr.write(`${report.invariants.violations.map((violation) => `VIOLATED ${violation}\n`).join('')}`)
  stderr.write(`replay: ${replayCommand(args)}\n`)
  return 1
}

process.exitCode = await main()
