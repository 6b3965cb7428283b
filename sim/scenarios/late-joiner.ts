import type { Scenario } from '../scenario.ts'
import {
  beginMeasuring,
  COMMON,
  type CommonName,
  calm,
  nodeNames,
  reached,
  startAll,
  startNode,
} from './common.ts'
import { someSeeds } from './faults.ts'
import { LEAST_VALUE_BYTES, Workplace } from './networks.ts'

type Name = CommonName | 'entries' | 'writers' | 'bytes' | 'holders'

const SPREAD_TIMEOUT_MS = 600_000
const SLICE = 1000
const SLICE_MS = 100

export const lateJoiner: Scenario<Name> = {
  name: 'late-joiner',
  docs: 'One node comes late, into a network that has many entries: how long until it has them all, and what that costs.',
  page:
    'Some nodes join a network and fill it; then one more node starts, joins the cluster and the ' +
    'network. Measured: the time from its start until it holds every entry, and the traffic of all ' +
    'nodes from that moment on. Memory grows with entries times holders.',
  parameters: {
    ...COMMON,
    entries: { default: 100_000, min: 1, max: 1_000_000, docs: 'entries that there are' },
    writers: { default: 10, min: 1, max: 10_000, docs: 'nodes that wrote them' },
    bytes: { default: 64, min: LEAST_VALUE_BYTES, max: 900, docs: 'size of each value' },
    holders: { default: 10, min: 1, max: 10_000, docs: 'nodes that have joined the network before' },
  },
  async run(context) {
    const { sim, random, set } = context
    const late = nodeNames(context.nodes).at(-1)!
    const names = await startAll({ ...context, nodes: context.nodes - 1 })
    const holders = names.slice(0, set.holders)
    const workplace = new Workplace(context, 'blue')
    await workplace.join(holders)
    const writers = random.sample(holders, set.writers)
    context.progress(`${set.entries} entries`)
    for (let i = 0; i < set.entries; i++) {
      workplace.table(writers[i % writers.length]!).set(`entry-${i}`, workplace.value(set.bytes))
      if (i % SLICE === SLICE - 1) await sim.advance(SLICE_MS)
    }
    const complete = (node: string): boolean => count(workplace.table(node).entries()) === set.entries
    for (const holder of holders) {
      while (!complete(holder) && sim.now < SPREAD_TIMEOUT_MS) await sim.advance(1000)
    }
    await sim.advance(10_000)
    beginMeasuring(context)
    context.progress('one more node joins')
    const began = sim.now
    await startNode(context, late, { seeds: someSeeds(context, late) })
    await workplace.join([late])
    const synced = await reached(context, () => workplace.members.get(late)!.synced, SPREAD_TIMEOUT_MS)
    while (!complete(late) && sim.now - began < SPREAD_TIMEOUT_MS) await sim.advance(100)
    if (!synced || !complete(late)) {
      context.measured.violations.push(`${late} had not all entries ${SPREAD_TIMEOUT_MS} ms after its start`)
    } else {
      context.measured.convergenceMs = [sim.now - began]
    }
    await calm(context)
  },
}

function count(entries: Iterable<unknown>): number {
  let found = 0
  for (const _ of entries) found++
  return found
}
