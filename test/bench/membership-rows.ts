import {
  declaredFailed,
  detection,
  falseAlarms,
  join,
  type Measure,
  outOfView,
  packets,
  wholeAgain,
} from './membership-measures.ts'

/** One run of the simulator, but for its seed. */
export interface Run {
  readonly scenario: string
  readonly nodes: number
  readonly set: Readonly<Record<string, number>>
}

/** One row of the table: what is run, and what its reports come to. */
export interface Row {
  readonly id: string
  readonly work: string
  /** What memberlist with its LAN defaults does. */
  readonly memberlist: string
  readonly bar: string
  readonly seeds: readonly number[]
  readonly runs: readonly Run[]
  readonly measure: Measure
}

const NO_BAR = '-'
/** For whatever counts crashes: ten or more in each. */
const THREE_SEEDS = [1, 2, 3]
const STRESS_SEEDS = [1, 2]
const MANY_SEEDS = Array.from({ length: 8 }, (_, i) => i + 1)
const STALL_SEEDS = Array.from({ length: 16 }, (_, i) => i + 1)
const SMALL = [2, 3, 4, 5, 6, 7, 8]
const STALLS_MS = [1500, 2000, 3000, 4000, 6000, 8000, 12_000]

const CRASHES = { kill: 10 }
/** Stalls last anything between the bounds, all equally likely; the gaps between them are exponential with this mean. */
const MILD = { stallMinMs: 50, stallMaxMs: 800, gapMs: 1000, durationMs: 180_000, kill: 12 }
const BUSY = { ...MILD, gapMs: 300 }
const HARD = { ...MILD, stallMaxMs: 3000, gapMs: 500 }
const EXTREME = { ...MILD, stallMinMs: 500, stallMaxMs: 8000 }
const LOSS = { durationMs: 300_000, kill: 10 }
const TEN_MINUTES = { cutMs: 600_000 }

function run(scenario: string, nodes: number, set: Readonly<Record<string, number>> = {}): Run {
  return { scenario, nodes, set }
}

function crashRow(nodes: number, memberlist: string, median: number, max: number): Row {
  return {
    id: `crash-${nodes}`,
    work: `one crash, everyone knows, median / max: ${nodes} nodes`,
    memberlist,
    bar: `${median} / ${max} s`,
    seeds: THREE_SEEDS,
    runs: [run('crash', nodes, CRASHES)],
    measure: detection({ median, max }),
  }
}

function overloadRow(id: string, stalls: string, memberlist: string, bar: number, set: Run['set']): Row {
  return {
    id,
    work: `healthy members failed, all stall ${stalls}`,
    memberlist,
    bar: String(bar),
    seeds: STRESS_SEEDS,
    runs: [run('overload', 100, set)],
    measure: falseAlarms(bar),
  }
}

function partitionRow(id: string, work: string, nodes: number, set: Run['set'], bar?: number): Row {
  return {
    id,
    work: `partition of 10 minutes, ${work}, whole again`,
    memberlist: 'never',
    bar: bar === undefined ? NO_BAR : `${bar} s`,
    seeds: STRESS_SEEDS,
    runs: [run('partition-heal', nodes, { ...TEN_MINUTES, ...set })],
    measure: wholeAgain(bar),
  }
}

function stallRow(id: string, work: string, memberlist: string, wholeHost: number): Row {
  return {
    id,
    work: `one node stalls, ${work}: probability that it is declared failed`,
    memberlist,
    bar: NO_BAR,
    seeds: STALL_SEEDS,
    runs: STALLS_MS.map((stallMs) =>
      run('single-stall', 50, { stalls: 1, stallMs, wholeHost, spacingMs: 20_000 }),
    ),
    measure: declaredFailed,
  }
}

/** The membership table, in its order. */
export const ROWS: readonly Row[] = [
  crashRow(50, '8.6 / 12.8 s', 2.8, 4.5),
  crashRow(100, '10.0 / 12.2 s', 3, 4.5),
  crashRow(300, '12.2 / 13.9 s', 3.2, 4.5),
  crashRow(1000, '14.1 / 17.9 s', 3.5, 5),
  {
    id: 'mass-40-of-60',
    work: '40 of 60 crash at once, everyone knows, median / max of the crashed',
    memberlist: '27 / 93 s',
    bar: '5 / 10 s',
    seeds: MANY_SEEDS,
    runs: [run('mass-failure', 60, { share: 0.6667 })],
    measure: detection({ median: 5, max: 10 }),
  },
  {
    id: 'mass-200-of-600',
    work: '200 of 600 crash at once, everyone knows, median / max of the crashed',
    memberlist: '14.6 / 24.4 s',
    bar: '7 / 12 s',
    seeds: THREE_SEEDS,
    runs: [run('mass-failure', 600, { share: 0.3333 })],
    measure: detection({ median: 7, max: 12 }),
  },
  overloadRow('overload-mild', '50 to 800 ms, mean gap 1 s', '0', 0, MILD),
  overloadRow('overload-busy', '50 to 800 ms, mean gap 0.3 s', '0', 0, BUSY),
  overloadRow('overload-hard', '50 ms to 3 s, mean gap 0.5 s', '0.5', 0, HARD),
  overloadRow('overload-extreme', '0.5 to 8 s, mean gap 1 s', '1,873', 10, EXTREME),
  {
    id: 'loss-30',
    work: 'healthy members failed, 30 % uniform loss',
    memberlist: '2',
    bar: '2',
    seeds: STRESS_SEEDS,
    runs: [run('lossy', 200, { ...LOSS, loss: 0.3, entries: 0 })],
    measure: falseAlarms(2),
  },
  {
    id: 'egress-80',
    work: 'healthy members failed, 80 % outgoing loss on 1 %',
    memberlist: '294',
    bar: '0',
    seeds: STRESS_SEEDS,
    runs: [run('one-way-loss', 200, LOSS)],
    measure: falseAlarms(0),
  },
  {
    id: 'ingress-80',
    work: 'the 1 % with 80 % incoming loss are out of the view of the healthy, share of time',
    memberlist: '0 %',
    bar: '80 %',
    seeds: STRESS_SEEDS,
    runs: [run('one-way-loss', 200, { ...LOSS, ingress: 1 })],
    measure: outOfView(0.8),
  },
  {
    id: 'overload-crash',
    work: 'crash during 60 % overload (50 to 800 ms, mean gap 0.3 s), everyone knows, median / max',
    memberlist: '11.0 s',
    bar: '9 s',
    seeds: THREE_SEEDS,
    runs: [run('overload', 100, BUSY)],
    measure: detection({ median: 9 }),
  },
  {
    id: 'packets',
    work: 'packets per node and second at 100 nodes, idle; 5 s after a crash',
    memberlist: '2.0; 6.9',
    bar: '2.0; 7',
    seeds: THREE_SEEDS,
    runs: [run('steady', 100), run('crash', 100, CRASHES)],
    measure: packets({ idle: 2, afterCrash: 7 }),
  },
  {
    id: 'small-crash',
    work: '2 to 8 nodes, one crash, everyone knows, median / max; the worst size of each',
    memberlist: '5.6 s at 10',
    bar: '4 / 6 s',
    seeds: THREE_SEEDS,
    runs: SMALL.map((nodes) => run('crash', nodes, { ...CRASHES, restart: 1 })),
    measure: detection({ median: 4, max: 6 }),
  },
  {
    id: 'small-overload',
    work: '2 to 8 nodes, healthy members failed, all stall 50 to 800 ms, mean gaps 1 and 0.3 s',
    memberlist: '0',
    bar: '0',
    seeds: STRESS_SEEDS,
    runs: [MILD, BUSY].flatMap((set) => SMALL.map((nodes) => run('overload', nodes, { ...set, kill: 0 }))),
    measure: falseAlarms(0),
  },
  {
    id: 'join-storm',
    work: '1,000 nodes join at once through one seed, everyone knows everyone',
    memberlist: '(95 s at 2,000)',
    bar: '4 s',
    seeds: THREE_SEEDS,
    runs: [run('join-storm', 1000)],
    measure: join(4),
  },
  partitionRow('partition-400', 'two halves of 200 nodes each', 400, {}, 10),
  partitionRow('partition-200', 'two halves of 100 nodes each', 200, {}, 10),
  partitionRow('partition-3', '200 nodes in 3 parts', 200, { parts: 3 }),
  partitionRow('partition-4', '200 nodes in 4 parts', 200, { parts: 4 }),
  partitionRow('partition-5', '200 nodes in 5 parts', 200, { parts: 5 }),
  stallRow('stall-process', 'its process only', '0 % to 8 s, 100 % at 12 s', 0),
  stallRow('stall-host', 'its whole host', '0 % to 8 s, 100 % at 12 s', 1),
  {
    id: 'hung',
    work: 'a process hangs for good, everyone knows, median / max: 100 nodes',
    memberlist: '10.6 s',
    bar: NO_BAR,
    seeds: THREE_SEEDS,
    runs: [run('crash', 100, { ...CRASHES, hung: 1 })],
    measure: detection(),
  },
]

/** The rows of these names, in the order of the table. Throws a sentence if there is no such row. */
export function rowsOf(ids: readonly string[]): Row[] {
  const unknown = ids.find((id) => !ROWS.some((row) => row.id === id))
  if (unknown !== undefined) {
    throw new Error(`there is no row "${unknown}"; there are ${ROWS.map(({ id }) => id).join(', ')}`)
  }
  return ROWS.filter(({ id }) => ids.includes(id))
}

/** What to give to the simulator's command line. */
export function argumentsOf({ scenario, nodes, set }: Run, seed: number | 'SEED'): string[] {
  const settings = Object.entries(set).flatMap(([name, value]) => ['--set', `${name}=${value}`])
  return ['--scenario', scenario, '--nodes', String(nodes), '--seed', String(seed), ...settings]
}
