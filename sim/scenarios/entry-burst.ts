import type { JoinedNetwork, Scenario } from '../scenario.ts'
import {
  beginMeasuring,
  COMMON,
  type CommonContext,
  type CommonName,
  fillMinutes,
  reached,
  startAll,
} from './common.ts'

type Name = CommonName | 'entries' | 'writers' | 'bytes'

const NETWORK = 'blue'
const TABLE = 'peers'
const CONVERGENCE_TIMEOUT_MS = 300_000
const QUIET_MS = 15_000

const RAW = {
  encode: (value: Uint8Array): Uint8Array => value,
  decode: (value: Uint8Array): Uint8Array => value,
}

export const entryBurst: Scenario<Name> = {
  name: 'entry-burst',
  docs: 'Entries are written all at once: how long until each of them is at every node.',
  parameters: {
    ...COMMON,
    entries: { default: 1000, min: 1, max: 1_000_000, docs: 'entries written at once, in all' },
    writers: { default: 1, min: 1, max: 10_000, docs: 'nodes that write them' },
    bytes: { default: 64, min: 1, max: 900, docs: 'size of each value' },
  },
  async run(context) {
    const { sim, set } = context
    const names = await startAll(context)
    context.progress(`everyone joins "${NETWORK}"`)
    const joined = await joinNetwork(context, names)
    await sim.advance(QUIET_MS)
    beginMeasuring(context)

    const missing = new Map<string, number>()
    const arrived: number[] = []
    const written = sim.now
    for (const network of joined.members.values()) {
      void follow(network.table(TABLE, RAW).watch(), (key) => {
        const left = missing.get(key)! - 1
        missing.set(key, left)
        if (left === 0) arrived.push(sim.now - written)
      })
    }
    const writers = context.random.sample(names, set.writers)
    context.progress(`${set.entries} entries`)
    for (let i = 0; i < set.entries; i++) {
      const key = `entry-${i}`
      const value = new Uint8Array(set.bytes)
      context.random.fill(value)
      missing.set(key, names.length)
      joined.members
        .get(writers[i % writers.length]!)!
        .table(TABLE, RAW)
        .set(key, value)
    }
    if (!(await reached(context, () => arrived.length === set.entries, CONVERGENCE_TIMEOUT_MS))) {
      context.measured.violations.push(
        `${set.entries - arrived.length} entries were not at every node ${CONVERGENCE_TIMEOUT_MS} ms after they were written`,
      )
    }
    context.measured.convergenceMs = arrived
    await sim.advance(QUIET_MS)
    await fillMinutes(context)
  },
}

async function joinNetwork(context: CommonContext, names: readonly string[]): Promise<JoinedNetwork> {
  const { sim } = context
  const joined: JoinedNetwork = { name: NETWORK, tables: [TABLE], members: new Map() }
  context.networks.push(joined)
  const joins = names.map(async (name) => {
    joined.members.set(name, await sim.cluster(name).joinNetwork(NETWORK))
  })
  await reached(context, () => joined.members.size === names.length, CONVERGENCE_TIMEOUT_MS)
  await Promise.all(joins)
  return joined
}

/** Tells the keys that a node's table sets from now on. */
async function follow(
  changes: AsyncIterable<{ readonly type: string; readonly key?: string }>,
  set: (key: string) => void,
): Promise<void> {
  for await (const change of changes) if (change.type === 'set') set(change.key!)
}
