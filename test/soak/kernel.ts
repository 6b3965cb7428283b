import { parseArgs } from 'node:util'
import { missingForLab } from '../../examples/lab/lab.ts'
import { leftovers } from '../../examples/lab/namespaces.ts'
import { type Outcome, soak } from './kernel-soak.ts'
import { told } from './schedule.ts'

const OPTIONS = {
  schedules: { type: 'string', default: '200' },
  seed: { type: 'string', default: '1' },
  schedule: { type: 'string' },
  verbose: { type: 'boolean', default: false },
} as const

/**
 * `npm run soak:kernel -- [--schedules N] [--seed S] [--schedule K] [--verbose]`: random schedules on real kernels, or
 * the one with that number.
 */
async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS })
  const missing = missingForLab()
  if (missing !== undefined) throw new Error(`no lab on this machine: it ${missing}`)
  const seed = Number(values.seed)
  const [from, count] =
    values.schedule === undefined ? [0, Number(values.schedules)] : [Number(values.schedule), 1]
  const done: Outcome[] = []
  let wrong = 0
  const startedAt = performance.now()
  for await (const outcome of soak(seed, from, count)) {
    done.push(outcome)
    console.log(summary(outcome))
    const isWrong = outcome.faults.length > 0
    if (isWrong || values.verbose) console.log(details(outcome))
    if (!isWrong) continue
    wrong++
    console.log(`replay: npm run soak:kernel -- --seed ${seed} --schedule ${outcome.schedule} --verbose`)
    // What a wrong one left behind would be held against the next.
    break
  }
  const settled = done.map(({ settledMs }) => settledMs).sort((a, b) => a - b)
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  const total = (count: (outcome: Outcome) => number): number =>
    done.reduce((sum, outcome) => sum + count(outcome), 0)
  console.log(
    `seed ${seed}: ${done.length} schedules, ${total(({ steps }) => steps.length)} steps, ` +
      `${total(({ pings }) => pings)} pings in ${seconds} s; wrong in the end: ${wrong}; ` +
      `wrong for a while after they had settled: ${total(({ relapses }) => Math.min(relapses, 1))}; ` +
      `settled after p50 ${quantile(settled, 0.5)} ms, p99 ${quantile(settled, 0.99)} ms, most ${quantile(settled, 1)} ms`,
  )
  // The last janitors are still about to find out that there is nothing to do.
  await new Promise((resolve) => setTimeout(resolve, 500))
  const left = leftovers()
  console.log([`left behind: ${left.length}`, ...left].join('\n    '))
  return wrong === 0 && left.length === 0 ? 0 : 1
}

function summary({ schedule, hosts, underlay, steps, settledMs, pings, relapses, faults }: Outcome): string {
  const verdict = faults.length === 0 ? 'right' : `WRONG: ${faults.length} faults`
  return (
    `schedule ${schedule}: ${hosts} hosts over ${underlay}, ${steps.length} steps, ` +
    `settled after ${Math.round(settledMs)} ms${relapses > 0 ? ` and ${relapses} relapses` : ''}, ` +
    `${pings} pings, ${verdict}`
  )
}

function details({ steps, faults }: Outcome): string {
  return [...steps.map(told), ...faults.map((fault) => `! ${fault}`)].map((line) => `    ${line}`).join('\n')
}

function quantile(sorted: readonly number[], share: number): number {
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0)
}

// Leaving through process.exit runs the exit handlers, and those remove every lab.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1))

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error)
    process.exit(1)
  },
)
