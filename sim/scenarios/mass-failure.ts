import type { Scenario } from '../scenario.ts'
import { beginMeasuring, COMMON, type CommonName, calm, fillMinutes, reached, startAll } from './common.ts'
import { play } from './faults.ts'

type Name = CommonName | 'share' | 'wholeHost'

const DETECTION_TIMEOUT_MS = 300_000

export const massFailure: Scenario<Name> = {
  name: 'mass-failure',
  docs: 'A share of all nodes crashes in the same instant: how soon every survivor knows of all of them.',
  page:
    'A third of the nodes, or another share, crashes in one instant, so that helpers, verifiers and ' +
    'gossip targets die along with the members in question. Measured: the time from the crash to the ' +
    'first and to the last survivor that knows, for each that crashed.',
  parameters: {
    ...COMMON,
    share: { default: 1 / 3, min: 0, max: 1, docs: 'share of the nodes that crashes; two nodes survive' },
    wholeHost: { default: 1, min: 0, max: 1, docs: '1: the hosts fall silent; 0: their processes die' },
  },
  lastsMs: () => 60_000,
  async run(context) {
    const { observer, random, set } = context
    const names = await startAll(context)
    beginMeasuring(context)
    const victims = random.sample(names, Math.min(Math.round(names.length * set.share), names.length - 2))
    context.progress(`${victims.length} of ${names.length} nodes crash`)
    const kind = set.wholeHost >= 0.5 ? 'crash' : 'kill'
    await play(
      context,
      victims.map((node) => ({ at: 0, kind, node })),
    )
    await reached(context, () => observer.allNoticed(), DETECTION_TIMEOUT_MS)
    await calm(context)
    await fillMinutes(context)
  },
}
