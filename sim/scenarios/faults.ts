import { type FaultSchedule, type FaultStep, runSchedule } from '../schedule.ts'
import { type CommonContext, startNode } from './common.ts'

const SEEDS = 3

/** Carries out a schedule, and tells the observer who is gone; nodes that restart join through others that run. */
export async function play(
  context: CommonContext,
  schedule: FaultSchedule,
  stopped: (node: string) => void = () => {},
): Promise<void> {
  const { sim, observer } = context
  await runSchedule(sim, schedule, {
    start: (node) => startNode(context, node, { seeds: someSeeds(context, node) }),
    stopped(node) {
      observer.crashed(node)
      stopped(node)
    },
    startFailed(node, error) {
      context.measured.violations.push(`${node} did not start: ${error}`)
    },
  })
}

/** Addresses of a few nodes that run. */
export function someSeeds({ sim, random }: CommonContext, but: string): string[] {
  const others = sim.nodes.filter((node) => node !== but)
  return random.sample(others, SEEDS).map((node) => sim.address(node))
}

/** Crashes of so many of these nodes, evenly over a time and anywhere in the probe interval. */
export function crashes(
  { random }: CommonContext,
  candidates: readonly string[],
  count: number,
  overMs: number,
): FaultStep[] {
  const victims = random.sample(candidates, Math.max(0, Math.min(count, candidates.length)))
  const spacing = overMs / (victims.length + 1)
  return victims.map((node, i) => ({ at: spacing * (i + 0.5 + random.float()), kind: 'crash', node }))
}

/** Steps by time, as schedules are carried out fastest. */
export function sorted(steps: readonly FaultStep[]): FaultStep[] {
  return [...steps].sort((a, b) => a.at - b.at)
}
