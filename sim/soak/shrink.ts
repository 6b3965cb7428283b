import type { SoakPlan } from './plan.ts'
import { runSoak, type SoakResult } from './soak-run.ts'

export interface Shrunk {
  readonly plan: SoakPlan
  readonly result: SoakResult
  readonly runs: number
}

/** The rule that a violation names: what stands before the first colon. */
function ruleOf(result: SoakResult): string {
  return (result.violations[0] ?? '').split(':', 1)[0]!
}

/**
 * Looks for a shorter plan that violates the same rule, with the inner seed fixed: first fewer faults, then fewer operations. Takes
 * at most `timeLimitMs` of real time for each. Needs fast-check, which is there in a checkout only.
 */
export async function shrinkPlan(plan: SoakPlan, result: SoakResult, timeLimitMs: number): Promise<Shrunk> {
  const faults = await shrinkList(plan, result, timeLimitMs, plan.faults, (some) => ({
    ...plan,
    faults: some,
  }))
  const { plan: fewer } = faults
  const operations = await shrinkList(fewer, faults.result, timeLimitMs, fewer.operations, (some) => ({
    ...fewer,
    operations: some,
  }))
  return { ...operations, runs: faults.runs + operations.runs }
}

/** Shrinks one list of a plan: to none at all if that fails, too, else as fast-check shrinks the list of its indexes. */
async function shrinkList<T>(
  plan: SoakPlan,
  result: SoakResult,
  timeLimitMs: number,
  list: readonly T[],
  withList: (some: readonly T[]) => SoakPlan,
): Promise<Shrunk> {
  let best: Shrunk = { plan, result, runs: 0 }
  let runs = 0
  let fewest = list.length
  const rule = ruleOf(result)
  const holds = async (indexes: readonly number[]): Promise<boolean> => {
    runs++
    const some = withList([...indexes].sort((one, other) => one - other).map((index) => list[index]!))
    const found = await runSoak(some)
    if (found.violations.length === 0 || ruleOf(found) !== rule) return true
    if (indexes.length < fewest) {
      fewest = indexes.length
      best = { plan: some, result: found, runs }
    }
    return false
  }
  if (list.length > 0 && (await holds([]))) {
    const fc = await import('fast-check')
    const indexes = fc.uniqueArray(fc.nat({ max: list.length - 1 }), { maxLength: list.length })
    await fc.check(fc.asyncProperty(indexes, holds), {
      examples: [[list.map((_, index) => index)]],
      numRuns: 1,
      interruptAfterTimeLimit: timeLimitMs,
    })
  }
  return { ...best, runs }
}
