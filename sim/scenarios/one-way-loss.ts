import type { Scenario } from '../scenario.ts'
import { beginMeasuring, COMMON, type CommonName, calm, durationOf, startAll } from './common.ts'
import { crashes, play, sorted } from './faults.ts'
import { ImpairedNodes } from './impaired.ts'

type Name = CommonName | 'share' | 'lost' | 'ingress' | 'durationMs' | 'kill'

export const oneWayLoss: Scenario<Name> = {
  name: 'one-way-loss',
  docs:
    'A few nodes lose most of what they send, or of what is sent to them (the experiment of the Rapid paper), and others crash ' +
    'meanwhile: how many healthy ones are wrongly declared failed, and how often the bad ones (anomalous).',
  page:
    'One node in a hundred, one at least, loses 80 % of its packets in one direction for five ' +
    'minutes. The bad nodes count as anomalous. Measured: healthy nodes that were wrongly removed, ' +
    'verdicts about the bad ones, the share of time for which these were out of the view of the ' +
    'healthy ones, and the detection of crashes of healthy nodes in the same run.',
  parameters: {
    ...COMMON,
    share: { default: 0.01, min: 0, max: 1, docs: 'share of the nodes that are bad; one at least' },
    lost: { default: 0.8, min: 0, max: 1, docs: 'share of their packets that is lost' },
    ingress: { default: 0, min: 0, max: 1, docs: '0: on their way out; 1: on their way in' },
    durationMs: { default: 300_000, min: 0, max: 86_400_000, docs: 'how long it goes on' },
    kill: { default: 4, min: 0, max: 1000, docs: 'healthy nodes that crash meanwhile' },
  },
  lastsMs: ({ durationMs }) => durationMs + 45_000,
  async run(context) {
    const { sim, random, set } = context
    const names = await startAll(context)
    beginMeasuring(context)
    const durationMs = durationOf(context, set.durationMs)
    const bad = random.sample(names, Math.max(1, Math.round(names.length * set.share)))
    const impaired = new ImpairedNodes(context, bad)
    const way = set.ingress >= 0.5 ? { ingress: set.lost } : { egress: set.lost }
    const healthy = names.filter((name) => !bad.includes(name))
    const crashing = crashes(context, healthy.slice(1), Math.min(set.kill, healthy.length - 2), durationMs)
    context.progress(`${bad.length} nodes lose ${set.lost * 100} % one way, ${crashing.length} crash`)
    const losing = bad.map((node) => ({ at: 0, kind: 'loss', node, ...way, ms: durationMs }) as const)
    await play(context, sorted([...losing, ...crashing]))
    impaired.finish()
    for (const node of bad) sim.setLoss(node, {})
    await calm(context)
  },
}
