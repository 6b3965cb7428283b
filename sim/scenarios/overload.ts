import type { Scenario } from '../scenario.ts'
import type { FaultStep } from '../schedule.ts'
import {
  beginMeasuring,
  COMMON,
  type CommonContext,
  type CommonName,
  calm,
  durationOf,
  startAll,
} from './common.ts'
import { crashes, play, sorted } from './faults.ts'

type Name = CommonName | 'stallMinMs' | 'stallMaxMs' | 'gapMs' | 'wholeHost' | 'durationMs' | 'kill'

/** Schedules are drawn for so long at a time, so that those of large clusters stay short. */
const SLICE_MS = 5000

export const overload: Scenario<Name> = {
  name: 'overload',
  docs:
    "Every node's event loop stalls again and again, at random, and some nodes crash meanwhile: who is wrongly declared failed " +
    '(all count as healthy), and how soon crashes are found.',
  page:
    'As on a machine with too much to do: each node stalls for a random time, again and again, so ' +
    'that acks come late everywhere. Measured: wrong verdicts, all of which count as healthy, and the ' +
    'detection of crashes in the same run: a detector that goes blind shows here. The defaults are ' +
    'the mildest row of the stress table; gapMs=300, then stallMaxMs=3000 with gapMs=500, then ' +
    'stallMinMs=500 with stallMaxMs=8000 are harder.',
  parameters: {
    ...COMMON,
    stallMinMs: { default: 50, min: 0, max: 600_000, docs: 'shortest stall' },
    stallMaxMs: { default: 800, min: 0, max: 600_000, docs: 'longest stall; all between are as likely' },
    gapMs: {
      default: 1000,
      min: 1,
      max: 600_000,
      docs: 'mean time between two stalls of a node; exponentially distributed',
    },
    wholeHost: { default: 0, min: 0, max: 1, docs: '1: kernels stand still, too; 0: only the process' },
    durationMs: { default: 180_000, min: 0, max: 86_400_000, docs: 'how long it goes on' },
    kill: { default: 12, min: 0, max: 1000, docs: 'nodes that crash meanwhile' },
  },
  lastsMs: ({ durationMs }) => durationMs + 45_000,
  async run(context) {
    const names = await startAll(context)
    beginMeasuring(context)
    const durationMs = durationOf(context, context.set.durationMs)
    const crashing = crashes(
      context,
      names.slice(1),
      Math.min(context.set.kill, names.length - 2),
      durationMs,
    )
    const nextStall = new Map(names.map((name) => [name, gap(context)]))
    context.progress(`all nodes stall, ${crashing.length} crash`)
    for (let from = 0; from < durationMs; from += SLICE_MS) {
      const until = Math.min(durationMs, from + SLICE_MS)
      const steps: FaultStep[] = []
      for (const [node, next] of nextStall) {
        let at = next
        while (at < until) {
          const ms = stall(context)
          steps.push({ at: at - from, kind: 'pause', node, ms, wholeHost: context.set.wholeHost >= 0.5 })
          at += ms + gap(context)
        }
        nextStall.set(node, at)
      }
      const now = crashing.filter(({ at }) => at >= from && at < until)
      await play(context, sorted([...steps, ...now.map((step) => ({ ...step, at: step.at - from }))]))
      const left = (context.measured.trafficFrom?.atMs ?? 0) + until - context.sim.now
      if (left > 0) await context.sim.advance(left)
    }
    await calm(context)
  },
}

function gap({ random, set }: CommonContext & { readonly set: Readonly<Record<Name, number>> }): number {
  return random.exponential(set.gapMs)
}

function stall({ random, set }: CommonContext & { readonly set: Readonly<Record<Name, number>> }): number {
  return set.stallMinMs + random.float() * Math.max(0, set.stallMaxMs - set.stallMinMs)
}
