import type { Scenario } from '../scenario.ts'
import { beginMeasuring, COMMON, type CommonName, calm, durationOf, startAll } from './common.ts'
import { crashes, play } from './faults.ts'
import { Spread, Workplace } from './networks.ts'

type Name = CommonName | 'durationMs' | 'kill' | 'entries'

const SPREAD_TIMEOUT_MS = 120_000

export const lossy: Scenario<Name> = {
  name: 'lossy',
  docs:
    'The network loses packets, 0 to 40 %, from when everyone has joined; entries are written and nodes crash meanwhile: who is ' +
    'wrongly declared failed, how soon crashes are found, how long entries take to be everywhere.',
  page:
    'Everyone joins on a clean network and joins one table network; then packets are lost at the rate ' +
    'of --set loss. Measured: wrong verdicts, the detection of crashes in the same run, and the time ' +
    'that each entry takes to be at every node.',
  parameters: {
    ...COMMON,
    loss: { ...COMMON.loss, default: 0.1 },
    durationMs: { default: 300_000, min: 0, max: 86_400_000, docs: 'how long it goes on' },
    kill: { default: 6, min: 0, max: 1000, docs: 'nodes that crash meanwhile' },
    entries: { default: 60, min: 0, max: 100_000, docs: 'entries written meanwhile, evenly' },
  },
  lastsMs: ({ durationMs }) => durationMs + 45_000,
  async run(context) {
    const { sim, random, set } = context
    const { network } = sim.world
    network.loss = 0
    const names = await startAll(context)
    const workplace = new Workplace(context, 'blue')
    await workplace.join(names)
    await sim.advance(10_000)
    beginMeasuring(context)
    network.loss = set.loss
    const durationMs = durationOf(context, set.durationMs)
    const crashing = crashes(context, names.slice(1), Math.min(set.kill, names.length - 2), durationMs)
    const doomed = new Set(crashing.map((step) => ('node' in step ? step.node : '')))
    const spread = new Spread(context, workplace, names)
    const writers = names.filter((name) => !doomed.has(name))
    context.progress(`${set.loss * 100} % of packets are lost`)
    const ended = sim.now + durationMs
    const writing = async (): Promise<void> => {
      for (let i = 0; i < set.entries; i++) {
        await sim.advance(durationMs / (set.entries + 1))
        spread.write(random.pick(writers), `entry-${i}`, workplace.value(64))
      }
    }
    await Promise.all([writing(), play(context, crashing, (node) => spread.forget(node))])
    if (sim.now < ended) await sim.advance(ended - sim.now)
    await spread.finish(SPREAD_TIMEOUT_MS)
    context.measured.convergenceMs = spread.arrivedMs
    network.loss = 0
    await calm(context)
  },
}
