import type { FaultStep } from '../schedule.ts'
import type { SoakPlan } from './plan.ts'

/** The plan with some of its nodes only, if any: what the others do and suffer is left out. There is always somebody in the core. */
export function withNodes(plan: SoakPlan, nodes: readonly string[]): SoakPlan | undefined {
  const [first] = nodes
  if (first === undefined) return undefined
  const kept = new Set(nodes)
  const among = (names: readonly string[]): string[] => names.filter((name) => kept.has(name))
  const core = among(plan.core)
  if (core.length === 0) core.push(first)
  return {
    ...plan,
    nodes,
    core,
    cut: among(plan.cut).filter((name) => !core.includes(name)),
    faults: plan.faults.flatMap((step) => stepAmong(step, among)),
    operations: plan.operations.filter(({ node }) => kept.has(node)),
  }
}

function stepAmong(step: FaultStep, among: (names: readonly string[]) => string[]): FaultStep[] {
  switch (step.kind) {
    case 'heal':
      return [step]
    case 'partition': {
      const groups = step.groups.map(among).filter((group) => group.length > 0)
      return groups.length > 1 ? [{ ...step, groups }] : []
    }
    case 'one-way': {
      const [from, to] = [among(step.from), among(step.to)]
      return from.length > 0 && to.length > 0 ? [{ ...step, from, to }] : []
    }
    default:
      return among([step.node]).length > 0 ? [step] : []
  }
}

/** Gives every time and duration of a plan, in an order that only the plan's lists decide. `least` is what it may be at least. */
type EachTime = (ms: number, least: number) => number

/** The plan with other times; its operations stay in order. */
function mapTimes(plan: SoakPlan, each: EachTime): SoakPlan {
  const faults = plan.faults.map((step) => stepWith(step, each))
  const operations = plan.operations.map((operation) => ({ ...operation, at: each(operation.at, 0) }))
  return {
    ...plan,
    staggerMs: each(plan.staggerMs, 0),
    safetyMs: each(plan.safetyMs, 0),
    faults,
    operations: operations.sort((one, other) => one.at - other.at),
  }
}

function stepWith(step: FaultStep, each: EachTime): FaultStep {
  const moved = { ...step, at: each(step.at, 0) }
  const shorter = 'ms' in moved && moved.ms !== undefined ? { ...moved, ms: each(moved.ms, 0) } : moved
  if (shorter.kind !== 'slow') return shorter
  return { ...shorter, blockedMs: each(shorter.blockedMs, 1), normalMs: each(shorter.normalMs, 0) }
}

/** The times and durations of a plan, in whole ms. */
export function timesOf(plan: SoakPlan): { readonly ms: number; readonly least: number }[] {
  const times: { ms: number; least: number }[] = []
  mapTimes(plan, (ms, least) => {
    times.push({ ms: Math.max(least, Math.floor(ms)), least })
    return ms
  })
  return times
}

/** The plan with these in place of `timesOf`. */
export function withTimes(plan: SoakPlan, times: readonly number[]): SoakPlan {
  let next = 0
  return mapTimes(plan, () => times[next++]!)
}
