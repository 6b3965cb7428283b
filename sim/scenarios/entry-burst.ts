import type { Scenario } from '../scenario.ts'
import { beginMeasuring, COMMON, type CommonName, fillMinutes, startAll } from './common.ts'
import { LEAST_VALUE_BYTES, Spread, Workplace } from './networks.ts'

type Name = CommonName | 'entries' | 'writers' | 'bytes' | 'outsiders'

const SPREAD_TIMEOUT_MS = 300_000
const QUIET_MS = 15_000

export const entryBurst: Scenario<Name> = {
  name: 'entry-burst',
  docs: 'Entries are written all at once: how long until each of them is at every node that joined their network.',
  page:
    'All nodes, or a share, join a network; some write many entries in one instant, more than packets ' +
    'carry well. Measured: for each entry the time until every node that joined has it. Nodes that ' +
    'did not join must be given none of them.',
  parameters: {
    ...COMMON,
    entries: { default: 1000, min: 1, max: 1_000_000, docs: 'entries written at once, in all' },
    writers: { default: 1, min: 1, max: 10_000, docs: 'nodes that write them' },
    bytes: { default: 64, min: LEAST_VALUE_BYTES, max: 900, docs: 'size of each value' },
    outsiders: { default: 0, min: 0, max: 1, docs: 'share of the nodes that do not join the network' },
  },
  async run(context) {
    const { sim, random, set } = context
    const names = await startAll(context)
    const outside = Math.min(Math.round(names.length * set.outsiders), names.length - 1)
    const inside = names.slice(0, names.length - outside)
    const workplace = new Workplace(context, 'blue')
    context.progress(`${inside.length} nodes join "blue"`)
    await workplace.join(inside)
    await sim.advance(QUIET_MS)
    beginMeasuring(context)
    const spread = new Spread(context, workplace, inside)
    const writers = random.sample(inside, set.writers)
    context.progress(`${set.entries} entries`)
    for (let i = 0; i < set.entries; i++) {
      spread.write(writers[i % writers.length]!, `entry-${i}`, workplace.value(set.bytes))
    }
    await spread.finish(SPREAD_TIMEOUT_MS)
    context.measured.convergenceMs = spread.arrivedMs
    await sim.advance(QUIET_MS)
    await fillMinutes(context)
  },
}
