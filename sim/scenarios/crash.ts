import type { Scenario } from '../scenario.ts'
import { Traffic } from '../traffic.ts'
import {
  beginMeasuring,
  COMMON,
  type CommonContext,
  type CommonName,
  fillMinutes,
  reached,
  startAll,
  startNode,
  totalRanMs,
  totalTraffic,
} from './common.ts'
import { someSeeds } from './faults.ts'

type Name = CommonName | 'kill' | 'spacingMs' | 'wholeHost' | 'hung' | 'restart'

const DETECTION_TIMEOUT_MS = 120_000
const RETURN_TIMEOUT_MS = 120_000
/** Crashes fall anywhere in a probe interval. */
const PHASE_MS = 1000
/** The time after a crash whose traffic is measured. */
const WINDOW_MS = 5000
const FOR_GOOD_MS = 86_400_000

export const crash: Scenario<Name> = {
  name: 'crash',
  docs: 'Nodes crash one after another: how soon the first survivor and every survivor knows.',
  page:
    'One node at a time crashes at a random moment, and the next one when every survivor knows and ' +
    'some calm has passed. Measured: the time from each crash to the first survivor that declares it ' +
    'failed, and to the last; traffic in the five seconds after each.',
  parameters: {
    ...COMMON,
    kill: { default: 10, min: 1, max: 1000, docs: 'hosts that crash, one after another; one survives' },
    spacingMs: { default: 5000, min: 0, max: 600_000, docs: 'calm between a detection and the next crash' },
    wholeHost: { default: 1, min: 0, max: 1, docs: '1: the host falls silent; 0: its process dies' },
    hung: { default: 0, min: 0, max: 1, docs: '1: the process hangs instead, and its kernel goes on' },
    restart: {
      default: 0,
      min: 0,
      max: 1,
      docs: '1: each comes back before the next crash, and may crash again',
    },
  },
  lastsMs: ({ kill, spacingMs, restart }) =>
    spacingMs + kill * ((1 + restart) * Math.max(spacingMs, WINDOW_MS - 2500) + PHASE_MS / 2 + 2500),
  async run(context) {
    const { sim, observer, random, set } = context
    const names = await startAll(context)
    beginMeasuring(context)
    const restart = set.restart >= 0.5
    const order = random.sample(names, names.length)
    const crashes = restart ? set.kill : Math.min(set.kill, names.length - 1)
    await sim.advance(set.spacingMs)
    for (let i = 0; i < crashes; i++) {
      const victim = order[i % order.length]!
      await sim.advance(random.float() * PHASE_MS)
      context.progress(`crash ${i + 1} of ${crashes}`)
      stop(context, victim)
      observer.crashed(victim)
      const noticed = async (): Promise<void> => {
        await reached(context, () => observer.allNoticed(), DETECTION_TIMEOUT_MS)
        await sim.advance(set.spacingMs)
      }
      await Promise.all([noticed(), measureAfterCrash(context)])
      if (set.hung >= 0.5) sim.kill(victim)
      if (restart) await comeBack(context, victim)
    }
    await fillMinutes(context)
  },
}

function stop(
  { sim, set }: CommonContext & { readonly set: Readonly<Record<Name, number>> },
  node: string,
): void {
  if (set.hung >= 0.5) sim.pause(node, FOR_GOOD_MS)
  else if (set.wholeHost >= 0.5) sim.crash(node)
  else sim.kill(node)
}

/** Adds what is sent from now on, for a while. */
async function measureAfterCrash(context: CommonContext): Promise<void> {
  const { sim, measured } = context
  const [traffic, ranMs] = [totalTraffic(context), totalRanMs(context)]
  await sim.advance(WINDOW_MS)
  const before = measured.afterCrash ?? { sent: new Traffic(), ranMs: 0 }
  measured.afterCrash = {
    windowMs: WINDOW_MS,
    sent: totalTraffic(context).add(traffic, -1).add(before.sent),
    ranMs: totalRanMs(context) - ranMs + before.ranMs,
  }
}

async function comeBack(
  context: CommonContext & { readonly set: Readonly<Record<Name, number>> },
  node: string,
): Promise<void> {
  const { sim, observer, measured, set } = context
  await startNode(context, node, { seeds: someSeeds(context, node) })
  if (!(await reached(context, () => observer.agreed(), RETURN_TIMEOUT_MS)))
    measured.violations.push(`${node} was not known again ${RETURN_TIMEOUT_MS} ms after its restart`)
  await sim.advance(set.spacingMs)
}
