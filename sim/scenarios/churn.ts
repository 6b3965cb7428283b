import type { Scenario } from '../scenario.ts'
import type { FaultStep } from '../schedule.ts'
import { beginMeasuring, COMMON, type CommonName, calm, durationOf, startAll } from './common.ts'
import { play, sorted } from './faults.ts'

type Name = CommonName | 'perMinute' | 'downMs' | 'wholeHost' | 'durationMs'

export const churn: Scenario<Name> = {
  name: 'churn',
  docs: 'Nodes crash at random and start again after a while, under their names: who is wrongly declared failed meanwhile.',
  page:
    'Crashes come at random times; each node that crashed starts again after a random while, through ' +
    'others that run then. Measured: detection of the crashes that lasted long enough, and wrong ' +
    'verdicts. A verdict about the former life of a node that runs again is right.',
  parameters: {
    ...COMMON,
    perMinute: { default: 30, min: 0, max: 100_000, docs: 'crashes a minute in the whole cluster' },
    downMs: { default: 15_000, min: 0, max: 3_600_000, docs: 'mean time until such a node starts again' },
    wholeHost: { default: 1, min: 0, max: 1, docs: '1: hosts fall silent; 0: processes die' },
    durationMs: { default: 120_000, min: 0, max: 86_400_000, docs: 'how long it goes on' },
  },
  lastsMs: ({ durationMs, downMs }) => durationMs + downMs + 45_000,
  async run(context) {
    const { random, set } = context
    const names = await startAll(context)
    beginMeasuring(context)
    const durationMs = durationOf(context, set.durationMs)
    const kind = set.wholeHost >= 0.5 ? 'crash' : 'kill'
    const steps: FaultStep[] = []
    // The first node stays, so that there is always somebody to join.
    const backAt = new Map(names.slice(1).map((name) => [name, 0]))
    const meanGapMs = set.perMinute === 0 ? Number.POSITIVE_INFINITY : 60_000 / set.perMinute
    for (let at = random.exponential(meanGapMs); at < durationMs; at += random.exponential(meanGapMs)) {
      const running = [...backAt].filter(([, back]) => back < at).map(([name]) => name)
      if (running.length < 2) continue
      const node = random.pick(running)
      const back = at + random.exponential(set.downMs)
      steps.push({ at, kind, node }, { at: back, kind: 'restart', node })
      backAt.set(node, back)
    }
    context.progress(`${steps.length / 2} nodes crash and come back`)
    await play(context, sorted(steps))
    await calm(context)
  },
}
