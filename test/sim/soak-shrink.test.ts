import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parsePlan } from '../../sim/soak/parse-plan.ts'
import type { SoakPlan } from '../../sim/soak/plan.ts'
import { shrinkPlan } from '../../sim/soak/shrink.ts'
import { timesOf, withNodes, withTimes } from '../../sim/soak/smaller-plans.ts'
import { runSoak, type SoakResult } from '../../sim/soak/soak-run.ts'
import { emptyTally } from '../../sim/soak/sometimes.ts'
import { drawPlan } from '../../sim/soak/swarm.ts'
import { calm } from './soak-plans.ts'

const LIMIT_MS = 20_000

/** What a run of a plan would have come to, had it violated a rule or not. */
function outcome(plan: SoakPlan, violation: string | undefined): SoakResult {
  return {
    seed: plan.seed,
    violations: violation === undefined ? [] : [violation],
    phase: 'safety',
    virtualMs: 0,
    events: 0,
    traceHash: '',
    convergenceMs: undefined,
    tally: emptyTally(),
  }
}

/** Shrinks with a rule that is about the plan itself; every plan that is tried must be valid. */
async function shrunk(plan: SoakPlan, violation: (plan: SoakPlan) => string | undefined): Promise<SoakPlan> {
  const run = (tried: SoakPlan): Promise<SoakResult> => {
    parsePlan(tried)
    expect(tried.seed).toBe(plan.seed)
    return Promise.resolve(outcome(tried, violation(tried)))
  }
  return (await shrinkPlan(plan, await run(plan), LIMIT_MS, run)).plan
}

describe('shrinking', () => {
  it('finds the few nodes, faults, operations and times of a large plan that break a rule', async () => {
    const drawn = drawPlan(3)
    expect(drawn.nodes).toContain('n9')
    const faults = [
      ...drawn.faults,
      { at: 9_000, kind: 'partition', groups: [['n2', 'n7', 'n9'], ['n1', 'n3', 'n4'], ['n8']], ms: 7_000 },
      { at: 11_000, kind: 'slow', node: 'n7', ms: 5_000, blockedMs: 700, normalMs: 30 },
    ] as const
    const operations = [...drawn.operations, { at: 3e7, node: 'n3', kind: 'metadata', value: 1 }] as const
    const plan = { ...drawn, faults, operations, core: ['n4', 'n5'], cut: [] }
    const small = await shrunk(plan, ({ faults: some, operations: those }) => {
      const apart = some.some(
        (step) =>
          step.kind === 'partition' &&
          (step.ms ?? 0) >= 1_234 &&
          step.groups.some((group) => group.includes('n7') && !group.includes('n3')),
      )
      const told = those.some(({ kind, node }) => kind === 'metadata' && node === 'n3')
      return apart && told ? 'a broken rule: ever anew' : undefined
    })
    expect(small.nodes).toEqual(['n3', 'n7'])
    expect(small.core).toEqual(['n3'])
    expect(small.faults).toEqual([{ at: 0, kind: 'partition', groups: [['n7'], ['n3']], ms: 1_234 }])
    expect(small.operations).toEqual([{ at: 0, node: 'n3', kind: 'metadata', value: expect.any(Number) }])
    expect([small.staggerMs, small.safetyMs]).toEqual([0, 0])
  })

  it('takes no plan for smaller that violates another rule', async () => {
    const plan = calm({ operations: [{ at: 5, node: 'n1', kind: 'leave' }] })
    const small = await shrunk(plan, ({ operations, nodes }) =>
      nodes.length === 4 && operations[0]?.at === 5 ? 'one rule: x' : 'another rule: x',
    )
    expect([small.nodes, small.operations]).toEqual([plan.nodes, plan.operations])
  })

  it('runs what it tries: a key that is too long needs one node, and nothing else', async () => {
    const join = { at: 0, node: 'n1', kind: 'join', network: 'blue' } as const
    const bad = { at: 700, node: 'n1', kind: 'set', network: 'blue', key: 'k'.repeat(300), value: 7 } as const
    const others = Array.from(
      { length: 6 },
      (_, value) => ({ at: value * 100, node: 'n2', kind: 'metadata', value }) as const,
    )
    const plan = calm({
      operations: [join, ...others, bad],
      faults: [{ at: 0, kind: 'clock', node: 'n3', offsetMs: 5 }],
      safetyMs: 1_000,
    })
    const result = await runSoak(plan)
    expect(result.violations[0]).toContain('no operation fails: set at n1')
    const found = await shrinkPlan(plan, result, LIMIT_MS)
    expect(found.result.violations[0]).toContain('no operation fails: set at n1')
    expect(found.plan).toMatchObject({ nodes: ['n1'], core: ['n1'], faults: [] })
    expect(found.plan.operations).toEqual([join, { ...bad, at: expect.any(Number) }])
    expect(found.plan.operations[1]!.at).toBeLessThan(700)
  })
})

describe('smaller plans', () => {
  it('are valid, whichever nodes and times are left', () => {
    const seeds = fc.integer({ min: 1, max: 500 })
    const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1 })
    fc.assert(
      fc.property(seeds, shares, (seed, draws) => {
        const drawn = drawPlan(seed)
        const share = (i: number): number => draws[i % draws.length]!
        const nodes = drawn.nodes.filter((_, i) => share(i) < 0.5)
        const fewer = withNodes(drawn, nodes)
        if (fewer === undefined) {
          expect(nodes).toEqual([])
          return
        }
        expect(fewer.core.length).toBeGreaterThan(0)
        const times = timesOf(fewer).map(({ ms, least }, i) => least + Math.floor((ms - least) * share(i)))
        const sooner = withTimes(fewer, times)
        expect(parsePlan(sooner)).toBe(sooner)
        expect(sooner.operations).toHaveLength(fewer.operations.length)
        expect(
          JSON.stringify(
            withTimes(
              fewer,
              timesOf(fewer).map(({ ms }) => ms),
            ),
          ),
        ).toBe(JSON.stringify(fewer))
      }),
    )
  })
})
