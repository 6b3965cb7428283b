import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parsePlan } from '../../sim/soak/parse-plan.ts'
import { drawPlan } from '../../sim/soak/swarm.ts'

const VALID = drawPlan(1)

/** A plan that is valid but for one thing. */
function broken(changes: Readonly<Record<string, unknown>>): unknown {
  return { ...VALID, nodes: ['n1', 'n2'], networks: ['blue'], core: ['n1'], cut: [], ...small, ...changes }
}

const small = { faults: [], operations: [] }

function json(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

function operations(...list: unknown[]): { readonly operations: unknown[] } {
  return { operations: list }
}

describe('parsePlan', () => {
  it('takes every plan that the swarm draws, as it is written to a file', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const plan = drawPlan(seed)
      expect(parsePlan(json(plan))).toEqual(plan)
    }
  })

  it('takes every plan that once failed', () => {
    const file = new URL('./regressions.json', import.meta.url)
    const cases = JSON.parse(readFileSync(file, 'utf8')) as { readonly plan: unknown }[]
    expect(cases.length).toBeGreaterThan(0)
    for (const { plan } of cases) expect(parsePlan(plan)).toBe(plan)
  })

  it.each<[unknown, string]>([
    [null, 'the plan is not an object'],
    [[VALID], 'the plan is not an object'],
    [broken({ nodes: [] }), 'the plan has no valid nodes: []'],
    [broken({ nodes: ['n1', 'n1'] }), 'no valid nodes'],
    [broken({ nodes: ['n1', 'two words'] }), 'no valid nodes'],
    [broken({ nodes: Array.from({ length: 201 }, (_, i) => `n${i}`) }), 'no valid nodes'],
    [broken({ networks: 'blue' }), 'no valid networks: "blue"'],
    [broken({ seed: -1 }), 'no valid seed: -1'],
    [broken({ seed: 1.5 }), 'no valid seed'],
    [broken({ sealed: 1 }), 'no valid sealed'],
    [broken({ declares: undefined }), 'no valid declares: undefined'],
    [broken({ safetyMs: 1e99 }), 'no valid safetyMs'],
    [broken({ staggerMs: '10' }), 'no valid staggerMs: "10"'],
    [broken({ core: [] }), 'no valid core'],
    [broken({ core: ['n3'] }), 'no valid core: ["n3"]'],
    [broken({ cut: ['n1'] }), 'has n1 both in its core and cut off'],
    [broken({ color: 'red' }), 'a field that it cannot have: "color"'],
    [broken({ network: [] }), 'the plan has no valid network'],
    [broken({ network: { ...VALID.network, loss: 2 } }), 'the network of the plan has no valid loss: 2'],
    [broken({ network: { ...VALID.network, streamBreaks: undefined } }), 'no valid streamBreaks'],
    [broken({ network: { ...VALID.network, regions: 0 } }), 'no valid regions'],
    [
      broken({ options: { ...VALID.options, profile: 'moon' } }),
      'the options of the plan has no valid profile',
    ],
    [broken({ options: { ...VALID.options, packetBytes: 1 } }), 'the options of the plan are not valid: '],
    [
      broken({ options: { ...VALID.options, packetBytes: 1, indirectProbes: 99 } }),
      '2 options are not valid',
    ],
    [broken({ faults: {} }), 'no valid faults'],
    [broken({ faults: [{ at: 0, kind: 'crash', node: 'n3' }] }), 'step 0 of the fault schedule (crash)'],
    [broken({ operations: 7 }), 'no valid operations'],
    [broken(operations('join')), 'operation 0 of the plan is not an object'],
    [
      broken(operations({ at: 0, node: 'n1', kind: 'fly' })),
      'operation 0 of the plan is of no known kind: "fly"',
    ],
    [broken(operations({ at: -1, node: 'n1', kind: 'leave' })), '(leave) has no valid at: -1'],
    [broken(operations({ at: 0, node: 'n3', kind: 'leave' })), '(leave) has no valid node: "n3"'],
    [broken(operations({ at: 0, node: 'n1', kind: 'join', network: 'red' })), 'no valid network: "red"'],
    [broken(operations({ at: 0, node: 'n1', kind: 'metadata', value: null })), 'no valid value: null'],
    [
      broken(operations({ at: 0, node: 'n1', kind: 'replace-own', network: 'blue', entries: [['k']] })),
      'no valid entries: [["k"]]',
    ],
    [
      broken(operations({ at: 0, node: 'n1', kind: 'churn', network: 'blue', count: 1e9, value: 1 })),
      'no valid count',
    ],
    [
      broken(operations({ at: 5, node: 'n1', kind: 'leave' }, { at: 4, node: 'n1', kind: 'leave' })),
      'operation 1 of the plan is before the one ahead of it in the list',
    ],
  ])('refuses what is none, in one line: %#', (plan, sentence) => {
    let message = ''
    try {
      parsePlan(plan)
    } catch (error) {
      message = (error as Error).message
    }
    expect(message).toContain(sentence)
    expect(message).not.toContain('\n')
    expect(message.length).toBeLessThan(500)
  })

  it('answers anything at all with a plan or one line', () => {
    const fields = fc.constantFrom(...Object.keys(VALID))
    fc.assert(
      fc.property(fields, fc.jsonValue(), (field, value) => {
        try {
          parsePlan(broken({ [field]: value }))
        } catch (error) {
          expect((error as Error).constructor).toBe(Error)
          expect((error as Error).message).not.toContain('\n')
        }
      }),
    )
  })
})
