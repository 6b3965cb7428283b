import type { Scenario } from '../scenario.ts'
import {
  beginMeasuring,
  COMMON,
  type CommonContext,
  type CommonName,
  fillMinutes,
  reached,
  startAll,
} from './common.ts'

type Name = CommonName | 'parts' | 'share' | 'cutMs'

const HEAL_TIMEOUT_MS = 600_000
const QUIET_MS = 20_000

export const partitionHeal: Scenario<Name> = {
  name: 'partition-heal',
  docs: 'The cluster is cut in two or more and healed: how long until each node knows everyone again.',
  page:
    'The cluster is cut, each side is to see just itself, and the cut ends. Measured: the time ' +
    'from then until each node knows everyone again. Verdicts across the cut are right; those within ' +
    'a side are false positives.',
  parameters: {
    ...COMMON,
    parts: { default: 2, min: 2, max: 100, docs: 'sides; more than two are of equal size' },
    share: { default: 0.5, min: 0, max: 1, docs: 'share of the nodes on the first of two sides' },
    cutMs: { default: 60_000, min: 0, max: 3_600_000, docs: 'how long the partition lasts' },
  },
  lastsMs: ({ cutMs }) => cutMs + QUIET_MS + 2000,
  async run(context) {
    const { sim, observer, set } = context
    const names = await startAll(context)
    beginMeasuring(context)
    const groups = sides(context, names)
    const side = new Map(groups.flatMap((group, number) => group.map((name) => [name, number])))
    // News of the other side's failure may still be on their way after the partition has healed.
    observer.excuse((one, other) => side.get(one) !== side.get(other))
    context.progress(`partition ${groups.map(({ length }) => length).join(' | ')}`)
    const heal = sim.partition(...groups)
    await sim.advance(set.cutMs)
    for (const group of groups) {
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

/** Which nodes stay together. */
function sides(
  { random, set }: CommonContext & { readonly set: Readonly<Record<Name, number>> },
  names: readonly string[],
): string[][] {
  if (set.parts < 3) {
    const here = random.sample(names, Math.round(names.length * set.share))
    return [here, names.filter((name) => !here.includes(name))]
  }
  const parts = Math.floor(set.parts)
  const shuffled = random.sample(names, names.length)
  return Array.from({ length: parts }, (_, part) => shuffled.filter((_, i) => i % parts === part))
}
