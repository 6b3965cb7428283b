import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemberList } from '../../src/membership/member-list.ts'
import { ProbeSchedule } from '../../src/membership/probe-schedule.ts'
import { recordOf } from './records.ts'

const MAX_JUMP = 1024

interface Node {
  readonly list: MemberList
  readonly schedule: ProbeSchedule
}

/** Nodes that all know each other, each having learnt of the others in an order of its own. */
function cluster(names: readonly string[]): Node[] {
  return names.map((name, at) => {
    const list = new MemberList(recordOf(name))
    const others = [...names.slice(at + 1), ...names.slice(0, at)]
    for (const other of others) list.add(recordOf(other), 'alive', 0)
    return { list, schedule: new ProbeSchedule(list) }
  })
}

const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 2, maxLength: 12 })

describe('the probe schedule', () => {
  it('where views and rounds are equal, everyone probes one other member and is probed once in every round', () => {
    fc.assert(
      fc.property(names, (names) => {
        const nodes = cluster(names)
        for (let round = 0; round < 20; round++) {
          const targets = nodes.map(({ schedule }) => schedule.advance()!.name)
          expect(new Set(targets)).toEqual(new Set(names))
          targets.forEach((target, i) => {
            expect(target).not.toBe(names[i])
          })
        }
      }),
    )
  })

  it('comes to everybody: no member is overlooked for long', () => {
    const [node] = cluster(Array.from({ length: 20 }, (_, i) => `n${i}`))
    const seen = new Set<string>()
    for (let round = 0; round < 150; round++) seen.add(node!.schedule.advance()!.name)
    expect(seen.size).toBe(19)
  })

  it('probes none but live members', () => {
    const [node] = cluster(['a', 'b', 'c', 'd'])
    const gone = node!.list.get('c')!
    node!.list.update(gone, gone.record, 'failed', 0)
    for (let round = 0; round < 100; round++) expect(node!.schedule.advance()).not.toBe(gone)
  })

  it('has nobody to probe when alone, and counts on', () => {
    const [node] = cluster(['a'])
    expect([node!.schedule.advance(), node!.schedule.advance()]).toEqual([undefined, undefined])
    expect(node!.schedule.round).toBe(2)
  })
})

describe('rounds', () => {
  it('converge: whoever is probed by one that is ahead catches up', () => {
    const behind = fc.array(fc.nat({ max: MAX_JUMP }), { minLength: 6, maxLength: 6 })
    fc.assert(
      fc.property(behind, (starts) => {
        const nodes = cluster(['a', 'b', 'c', 'd', 'e', 'f'])
        nodes.forEach(({ schedule }, i) => {
          for (let round = 0; round < starts[i]!; round++) schedule.advance()
        })
        for (let tick = 0; tick < 30; tick++) {
          for (const { schedule } of nodes) {
            const target = schedule.advance()!
            nodes.find(({ list }) => list.self.name === target.name)!.schedule.hear(schedule.round)
          }
        }
        const rounds = nodes.map(({ schedule }) => schedule.round)
        // Ticks follow each other within a round, so that one node may be one ahead.
        expect(Math.max(...rounds) - Math.min(...rounds)).toBeLessThanOrEqual(1)
      }),
      { numRuns: 50 },
    )
  })

  it('never go back, and one that is heard moves them by a bounded step', () => {
    const [node] = cluster(['a', 'b'])
    const { schedule } = node!
    schedule.hear(Number.MAX_SAFE_INTEGER)
    schedule.advance()
    expect(schedule.round).toBe(MAX_JUMP)
    schedule.hear(1)
    schedule.advance()
    expect(schedule.round).toBe(MAX_JUMP + 1)
    schedule.hear(MAX_JUMP + 50)
    schedule.advance()
    expect(schedule.round).toBe(MAX_JUMP + 50)
  })
})
