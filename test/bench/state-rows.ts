import { cpuUsage } from 'node:process'
import { type ClusterOptions, generateKey } from '../../src/index.ts'
import { inTime, nodeName } from './crowd.ts'
import { Divide } from './divide.ts'
import { LoopbackStage } from './stages.ts'
import { bytesPerEntry, microsecondsPerEvent } from './state-memory.ts'
import { type Agent, NETWORK, RAW, TABLE, TableCrowd, write } from './table-crowd.ts'

/** One figure of a row. */
export interface Quantity {
  readonly what: string
  readonly unit: string
  /** Not to be exceeded. */
  readonly bar?: number
  /** The name of the same figure in NetworkDB's output, if it has one. */
  readonly networkdb?: string
}

export interface Row {
  readonly id: string
  readonly work: string
  readonly quantities: readonly Quantity[]
  /** How often it is measured, each time with nodes of its own. */
  readonly times: number
  /** Arguments that make NetworkDB do the same. */
  readonly networkdb?: readonly string[]
  /** A value for each quantity. */
  measure(): Promise<number[]>
}

const VALUE_BYTES = 100
const BURST = 1_000
const MANY = 100_000
/** What an entry takes on the wire beside key and value, generously. */
const WIRE_BYTES = 12
const KEY_BYTES = 'e000000'.length
const ENTRY_BYTES = KEY_BYTES + VALUE_BYTES + WIRE_BYTES
/** Rows of the version vector, both ways. */
const VERSION_BYTES = 2 * 3 * 40
/** Between a cluster's start and what is measured: what was to be said is said. */
const CALM_MS = 5_000
const TIMEOUT_MS = 120_000

async function staged<T>(
  work: (stage: LoopbackStage) => Promise<T>,
  tuning: Partial<ClusterOptions> = {},
  keys: readonly Uint8Array[] = [generateKey()],
): Promise<T> {
  const stage = new LoopbackStage(keys, tuning)
  try {
    return await work(stage)
  } finally {
    await stage.close()
  }
}

const burst = (nodes: number) => (): Promise<number[]> =>
  staged(async (stage) => {
    const crowd = new TableCrowd(stage)
    await crowd.start(nodes)
    await stage.sleep(CALM_MS)
    const before = cpuUsage()
    const ms = await crowd.spread('e', BURST, VALUE_BYTES)
    const { user, system } = cpuUsage(before)
    return [ms / 1000, (user + system) / 1e6]
  })

function singles(): Promise<number[]> {
  return staged(async (stage) => {
    const crowd = new TableCrowd(stage)
    await crowd.start(100)
    await stage.sleep(CALM_MS)
    const seconds: number[] = []
    for (let i = 0; i < 100; i++) {
      seconds.push((await crowd.spread(`s${i}-`, 1, VALUE_BYTES)) / 1000)
      await stage.sleep(1_000)
    }
    seconds.sort((a, b) => a - b)
    return [seconds[98]!, seconds[49]!]
  })
}

/** Two nodes that both have the many entries of the first. */
async function pair(stage: LoopbackStage, crowd: TableCrowd): Promise<Agent> {
  await crowd.start(2)
  await crowd.spread('e', MANY, VALUE_BYTES)
  await quiet(stage, crowd)
  return crowd.agents[0]!
}

/** Until nobody has anything to tell any more. */
async function quiet(stage: LoopbackStage, crowd: TableCrowd): Promise<void> {
  const silent = (): boolean =>
    crowd.total('entries.queue') + crowd.total('members.queue') + crowd.total('traffic.streamsOpen') === 0
  await inTime(stage.until(silent, TIMEOUT_MS), 'silence')
}

function join(): Promise<number[]> {
  return staged(async (stage) => {
    const crowd = new TableCrowd(stage)
    const first = await pair(stage, crowd)
    const newcomer = await stage.start(nodeName(2), [first.cluster.self.address])
    await stage.sleep(CALM_MS)
    const before = newcomer.metrics()['traffic.streamBytesIn']!
    const began = stage.now()
    const table = (await newcomer.joinNetwork(NETWORK)).table(TABLE, RAW)
    const complete = (): boolean => [...table.entries()].length === MANY
    await inTime(stage.until(complete, TIMEOUT_MS), 'the whole table')
    const seconds = (stage.now() - began) / 1000
    await quiet(stage, crowd)
    const bytes = newcomer.metrics()['traffic.streamBytesIn']! - before
    return [seconds, bytes / (MANY * ENTRY_BYTES)]
  })
}

const equal = (keys: readonly Uint8Array[]): Promise<number> =>
  staged(
    async (stage) => {
      const crowd = new TableCrowd(stage)
      await pair(stage, crowd)
      const begun = (): number => crowd.total('sync.started')
      const bytes = crowd.total('traffic.streamBytesIn')
      const syncs = begun()
      await inTime(
        stage.until(() => begun() - syncs >= 20, TIMEOUT_MS),
        'periodic syncs',
      )
      return (crowd.total('traffic.streamBytesIn') - bytes) / (begun() - syncs)
    },
    { syncIntervalMs: 500 },
    keys,
  )

function divided(): Promise<number[]> {
  return staged(async (stage) => {
    const divide = new Divide()
    const crowd = new TableCrowd(stage)
    const seeds: string[] = []
    for (const side of [0, 0, 1]) {
      const cluster = await stage.start(nodeName(seeds.length), [...seeds], {
        runtime: divide.runtime(side),
      })
      seeds.push(cluster.self.address)
      await crowd.join(cluster)
    }
    await crowd.spread('e', MANY, VALUE_BYTES)
    await quiet(stage, crowd)

    divide.closed = true
    const [writer, , apart] = crowd.agents as [Agent, Agent, Agent]
    const failed = (): boolean => writer.cluster.member(apart.cluster.self.name)?.status === 'failed'
    await inTime(stage.until(failed, TIMEOUT_MS), 'the failure of who is apart')
    crowd.expect('e', BURST)
    write(writer, 'e', BURST, VALUE_BYTES)
    await crowd.arrived(2)
    await inTime(
      stage.until(() => writer.cluster.metrics()['entries.queue'] === 0, TIMEOUT_MS),
      'silence',
    )

    const moved = (): number => {
      const metrics = apart.cluster.metrics()
      return metrics['traffic.streamBytesIn']! + metrics['traffic.streamBytesOut']!
    }
    const before = moved()
    divide.closed = false
    await crowd.arrived()
    await quiet(stage, crowd)
    return [(moved() - before - VERSION_BYTES) / (BURST * ENTRY_BYTES)]
  })
}

async function memory(): Promise<number[]> {
  const one = await bytesPerEntry({ owners: 1, entriesEach: MANY })
  const many = await bytesPerEntry({ owners: 1_000, entriesEach: 100 })
  return [one, many].map((footprint) => footprint.bytesPerEntry - footprint.payloadBytes)
}

async function events(): Promise<number[]> {
  const holding = { owners: 100, entriesEach: 1_000 }
  const { applied, takenIn, decodedAndTakenIn } = await microsecondsPerEvent(holding)
  return [applied, takenIn, decodedAndTakenIn]
}

const NETWORKDB_BURST: readonly string[] = ['-entries', `${BURST}`, '-idle', '0', '-singles', '1']
const TIME = { what: 'first set to last table complete', unit: 's', networkdb: 'bulk_100_s' } as const
const CPU = { what: 'processor time of the process', unit: 's', networkdb: 'bulk_cpu_s' } as const

export const ROWS: readonly Row[] = [
  {
    id: 'burst-10',
    work: '1,000 entries by one of 10 nodes',
    quantities: [{ ...TIME, bar: 0.5 }, CPU],
    times: 5,
    networkdb: ['-n', '10', ...NETWORKDB_BURST],
    measure: burst(10),
  },
  {
    id: 'burst-50',
    work: '1,000 entries by one of 50 nodes',
    quantities: [{ ...TIME, bar: 1.5 }, CPU],
    times: 5,
    networkdb: ['-n', '50', ...NETWORKDB_BURST],
    measure: burst(50),
  },
  {
    id: 'burst-100',
    work: '1,000 entries by one of 100 nodes',
    quantities: [
      { ...TIME, bar: 3 },
      { ...CPU, bar: 6 },
    ],
    times: 5,
    networkdb: ['-n', '100', ...NETWORKDB_BURST],
    measure: burst(100),
  },
  {
    id: 'single',
    work: 'one entry to 100 nodes, 100 times',
    quantities: [
      { what: '99th percentile', unit: 's', bar: 0.2, networkdb: 'single_100' },
      { what: 'median', unit: 's' },
    ],
    times: 3,
    networkdb: ['-n', '100', '-entries', '1', '-idle', '0', '-singles', '10'],
    measure: singles,
  },
  {
    id: 'join',
    work: 'a node joins a network of 100,000 entries',
    quantities: [
      { what: 'until it has them', unit: 's', bar: 3 },
      { what: 'stream bytes to it, of key + value + 12 each', unit: 'times', bar: 1.2 },
    ],
    times: 3,
    measure: join,
  },
  {
    id: 'equal',
    work: 'periodic sync of 100,000 equal entries',
    quantities: [
      { what: 'stream bytes, both ways, unsealed', unit: 'bytes', bar: 200 },
      { what: 'the same, sealed', unit: 'bytes' },
    ],
    times: 2,
    measure: async () => [await equal([]), await equal([generateKey()])],
  },
  {
    id: 'divided',
    work: '1,000 of 100,000 entries differ after a partition',
    quantities: [
      { what: 'stream bytes, both ways, without versions, of key + value + 12 each', unit: 'times', bar: 2 },
    ],
    times: 3,
    measure: divided,
  },
  {
    id: 'memory',
    work: '100,000 entries held',
    quantities: [
      { what: 'of one owner, beyond key and value', unit: 'bytes each', bar: 350 },
      { what: 'of 1,000 owners, beyond key and value', unit: 'bytes each', bar: 350 },
    ],
    times: 1,
    measure: memory,
  },
  {
    id: 'event',
    work: 'an event of another node, 100 owners',
    quantities: [
      { what: 'applied to log, table index and digest, processor time', unit: 'µs', bar: 3 },
      { what: 'checked, applied, and queued for others', unit: 'µs' },
      { what: 'decoded, checked, applied, and queued for others', unit: 'µs' },
    ],
    times: 3,
    measure: events,
  },
]
