import { beforeEach, describe, expect, it } from 'vitest'
import { Examiner, type Findings } from '../../src/membership/examiner.ts'
import { JudgingTimers } from '../../src/membership/judging-timers.ts'
import { LocalHealth } from '../../src/membership/local-health.ts'
import type { Member } from '../../src/membership/member.ts'
import { MemberList } from '../../src/membership/member-list.ts'
import { Pings } from '../../src/membership/pings.ts'
import { TestClock } from '../dissemination/test-clock.ts'
import { recordOf } from './records.ts'

const OPTIONS = { probeTimeoutMs: 500, indirectTimeoutMs: 500, verifyTimeoutMs: 600 }
const NAMES = Array.from({ length: 40 }, (_, i) => `n${i}`)

let clock: TestClock
let list: MemberList
let pings: Pings
let examiner: Examiner
let sent: { name: string; atMs: number }[]
let found: Findings[]
let answering: (name: string) => boolean
let reached: boolean
let x: Member
let start: number

beforeEach(() => {
  clock = new TestClock()
  start = clock.now
  list = new MemberList(recordOf('self'))
  for (const name of NAMES) list.add(recordOf(name), 'alive', clock.now)
  x = list.get('n5')!
  sent = []
  found = []
  answering = (name) => name !== 'n5'
  reached = false
  const runtime = clock.runtime(1)
  const health = new LocalHealth()
  pings = new Pings(runtime)
  examiner = new Examiner(runtime, OPTIONS, list, pings, health, new JudgingTimers(runtime, health), {
    ping: (member, { token }) => {
      sent.push({ name: member.name, atMs: clock.now - start })
      const ack = { token, sourceId: member.id, members: 0, digests: [], coordinate: new Uint8Array(0) }
      if (!answering(member.name)) return
      clock.schedule(2, () => {
        if (pings.acked(ack, member.address)) examiner.sighted()
      })
    },
    witness: (_, timeoutMs, onResult) =>
      void clock.schedule(reached ? 2 : timeoutMs - 1, () => onResult(reached)),
  })
})

function examine(member = x): boolean {
  return examiner.examine(member, (findings) => found.push({ ...findings })) !== undefined
}

describe('an examination', () => {
  it('pings the suspect three times, and two others once as a control', () => {
    examine()
    clock.run(OPTIONS.verifyTimeoutMs)
    expect(sent.filter(({ name }) => name === 'n5').map(({ atMs }) => Math.round(atMs))).toEqual([
      0, 200, 400,
    ])
    const controls = sent.filter(({ name }) => name !== 'n5')
    expect(controls.map(({ atMs }) => atMs)).toEqual([0, 0])
    expect(new Set(controls.map(({ name }) => name)).size).toBe(2)
    expect(found).toEqual([{ answered: false, control: true, hostReached: false }])
    expect([pings.size, clock.waiting]).toEqual([0, 0])
  })

  it('takes no suspect for a control', () => {
    for (const name of NAMES) list.update(list.get(name)!, recordOf(name), 'suspect', clock.now)
    examine()
    expect(sent.map(({ name }) => name)).toEqual(['n5'])
  })

  it('is over soon when the suspect answers', () => {
    answering = () => true
    examine()
    clock.run(OPTIONS.verifyTimeoutMs / 2)
    expect(found).toEqual([{ answered: true, control: true, hostReached: false }])
    expect([pings.size, clock.waiting]).toEqual([0, 1])
  })

  it('finds out whether the host still answers, and whether anybody does', () => {
    answering = () => false
    reached = true
    examine()
    clock.run(OPTIONS.verifyTimeoutMs)
    expect(found).toEqual([{ answered: false, control: false, hostReached: true }])
  })

  it('that is cancelled finds nothing', () => {
    examiner.examine(x, (findings) => found.push(findings))!.cancel()
    clock.run(5_000)
    expect(found).toEqual([])
    expect(pings.size).toBe(0)
  })
})

describe('examinations', () => {
  it('begin no more than ten times a second', () => {
    expect(NAMES.filter((name) => examine(list.get(name)))).toHaveLength(10)
    clock.run(500)
    expect(NAMES.filter((name) => examine(list.get(name)))).toHaveLength(5)
  })

  it('of a node that nobody answers are made one at a time, and ever more seldom', () => {
    answering = () => false
    const begun: number[] = []
    for (let i = 0; i < 600; i++) {
      for (const name of NAMES) if (examine(list.get(name))) begun.push(clock.now - start)
      clock.run(100)
    }
    // The first ones were begun before it could know.
    const later = begun.filter((at) => at > 1_000)
    const gaps = later.slice(1).map((at, i) => at - later[i]!)
    expect(gaps.map((ms) => Math.round(ms / 100) * 100 - OPTIONS.verifyTimeoutMs).slice(0, 3)).toEqual([
      2_000, 4_000, 8_000,
    ])
    expect(Math.min(...gaps.slice(3))).toBeGreaterThanOrEqual(8_000)
  })

  it('go on as before as soon as it is answered again', () => {
    answering = () => false
    for (let i = 0; i < 300; i++) {
      for (const name of NAMES) examine(list.get(name))
      clock.run(100)
    }
    examiner.sighted()
    expect(NAMES.filter((name) => examine(list.get(name)))).toHaveLength(10)
  })

  it('of a node that others answer go on, however many suspects are gone', () => {
    let begun = 0
    for (const name of NAMES.slice(0, 38)) list.update(list.get(name)!, recordOf(name), 'suspect', clock.now)
    answering = (name) => name === 'n39' || name === 'n38'
    for (let i = 0; i < 100; i++) {
      for (const name of NAMES.slice(0, 38)) if (examine(list.get(name))) begun++
      clock.run(100)
    }
    expect(begun).toBeGreaterThan(95)
  })
})
