import type { Scenario } from '../scenario.ts'
import { beginMeasuring, COMMON, type CommonName, calm, durationOf, startAll } from './common.ts'
import { crashes, play } from './faults.ts'
import { Spread, Workplace } from './networks.ts'

type Name = CommonName | 'durationMs' | 'kill' | 'entries'

const SPREAD_TIMEOUT_MS = 300_000

export const wan: Scenario<Name> = {
  name: 'wan',
  docs:
    'Three regions with long links that lose a little, and timings for such: nodes crash and entries are written. With ' +
    '--set topology=2 a lossy edge instead, with --set profile=0 the timings of a LAN.',
  page:
    'Three regions with a third of the nodes each; packets between them take 15 to 55 ms one way, and ' +
    'a few are lost or overtaken. Measured: detection of crashes, wrong verdicts, and the time that ' +
    'each entry takes to be at every node. The timings are those of the wan profile: slower to judge, ' +
    'since links are long.',
  parameters: {
    ...COMMON,
    topology: { ...COMMON.topology, default: 1 },
    profile: { ...COMMON.profile, default: 1 },
    loss: { ...COMMON.loss, default: 0.005 },
    reordering: { ...COMMON.reordering, default: 0.01 },
    durationMs: { default: 180_000, min: 0, max: 86_400_000, docs: 'how long it goes on' },
    kill: { default: 4, min: 0, max: 1000, docs: 'nodes that crash' },
    entries: { default: 60, min: 0, max: 100_000, docs: 'entries written, evenly' },
  },
  lastsMs: ({ durationMs }) => durationMs + 55_000,
  async run(context) {
    const { sim, random, set } = context
    const names = await startAll(context)
    const workplace = new Workplace(context, 'blue')
    await workplace.join(names)
    await sim.advance(30_000)
    beginMeasuring(context)
    const durationMs = durationOf(context, set.durationMs)
    const crashing = crashes(context, names.slice(1), Math.min(set.kill, names.length - 2), durationMs)
    const doomed = new Set(crashing.map((step) => ('node' in step ? step.node : '')))
    const writers = names.filter((name) => !doomed.has(name))
    const spread = new Spread(context, workplace, names)
    context.progress(`${crashing.length} nodes crash, ${set.entries} entries are written`)
    const writing = async (): Promise<void> => {
      for (let i = 0; i < set.entries; i++) {
        await sim.advance(durationMs / (set.entries + 1))
        spread.write(random.pick(writers), `entry-${i}`, workplace.value(64))
      }
    }
    await Promise.all([writing(), play(context, crashing, (node) => spread.forget(node))])
    await spread.finish(SPREAD_TIMEOUT_MS)
    context.measured.convergenceMs = spread.arrivedMs
    await calm(context)
  },
}
