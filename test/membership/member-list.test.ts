import fc from 'fast-check'
import { expect, it } from 'vitest'
import { identityHash, type Member, memberId, type Verdict } from '../../src/membership/member.ts'
import { MemberList } from '../../src/membership/member-list.ts'
import { recordOf } from './records.ts'

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'self']
const verdict = fc.constantFrom<Verdict>('alive', 'suspect', 'failed', 'left')

const step = fc.record({
  verb: fc.constantFrom('put' as const, 'put' as const, 'put' as const, 'remove' as const),
  name: fc.constantFrom(...NAMES),
  incarnation: fc.nat({ max: 5 }),
  verdict,
})

/** What the list keeps up to date, recomputed from its members. */
function expectConsistent(list: MemberList): void {
  const all = [...list.all()]
  const live = all.filter((member) => member !== list.self && member.live)
  expect(new Set(list.live)).toEqual(new Set(live))
  expect(list.live).toHaveLength(live.length)
  expect(list.liveCount).toBe(live.length + 1)
  expect(list.size).toBe(all.length)
  list.live.forEach((member, i) => {
    expect(member.liveIndex).toBe(i)
  })
  for (const member of all) if (!list.live.includes(member)) expect(member.liveIndex).toBe(-1)

  expect(list.gone).toEqual(new Set(all.filter((member) => member !== list.self && !member.live)))

  const ring = [...live, list.self].sort((a, b) => a.id - b.id || (a.name < b.name ? -1 : 1))
  expect(list.ring.map(({ name }) => name)).toEqual(ring.map(({ name }) => name))
  expect(list.ring[list.selfIndex]).toBe(list.self)

  let high = 0
  let low = 0
  for (const member of ring) {
    const hash = identityHash(member)
    high = (high + hash.high) >>> 0
    low = (low + hash.low) >>> 0
  }
  expect(list.digest()).toEqual({ high, low })
  for (const member of all) {
    expect(list.get(member.name)).toBe(member)
    expect(list.byId(member.id)).toBe(member)
  }
  expect([...list.others()]).toEqual(all.filter((member) => member !== list.self))
}

it('indices and digest are what they would be if they were computed anew, whatever was done', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const list = new MemberList(recordOf('self'))
      for (const { verb, name, incarnation, verdict } of steps) {
        const member = list.get(name)
        const record = recordOf(name, { incarnation })
        if (verb === 'remove') {
          if (member !== undefined && member !== list.self) list.remove(member)
        } else if (member === undefined) {
          list.add(record, verdict, 0)
        } else {
          list.update(member, record, member === list.self ? 'alive' : verdict, 0)
        }
        expectConsistent(list)
      }
    }),
    { numRuns: 300 },
  )
})

it('equal views have equal digests, in whatever order their members came', () => {
  const build = (names: readonly string[]): MemberList => {
    const list = new MemberList(recordOf(names[0]!))
    for (const name of names.slice(1)) list.add(recordOf(name), 'alive', 0)
    return list
  }
  expect(build(['a', 'b', 'c', 'd']).digest()).toEqual(build(['d', 'b', 'a', 'c']).digest())
  expect(build(['a', 'b', 'c', 'd']).digest()).not.toEqual(build(['a', 'b', 'c']).digest())
})

it('a suspect counts as alive in the digest, a failed member does not', () => {
  const list = new MemberList(recordOf('self'))
  const member = list.add(recordOf('a'), 'alive', 0)
  const alive = list.digest()
  list.update(member, member.record, 'suspect', 0)
  expect(list.digest()).toEqual(alive)
  list.update(member, member.record, 'failed', 0)
  expect(list.digest()).toEqual(new MemberList(recordOf('self')).digest())
})

it('a member is gone since its last verdict, and no more once it is live again', () => {
  const list = new MemberList(recordOf('self'))
  const member: Member = list.add(recordOf('a'), 'alive', 5)
  list.update(member, member.record, 'suspect', 6)
  expect(member.goneAt).toBeUndefined()
  list.update(member, member.record, 'failed', 7)
  list.update(member, member.record, 'failed', 8)
  expect(member.goneAt).toBe(7)
  list.update(member, recordOf('a', { left: true }), 'left', 9)
  expect(member.goneAt).toBe(9)
  list.update(member, recordOf('a', { incarnation: 1 }), 'alive', 10)
  expect(member.goneAt).toBeUndefined()
  expect(list.add(recordOf('b', { left: true }), 'left', 11).goneAt).toBe(11)
})

it('members whose ids collide are both kept, in one order at every node', () => {
  const [first, second] = collidingNames()
  const build = (names: readonly string[]): string[] => {
    const list = new MemberList(recordOf('self'))
    for (const name of names) list.add(recordOf(name), 'alive', 0)
    return list.ring.map(({ name }) => name)
  }
  expect(build([first, second])).toEqual(build([second, first]))
  const list = new MemberList(recordOf('self'))
  const one = list.add(recordOf(first), 'alive', 0)
  const other = list.add(recordOf(second), 'alive', 0)
  list.update(one, one.record, 'failed', 0)
  expect(list.ring).toContain(other)
  expect(list.ring).not.toContain(one)
  expect(list.live).toEqual([other])
  expect([list.get(first), list.get(second), list.byId(one.id)]).toEqual([one, other, one])
  list.remove(one)
  expect([list.get(first), list.get(second), list.byId(one.id)]).toEqual([undefined, other, other])
  expect(list.size).toBe(2)
})

/** Two names of one id: among some ten thousand there are such. */
function collidingNames(): [string, string] {
  const seen = new Map<number, string>()
  for (let i = 0; ; i++) {
    const name = `n${i}`
    const id = memberId(name)
    const other = seen.get(id)
    if (other !== undefined) return [other, name]
    seen.set(id, name)
  }
}
