import { cpus } from 'node:os'
import { argv, exit, stderr, stdout, version } from 'node:process'
import { generateKey } from '../../src/index.ts'
import { Crowd, inTime, joinAll, median, nodeName, startAll } from './crowd.ts'
import { LoopbackStage } from './stages.ts'

/**
 * Membership over real loopback sockets, sealed, all nodes in this process and on its one thread. Usage: `npm run bench:sockets`; names of
 * rows as arguments choose among them. Some ten minutes, most of them waiting.
 */
const CALM_MS = 3_000
const TIMEOUT_MS = 120_000

interface Row {
  readonly name: string
  readonly work: string
  readonly barMs: number
  /** Which of the measured values is held against the bar. */
  readonly statistic: 'median' | 'p95' | 'max'
  measure(stage: LoopbackStage): Promise<number[]>
  /** How often it is measured, each time with nodes of its own. */
  readonly times: number
}

/** How long after `act` every survivor had told of it, by `noticed`. */
async function everyone(
  stage: LoopbackStage,
  survivors: number,
  act: () => void,
  noticed: () => number[],
): Promise<number> {
  const began = stage.now()
  act()
  await inTime(
    stage.until(() => noticed().length === survivors, TIMEOUT_MS),
    'what everyone has to know',
  )
  return Math.max(...noticed()) - began
}

async function kills(stage: LoopbackStage): Promise<number[]> {
  const crowd = new Crowd(stage)
  await startAll(stage, crowd, 100)
  const times: number[] = []
  for (let i = 0; i < 20; i++) {
    // Crashes fall anywhere in a probe interval.
    await stage.sleep(CALM_MS + ((i * 370) % 1000))
    const victim = nodeName(99 - i)
    const kill = (): void => crowd.kill(victim)
    times.push(await everyone(stage, 99 - i, kill, () => crowd.failuresOf(victim)))
  }
  return times
}

async function massKill(stage: LoopbackStage): Promise<number[]> {
  const crowd = new Crowd(stage)
  await startAll(stage, crowd, 60)
  await stage.sleep(CALM_MS)
  const victims = Array.from({ length: 40 }, (_, i) => nodeName(59 - i))
  const kill = (): void => {
    for (const victim of victims) crowd.kill(victim)
  }
  const noticed = (): number[] => victims.flatMap((victim) => crowd.failuresOf(victim))
  return [await everyone(stage, 40 * 20, kill, noticed)]
}

async function leaves(stage: LoopbackStage): Promise<number[]> {
  const crowd = new Crowd(stage)
  await startAll(stage, crowd, 100)
  const times: number[] = []
  for (let i = 0; i < 20; i++) {
    await stage.sleep(1_000)
    const leaver = nodeName(99 - i)
    const leave = (): void => void crowd.leave(leaver)
    times.push(await everyone(stage, 99 - i, leave, () => crowd.leavesOf(leaver)))
  }
  return times
}

const storm =
  (nodes: number) =>
  async (stage: LoopbackStage): Promise<number[]> => [await joinAll(stage, new Crowd(stage), nodes)]

const ROWS: readonly Row[] = [
  {
    name: 'kill',
    work: '100 nodes, one killed, everyone knows',
    barMs: 3_500,
    statistic: 'median',
    measure: kills,
    times: 1,
  },
  {
    name: 'mass-kill',
    work: '40 of 60 killed at once, everyone knows of all',
    barMs: 12_000,
    statistic: 'max',
    measure: massKill,
    times: 5,
  },
  {
    name: 'leave',
    work: '100 nodes, one leaves, everyone knows',
    barMs: 400,
    statistic: 'median',
    measure: leaves,
    times: 1,
  },
  {
    name: 'storm-50',
    work: '50 nodes join through one at once, everyone knows everyone',
    barMs: 600,
    statistic: 'p95',
    measure: storm(50),
    times: 20,
  },
  {
    name: 'storm-200',
    work: '200 nodes join through one at once, everyone knows everyone',
    barMs: 3_000,
    statistic: 'median',
    measure: storm(200),
    times: 5,
  },
]

function statisticOf(values: readonly number[], statistic: Row['statistic']): number {
  const sorted = [...values].sort((a, b) => a - b)
  if (statistic === 'median') return median(sorted)
  return sorted[statistic === 'max' ? sorted.length - 1 : Math.ceil(0.95 * sorted.length) - 1]!
}

async function main(): Promise<number> {
  const chosen = argv.slice(2)
  const unknown = chosen.filter((name) => !ROWS.some((row) => row.name === name))
  if (unknown.length > 0) {
    stderr.write(
      `no row is named ${unknown.join(', ')}; there are ${ROWS.map(({ name }) => name).join(', ')}\n`,
    )
    return 2
  }
  stdout.write(`${cpus().length} cores, Node ${version}; sealed\n\n`)
  stdout.write(
    '| work | bar, ms | | median | p95 | highest | runs | |\n|---|---:|---|---:|---:|---:|---:|---|\n',
  )
  let missed = 0
  for (const row of ROWS) {
    if (chosen.length > 0 && !chosen.includes(row.name)) continue
    const values: number[] = []
    for (let i = 0; i < row.times; i++) {
      const stage = new LoopbackStage([generateKey()])
      try {
        values.push(...(await row.measure(stage)))
      } finally {
        await stage.close()
      }
    }
    const [p50, p95, max] = (['median', 'p95', 'max'] as const).map((name) =>
      statisticOf(values, name).toFixed(0),
    )
    const met = statisticOf(values, row.statistic) <= row.barMs
    if (!met) missed++
    stdout.write(
      `| ${row.work} | ${row.barMs} | ${row.statistic} | ${p50} | ${p95} | ${max} | ${values.length} | ${met ? 'met' : 'MISSED'} |\n`,
    )
  }
  return missed === 0 ? 0 : 1
}

// Whatever a failed row left open must not keep this from ending.
exit(await main())
