import { expect, it } from 'vitest'
import { Member } from '../../src/membership/member.ts'
import { RecentLosses } from '../../src/membership/recent-losses.ts'
import { recordOf } from './records.ts'

const [a, b, c] = ['a', 'b', 'c'].map((name) => new Member(recordOf(name))) as [Member, Member, Member]

it('one member that is badly heard may itself be bad: only losses of two others say that packets are lost', () => {
  const losses = new RecentLosses()
  losses.note(a)
  losses.note(a)
  expect([losses.besides(b), losses.besides(undefined)]).toEqual([false, false])
  losses.note(b)
  expect([losses.besides(a), losses.besides(b)]).toEqual([false, false])
  expect([losses.besides(c), losses.besides(undefined)]).toEqual([true, true])
})

it('a loss is forgotten after thirty further probes, counted from the last one of that member', () => {
  const losses = new RecentLosses()
  losses.note(a)
  losses.note(b)
  for (let i = 0; i < 20; i++) losses.probed()
  losses.note(a)
  for (let i = 0; i < 9; i++) losses.probed()
  expect(losses.besides(c)).toBe(true)
  losses.probed()
  expect(losses.besides(c)).toBe(false)
  losses.note(c)
  expect(losses.besides(b)).toBe(true)
})
