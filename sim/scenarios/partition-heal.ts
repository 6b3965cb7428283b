import type { Scenario } from '../scenario.ts'
import { beginMeasuring, COMMON, type CommonName, fillMinutes, reached, startAll } from './common.ts'

type Name = CommonName | 'share' | 'cutMs'

const HEAL_TIMEOUT_MS = 600_000
const QUIET_MS = 20_000

export const partitionHeal: Scenario<Name> = {
  name: 'partition-heal',
  docs: 'The cluster is cut in two and healed: how long until each node knows everyone again.',
  page:
    'The cluster is cut in two, each side is to see just itself, and the cut ends. Measured: the time ' +
    'from then until each node knows everyone again. Verdicts across the cut are right; those within ' +
    'a side are false positives.',
  parameters: {
    ...COMMON,
    share: { default: 0.5, min: 0, max: 1, docs: 'share of the nodes on the first side' },
    cutMs: { default: 60_000, min: 0, max: 3_600_000, docs: 'how long the partition lasts' },
  },
  lastsMs: ({ cutMs }) => cutMs + QUIET_MS + 2000,
  async run(context) {
    const { sim, observer, set } = context
    const names = await startAll(context)
    beginMeasuring(context)
    const here = context.random.sample(names, Math.round(names.length * set.share))
    const there = names.filter((name) => !here.includes(name))
    const side = new Set(here)
    // News of the other side's failure may still be on their way after the partition has healed.
    observer.excuse((one, other) => side.has(one) !== side.has(other))
    context.progress(`partition ${here.length} | ${there.length}`)
    const heal = sim.partition(here, there)
    await sim.advance(set.cutMs)
    for (const group of [here, there]) {
      const blind = group.filter((name) => !observer.sees(name, group))
      if (blind.length > 0 && set.cutMs >= 60_000) {
        context.measured.violations.push(
          `after ${set.cutMs} ms of partition ${blind.length} nodes did not see just their own side`,
        )
      }
    }
    heal()
    const healed = sim.now
    context.progress('healed')
    const again = new Map<string, number>()
    const looking = (): boolean => {
      for (const name of names) {
        if (!again.has(name) && observer.sees(name, names)) again.set(name, sim.now - healed)
      }
      return observer.agreed()
    }
    if (!(await reached(context, looking, HEAL_TIMEOUT_MS))) {
      context.measured.violations.push(
        `not everyone knew everyone ${HEAL_TIMEOUT_MS} ms after the partition had healed`,
      )
    }
    context.measured.convergenceMs = [...again.values()]
    await sim.advance(QUIET_MS)
    await fillMinutes(context)
  },
}
