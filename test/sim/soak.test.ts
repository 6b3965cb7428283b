import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseSchedule } from '../../sim/schedule.ts'
import { runSoak } from '../../sim/soak/soak-run.ts'
import { emptyTally, never } from '../../sim/soak/sometimes.ts'
import { drawPlan } from '../../sim/soak/swarm.ts'
import type { SoakCase } from '../../sim/soak-cli.ts'
import { calm } from './soak-plans.ts'

const REGRESSIONS = JSON.parse(
  readFileSync(new URL('./regressions.json', import.meta.url), 'utf8'),
) as SoakCase[]

describe('a plan of the soak', () => {
  it('is drawn from its seed alone, and is data', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const plan = drawPlan(seed)
      expect(drawPlan(seed)).toEqual(plan)
      expect(JSON.parse(JSON.stringify(plan))).toEqual(plan)
      expect(() => parseSchedule(plan.faults, plan.nodes)).not.toThrow()
      expect(plan.core.length).toBeGreaterThanOrEqual(2)
      for (const node of plan.cut) expect(plan.core).not.toContain(node)
      expect(plan.operations.every(({ at }, i) => at >= (plan.operations[i - 1]?.at ?? 0))).toBe(true)
    }
  })

  it('gives the same run twice', async () => {
    const plan = drawPlan(4)
    expect(await runSoak(plan)).toEqual(await runSoak(plan))
  })
})

describe('a run of the soak', () => {
  it('goes through faults and operations, and the core converges', async () => {
    const result = await runSoak(
      calm({
        faults: [
          {
            at: 1_000,
            kind: 'partition',
            groups: [
              ['n1', 'n2'],
              ['n3', 'n4'],
            ],
          },
          { at: 2_000, kind: 'crash', node: 'n4' },
        ],
        operations: [
          { at: 0, node: 'n1', kind: 'join', network: 'blue' },
          { at: 0, node: 'n3', kind: 'join', network: 'blue' },
          { at: 5_000, node: 'n1', kind: 'set', network: 'blue', key: 'ip/1', value: 1 },
          { at: 6_000, node: 'n3', kind: 'set', network: 'blue', key: 'ip/1', value: 2 },
        ],
        core: ['n1', 'n3', 'n4'],
      }),
    )
    expect(result.violations).toEqual([])
    expect(result.phase).toBe('liveness')
    expect(result.convergenceMs).toBeGreaterThan(0)
    expect(result.tally.partitionsHealed).toBe(1)
  })

  it('rotates keys, and lets those in again that have missed it', async () => {
    const result = await runSoak(
      calm({
        sealed: true,
        safetyMs: 60_000,
        faults: [
          { at: 1_000, kind: 'crash', node: 'n4' },
          { at: 10_000, kind: 'rotate', node: 'n1', key: 1 },
          { at: 10_100, kind: 'rotate', node: 'n2', key: 2 },
          { at: 10_200, kind: 'loss', node: 'n3', ingress: 0.5, ms: 2_000 },
          { at: 55_000, kind: 'restart', node: 'n4' },
        ],
        operations: [],
      }),
    )
    expect(result.violations).toEqual([])
    expect(result.tally.rotated).toBeGreaterThanOrEqual(6)
    expect(result.tally.rotatedInLoss).toBe(result.tally.rotated)
  })

  it('names what never happened', () => {
    const tally = emptyTally()
    expect(never(tally)).toHaveLength(Object.keys(tally).length)
    expect(never({ ...tally, refuted: 1 }).join()).not.toContain('refuted')
  })
})

describe('regressions', () => {
  it('every plan that once failed holds', async () => {
    for (const { plan, violations } of REGRESSIONS) {
      expect((await runSoak(plan)).violations, violations[0]).toEqual([])
    }
  })
})
