import type { Scenario } from '../scenario.ts'
import type { FaultStep } from '../schedule.ts'
import { beginMeasuring, COMMON, type CommonName, calm, durationOf, startAll } from './common.ts'
import { crashes, play, sorted } from './faults.ts'
import { ImpairedNodes } from './impaired.ts'

type Name = CommonName | 'slow' | 'blockedMs' | 'normalMs' | 'together' | 'wholeHost' | 'durationMs' | 'kill'

export const slowNodes: Scenario<Name> = {
  name: 'slow-nodes',
  docs:
    "Some members alternate between blocked and normal, as in Lifeguard's experiments, and others crash meanwhile: who is wrongly " +
    'declared failed (anomalous: the blocked ones, or by them), and how soon crashes are found.',
  page:
    "Lifeguard's anomaly model: the slow members are blocked for a time, run for a time, and so on, " +
    'each with its own phase or all together. Their event loop stalls while their kernel answers, ' +
    'unless whole hosts stand still. Measured: verdicts between healthy nodes (healthy), those by or ' +
    'about slow ones (anomalous), and the detection of crashes of healthy nodes in the same run.',
  parameters: {
    ...COMMON,
    slow: { default: 10, min: 0, max: 10_000, docs: 'members that are blocked now and then' },
    blockedMs: { default: 2000, min: 1, max: 600_000, docs: 'time for which they are blocked' },
    normalMs: { default: 4000, min: 1, max: 600_000, docs: 'time between' },
    together: { default: 0, min: 0, max: 1, docs: '1: all are blocked at once; 0: each at its own times' },
    wholeHost: { default: 0, min: 0, max: 1, docs: '1: their kernels stand still, too; 0: only the process' },
    durationMs: { default: 180_000, min: 0, max: 86_400_000, docs: 'how long it goes on' },
    kill: { default: 6, min: 0, max: 1000, docs: 'healthy nodes that crash meanwhile' },
  },
  lastsMs: ({ durationMs }) => durationMs + 50_000,
  async run(context) {
    const { random, set } = context
    const names = await startAll(context)
    beginMeasuring(context)
    const durationMs = durationOf(context, set.durationMs)
    const slow = random.sample(names, Math.min(set.slow, names.length - 2))
    const impaired = new ImpairedNodes(context, slow)
    const period = set.blockedMs + set.normalMs
    const steps: FaultStep[] = slow.flatMap((node) => {
      const phase = set.together >= 0.5 ? 0 : random.float() * period
      const times = Math.max(0, Math.ceil((durationMs - phase) / period))
      return Array.from({ length: times }, (_, i) => {
        const at = phase + i * period
        return { at, kind: 'pause', node, ms: set.blockedMs, wholeHost: set.wholeHost >= 0.5 } as const
      })
    })
    const healthy = names.filter((name) => !slow.includes(name))
    const crashing = crashes(context, healthy.slice(1), set.kill, durationMs)
    context.progress(`${slow.length} nodes are slow, ${crashing.length} crash`)
    await play(context, sorted([...steps, ...crashing]))
    impaired.finish()
    await calm(context)
  },
}
