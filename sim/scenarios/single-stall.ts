import type { Scenario } from '../scenario.ts'
import { beginMeasuring, COMMON, type CommonName, calm, fillMinutes, startAll } from './common.ts'
import { ImpairedNodes } from './impaired.ts'

type Name = CommonName | 'stalls' | 'stallMs' | 'spacingMs' | 'wholeHost'

/** Stalls fall anywhere in a probe interval. */
const PHASE_MS = 1000
const QUIET_MS = 10_000

export const singleStall: Scenario<Name> = {
  name: 'single-stall',
  docs: 'One node at a time stands still for a while, in a cluster where all else is well: whether it is declared failed.',
  page:
    'One node stalls once, goes on, and after some calm another one stalls. With wholeHost=1 its kernel ' +
    'stands still as well, which nobody can tell from a crash. Measured: how many of those nodes some ' +
    'other declared failed, and for which share of the time they were out of view.',
  parameters: {
    ...COMMON,
    stalls: { default: 4, min: 1, max: 1000, docs: 'stalls, each of another node; two nodes never stall' },
    stallMs: { default: 3000, min: 0, max: 3_600_000, docs: 'how long each lasts' },
    wholeHost: { default: 0, min: 0, max: 1, docs: '1: the kernel stands still, too; 0: only the process' },
    spacingMs: {
      default: 60_000,
      min: 0,
      max: 3_600_000,
      docs: 'calm after each stall, in which a false alarm is forgotten',
    },
  },
  lastsMs: ({ stalls, stallMs, spacingMs }) => stalls * (stallMs + spacingMs + PHASE_MS / 2) + QUIET_MS,
  async run(context) {
    const { sim, random, set } = context
    const names = await startAll(context)
    beginMeasuring(context)
    const stalling = random.sample(names, Math.min(set.stalls, names.length - 2))
    const impaired = new ImpairedNodes(context, stalling)
    for (const [i, node] of stalling.entries()) {
      await sim.advance(random.float() * PHASE_MS)
      context.progress(`stall ${i + 1} of ${stalling.length}`)
      sim.pause(node, set.stallMs, { wholeHost: set.wholeHost >= 0.5 })
      await sim.advance(set.stallMs + set.spacingMs)
    }
    impaired.finish()
    await calm(context, QUIET_MS)
    await fillMinutes(context)
  },
}
