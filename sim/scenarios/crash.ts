import type { Scenario } from '../scenario.ts'
import { beginMeasuring, COMMON, type CommonName, fillMinutes, reached, startAll } from './common.ts'

type Name = CommonName | 'kill' | 'spacingMs' | 'wholeHost'

const DETECTION_TIMEOUT_MS = 120_000
/** Crashes fall anywhere in a probe interval. */
const PHASE_MS = 1000

export const crash: Scenario<Name> = {
  name: 'crash',
  docs: 'Nodes crash one after another: how soon the first survivor and every survivor knows.',
  page:
    'One node at a time crashes at a random moment, and the next one when every survivor knows and ' +
    'some calm has passed. Measured: the time from each crash to the first survivor that declares it ' +
    'failed, and to the last.',
  parameters: {
    ...COMMON,
    kill: { default: 10, min: 1, max: 1000, docs: 'hosts that crash, one after another' },
    spacingMs: { default: 5000, min: 0, max: 600_000, docs: 'calm between a detection and the next crash' },
    wholeHost: { default: 1, min: 0, max: 1, docs: '1: the host falls silent; 0: its process dies' },
  },
  lastsMs: ({ kill, spacingMs }) => kill * (spacingMs + PHASE_MS / 2 + 2500) + spacingMs,
  async run(context) {
    const { sim, observer, random, set } = context
    const names = await startAll(context)
    beginMeasuring(context)
    const victims = random.sample(names, Math.min(set.kill, names.length - 2))
    for (const [i, victim] of victims.entries()) {
      await sim.advance(set.spacingMs + random.float() * PHASE_MS)
      context.progress(`crash ${i + 1} of ${victims.length}`)
      if (set.wholeHost >= 0.5) sim.crash(victim)
      else sim.kill(victim)
      observer.crashed(victim)
      await reached(context, () => observer.allNoticed(), DETECTION_TIMEOUT_MS)
    }
    await sim.advance(set.spacingMs)
    await fillMinutes(context)
  },
}
