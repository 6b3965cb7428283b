import { Worker } from 'node:worker_threads'
import type { SoakResult } from './soak-run.ts'
import { addTally, emptyTally, type Tally } from './sometimes.ts'

export interface Batch {
  readonly runs: number
  readonly virtualMs: number
  readonly events: number
  readonly tally: Tally
  /** The first violation, by seed, among those that were found before the batch stopped. */
  readonly failed: SoakResult | undefined
  /** How long the cores took to converge, the longest first. */
  readonly convergence: readonly { readonly seed: number; readonly ms: number }[]
}

/** Runs seeds on worker threads, and begins no more of them after the first violation. */
export async function runBatch(
  seeds: readonly number[],
  workers: number,
  onResult: (result: SoakResult, done: number) => void = () => {},
): Promise<Batch> {
  const waiting = [...seeds]
  const results: SoakResult[] = []
  let stopped = false
  const work = async (): Promise<void> => {
    const worker = newWorker()
    try {
      for (let seed = waiting.shift(); seed !== undefined && !stopped; seed = waiting.shift()) {
        const result = await ask(worker, seed)
        results.push(result)
        if (result.violations.length > 0) stopped = true
        onResult(result, results.length)
      }
    } finally {
      await worker.terminate()
    }
  }
  await Promise.all(Array.from({ length: Math.min(workers, seeds.length) }, work))
  return summarized(results)
}

/** The file beside this one: as it is built, or as it is written, which in a thread needs tsx anew. */
function newWorker(): Worker {
  if (!import.meta.url.endsWith('.ts')) return new Worker(new URL('./worker.js', import.meta.url))
  const tsx = JSON.stringify(import.meta.resolve('tsx/esm/api'))
  const file = JSON.stringify(new URL('./worker.ts', import.meta.url).href)
  const code = `import(${tsx}).then(({ register }) => { register(); return import(${file}) })`
  return new Worker(code, { eval: true, execArgv: [] })
}

function ask(worker: Worker, seed: number): Promise<SoakResult> {
  return new Promise((resolve, reject) => {
    worker.removeAllListeners()
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', (code) => reject(new Error(`the worker of seed ${seed} ended with ${code}`)))
    worker.postMessage(seed)
  })
}

function summarized(results: readonly SoakResult[]): Batch {
  const tally = emptyTally()
  let virtualMs = 0
  let events = 0
  for (const result of results) {
    addTally(tally, result.tally)
    virtualMs += result.virtualMs
    events += result.events
  }
  const failed = results.filter(({ violations }) => violations.length > 0)
  const convergence = results.flatMap(({ seed, convergenceMs: ms }) =>
    ms === undefined ? [] : [{ seed, ms }],
  )
  return {
    runs: results.length,
    virtualMs,
    events,
    tally,
    failed: failed.sort((one, other) => one.seed - other.seed)[0],
    convergence: convergence.sort((one, other) => other.ms - one.ms),
  }
}
