import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process, { argv, execPath, stderr, stdout } from 'node:process'
import { parseArgs } from 'node:util'
import type { Report } from '../../sim/report-json.ts'
import { argumentsOf, ROWS, type Row, rowsOf } from './membership-rows.ts'
import { jsonOf, type Measured, tableOf } from './membership-table.ts'

/**
 * Measures the membership table in the simulator, row by row:
 *
 *     npm run bench:membership [-- --rows crash-50,overload-mild] [--seeds 1,2,3] [--json FILE]
 *
 * `--seeds` replaces the seeds of every row. It exits with 1 if a bar is missed. Progress goes to stderr, the table to stdout.
 */
const ROOT = resolve(import.meta.dirname, '../..')

/** The simulator as it was when this began: what is edited meanwhile changes nothing. */
class Simulator {
  readonly #home: string
  /** Rows share runs. */
  readonly #reports = new Map<string, Report>()

  constructor(home: string) {
    this.#home = home
    symlinkSync(join(ROOT, 'node_modules'), join(this.#home, 'node_modules'))
    writeFileSync(join(this.#home, 'package.json'), '{ "type": "module" }\n')
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
    const built = [tsc, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', this.#home]
    const { status, stdout: problems } = spawnSync(execPath, built, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`the simulator does not compile\n${problems}`)
  }

  /** One run in a process of its own, so that its memory is given back. */
  run(args: readonly string[]): Report {
    const command = args.join(' ')
    const known = this.#reports.get(command)
    if (known !== undefined) return known
    const file = join(this.#home, 'report.json')
    rmSync(file, { force: true })
    const began = performance.now()
    stderr.write(`  ${command}`)
    const cli = ['--max-semi-space-size=128', join(this.#home, 'sim/cli.js'), ...args, '--json', file]
    const { status, stderr: problems } = spawnSync(execPath, cli, {
      encoding: 'utf8',
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    stderr.write(`: ${((performance.now() - began) / 1000).toFixed(1)} s\n${problems}`)
    // 1 is a violated invariant: there is a report, and it says so.
    if (status !== 0 && status !== 1) throw new Error(`the simulator ended with ${status}`)
    const report = JSON.parse(readFileSync(file, 'utf8')) as Report
    this.#reports.set(command, report)
    return report
  }
}

function measured(simulator: Simulator, row: Row, seeds: readonly number[]): Measured {
  stderr.write(`${row.id}: ${row.work}\n`)
  const reports = row.runs.map((run) => seeds.map((seed) => simulator.run(argumentsOf(run, seed))))
  const measurement = row.measure(reports)
  stderr.write(`${row.id}: ${measurement.text}\n\n`)
  return { row, seeds, measurement }
}

function seedsOf(text: string): number[] {
  const seeds = text.split(',').map(Number)
  if (seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0)) return seeds
  throw new Error(`--seeds wants whole numbers with commas between, not "${text}"`)
}

function main(): number {
  const { values } = parseArgs({
    args: argv.slice(2),
    options: { rows: { type: 'string' }, seeds: { type: 'string' }, json: { type: 'string' } },
  })
  const rows = values.rows === undefined ? ROWS : rowsOf(values.rows.split(','))
  const seeds = values.seeds === undefined ? undefined : seedsOf(values.seeds)
  const home = mkdtempSync(join(tmpdir(), 'hearsay-bench-'))
  try {
    const simulator = new Simulator(home)
    const results = rows.map((row) => measured(simulator, row, seeds ?? row.seeds))
    stdout.write(tableOf(results))
    if (values.json !== undefined) writeFileSync(values.json, jsonOf(results))
    return results.some(({ measurement }) => measurement.met === false) ? 1 : 0
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

try {
  process.exitCode = main()
} catch (error) {
  stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 2
}
