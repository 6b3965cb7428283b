import type { Arbitrary } from 'fast-check'
import type { SoakPlan } from './plan.ts'
import { timesOf, withNodes, withTimes } from './smaller-plans.ts'
import { runSoak, type SoakResult } from './soak-run.ts'

export interface Shrunk {
  readonly plan: SoakPlan
  readonly result: SoakResult
  readonly runs: number
}

type Run = (plan: SoakPlan) => Promise<SoakResult>

/**
 * Looks for a smaller plan that violates the same rule, with the inner seed fixed: fewer faults, operations and nodes, then earlier and
 * shorter ones, over and over until nothing helps. Every plan that it tries is valid. Takes about `timeLimitMs` of real time at most.
 * Needs fast-check, which is there in a checkout only.
 */
export async function shrinkPlan(
  plan: SoakPlan,
  result: SoakResult,
  timeLimitMs: number,
  run: Run = runSoak,
): Promise<Shrunk> {
  const fc = await import('fast-check')
  const search = new Search(fc, { plan, result, runs: 0 }, performance.now() + timeLimitMs, run)
  for (let before: SoakPlan | undefined; before !== search.best.plan && search.leftMs > 0; ) {
    before = search.best.plan
    await search.fewer(
      ({ faults }) => faults,
      (base, faults) => ({ ...base, faults }),
    )
    await search.fewer(
      ({ operations }) => operations,
      (base, operations) => ({ ...base, operations }),
    )
    await search.fewer(({ nodes }) => nodes, withNodes)
    await search.sooner()
  }
  return search.best
}

/** The rule that a violation names: what stands before the first colon. */
function ruleOf(result: SoakResult): string {
  return (result.violations[0] ?? '').split(':', 1)[0]!
}

class Search {
  best: Shrunk
  readonly #fc: typeof import('fast-check')
  readonly #deadline: number
  readonly #run: Run
  readonly #rule: string

  constructor(fc: typeof import('fast-check'), from: Shrunk, deadline: number, run: Run) {
    this.best = from
    this.#fc = fc
    this.#deadline = deadline
    this.#run = run
    this.#rule = ruleOf(from.result)
  }

  get leftMs(): number {
    return Math.max(0, this.#deadline - performance.now())
  }

  /** Leaves out items of a list: all of them if that fails, too, else as fast-check shrinks it. */
  async fewer<T>(
    itemsOf: (plan: SoakPlan) => readonly T[],
    withItems: (base: SoakPlan, items: readonly T[]) => SoakPlan | undefined,
  ): Promise<void> {
    const { plan: base } = this.best
    const items = itemsOf(base)
    if (items.length === 0 || (await this.#fails(withItems(base, [])))) return
    await this.#shrink(this.#fc.subarray([...items]), [...items], (some) => withItems(base, some))
  }

  /** Shrinks times and durations, each on its own. */
  async sooner(): Promise<void> {
    const { plan: base } = this.best
    const times = timesOf(base)
    const candidates = times.map(({ ms, least }) => this.#fc.integer({ min: least, max: ms }))
    await this.#shrink(
      this.#fc.tuple(...candidates),
      times.map(({ ms }) => ms),
      (chosen) => withTimes(base, chosen),
    )
  }

  /** Goes from `start`, which fails, to what fails and is smaller. */
  async #shrink<T>(
    arbitrary: Arbitrary<T>,
    start: T,
    candidate: (value: T) => SoakPlan | undefined,
  ): Promise<void> {
    const { asyncProperty, check } = this.#fc
    const holds = asyncProperty(arbitrary, async (value) => !(await this.#fails(candidate(value))))
    await check(holds, {
      examples: [[start]],
      numRuns: 1,
      interruptAfterTimeLimit: this.leftMs,
    })
  }

  /** Whether a plan violates the rule, too; then it is the best so far. */
  async #fails(plan: SoakPlan | undefined): Promise<boolean> {
    if (plan === undefined || this.leftMs === 0) return false
    if (JSON.stringify(plan) === JSON.stringify(this.best.plan)) return true
    const result = await this.#run(plan)
    const fails = result.violations.length > 0 && ruleOf(result) === this.#rule
    const runs = this.best.runs + 1
    this.best = fails ? { plan, result, runs } : { ...this.best, runs }
    return fails
  }
}
