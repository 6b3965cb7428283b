import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { stderr, stdout } from 'node:process'
import { parseArgs } from 'node:util'
import { isObject } from './fields.ts'
import { type Batch, runBatch } from './soak/batch.ts'
import { parsePlan } from './soak/parse-plan.ts'
import type { SoakPlan } from './soak/plan.ts'
import { shrinkPlan } from './soak/shrink.ts'
import { runSoak, type SoakResult } from './soak/soak-run.ts'
import { never } from './soak/sometimes.ts'
import { drawPlan } from './soak/swarm.ts'

const USAGE =
  'usage: npm run sim -- --soak [--seeds N] [--first-seed S] [--workers W] | --soak --seed S [--shrink] [--append FILE] | ' +
  '--soak --replay FILE [--shrink] [--append FILE]'

/** A batch has to be so large for everything that happens sometimes to happen in it. */
const COMPLETE_BATCH = 50
const SHRINK_LIMIT_MS = 120_000

/** A plan that once violated a rule, as it is kept in files. */
export interface SoakCase {
  readonly violations: readonly string[]
  readonly plan: SoakPlan
}

/** The command line of the soak. Returns the exit code: 1 after a violation, 2 for a fault of the caller. */
export async function soakMain(args: string[]): Promise<number> {
  let task: () => Promise<number>
  try {
    task = taskOf(args)
  } catch (error) {
    stderr.write(`${error instanceof Error ? error.message : error}\n`)
    return 2
  }
  return task()
}

function taskOf(args: string[]): () => Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      soak: { type: 'boolean' },
      seeds: { type: 'string', default: '50' },
      'first-seed': { type: 'string', default: '1' },
      workers: { type: 'string', default: String(availableParallelism()) },
      seed: { type: 'string' },
      replay: { type: 'string' },
      shrink: { type: 'boolean', default: false },
      append: { type: 'string' },
    },
  })
  const { replay, shrink, append } = values
  if (values.seed === undefined && replay === undefined) {
    const first = whole('--first-seed', values['first-seed'], 0)
    const seeds = Array.from({ length: whole('--seeds', values.seeds, 1) }, (_, i) => first + i)
    const workers = whole('--workers', values.workers, 1)
    return () => soakSeeds(seeds, workers)
  }
  const plan = replay === undefined ? drawPlan(whole('--seed', values.seed ?? '', 0)) : readPlan(replay)
  return () => soakOne(plan, shrink, append)
}

/** The plan of a file that holds a case. */
function readPlan(file: string): SoakPlan {
  const text = readFileSync(file, 'utf8')
  try {
    const found: unknown = JSON.parse(text)
    if (!isObject(found) || !('plan' in found)) throw new Error('it holds no plan')
    return parsePlan(found.plan)
  } catch (error) {
    const why = error instanceof SyntaxError ? 'it is not JSON' : (error as Error).message
    throw new Error(`${file} cannot be replayed: ${why}`)
  }
}

function whole(option: string, text: string, least: number): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new Error(`${option} must be a whole number from ${least}, not "${text}"\n${USAGE}`)
}

async function soakSeeds(seeds: readonly number[], workers: number): Promise<number> {
  const began = performance.now()
  const batch = await runBatch(seeds, workers, (result, done) => {
    if (stderr.isTTY) stderr.write(`\r\u001b[K${done} of ${seeds.length} runs, seed ${result.seed}`)
  })
  if (stderr.isTTY) stderr.write('\r\u001b[K')
  stdout.write(summary(batch, performance.now() - began))
  if (batch.failed !== undefined) {
    tellViolations(batch.failed, drawPlan(batch.failed.seed))
    return 1
  }
  const missing = seeds.length >= COMPLETE_BATCH ? never(batch.tally) : []
  for (const what of missing) stderr.write(`NEVER HAPPENED ${what}\n`)
  return missing.length > 0 ? 1 : 0
}

function summary(batch: Batch, wallMs: number): string {
  const { convergence, tally } = batch
  const seconds = (ms: number): string => (ms / 1000).toFixed(1)
  const slowest = convergence.slice(0, 3).map(({ seed, ms }) => `${seconds(ms)} s (seed ${seed})`)
  const median = convergence[Math.floor(convergence.length / 2)]
  const rows: [string, string][] = [
    ['soak', `${batch.runs} runs, ${seconds(batch.virtualMs)} virtual s in ${seconds(wallMs)} s`],
    ['events', String(batch.events)],
    [
      'convergence',
      median === undefined ? '-' : `median ${seconds(median.ms)} s, slowest ${slowest.join(', ')}`,
    ],
    ...Object.entries(tally).map(([name, count]): [string, string] => [name, String(count)]),
  ]
  return rows.map(([name, value]) => `${name.padEnd(18)} ${value}\n`).join('')
}

async function soakOne(plan: SoakPlan, shrink: boolean, append: string | undefined): Promise<number> {
  let result = await runSoak(plan)
  let shrunk = plan
  stdout.write(`seed ${plan.seed}: ${result.virtualMs.toFixed(0)} virtual ms, trace ${result.traceHash}\n`)
  if (result.violations.length === 0) {
    const after = result.convergenceMs?.toFixed(0) ?? '-'
    stdout.write(`no violation; the core converged ${after} ms after the last fault\n`)
    return 0
  }
  if (shrink) {
    const found = await shrinkPlan(plan, result, SHRINK_LIMIT_MS)
    shrunk = found.plan
    result = found.result
    stdout.write(
      `shrunk in ${found.runs} runs: ${plan.nodes.length} nodes to ${shrunk.nodes.length}, ` +
        `${plan.faults.length} faults to ${shrunk.faults.length}, ` +
        `${plan.operations.length} operations to ${shrunk.operations.length}\n`,
    )
  }
  tellViolations(result, shrunk)
  if (append !== undefined) appendCase(append, { violations: result.violations, plan: shrunk })
  return 1
}

function tellViolations(result: SoakResult, plan: SoakPlan): void {
  for (const violation of result.violations) stderr.write(`VIOLATED ${violation}\n`)
  const file = join(tmpdir(), `hearsay-soak-${plan.seed}.json`)
  writeFileSync(
    file,
    `${JSON.stringify({ violations: result.violations, plan } satisfies SoakCase, null, 1)}\n`,
  )
  stderr.write(`schedule: ${file}\n`)
  stderr.write(`replay: npm run sim -- --soak --seed ${plan.seed}\n`)
  stderr.write(`shrink: npm run sim -- --soak --replay ${file} --shrink\n`)
}

function appendCase(file: string, failed: SoakCase): void {
  const cases = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as SoakCase[]) : []
  writeFileSync(file, `${JSON.stringify([...cases, failed])}\n`)
}
