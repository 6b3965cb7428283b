import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { Examiner } from '../../src/membership/examiner.ts'
import { JudgingTimers } from '../../src/membership/judging-timers.ts'
import { LocalHealth } from '../../src/membership/local-health.ts'
import { type Member, withAccusation } from '../../src/membership/member.ts'
import { MemberList } from '../../src/membership/member-list.ts'
import { type OpenPing, Pings } from '../../src/membership/pings.ts'
import { VERIFIERS } from '../../src/membership/suspicion-rules.ts'
import { Verification, verifiersOf } from '../../src/membership/verification.ts'
import { TestClock } from '../dissemination/test-clock.ts'
import { recordOf } from './records.ts'

const NAMES = Array.from({ length: 20 }, (_, i) => `n${i}`)

function listOf(self: string, names: readonly string[] = NAMES): MemberList {
  const list = new MemberList(recordOf(self))
  for (const name of names) if (name !== self) list.add(recordOf(name), 'alive', 0)
  return list
}

function suspect(list: MemberList, name: string, accusers: readonly string[] = []): Member {
  const member = list.get(name)!
  const hard = accusers.map((accuser) => list.get(accuser)!.id).sort((a, b) => a - b)
  list.update(member, { ...member.record, hard }, 'suspect', 0)
  return member
}

function verifierNames(list: MemberList, name: string): string[] {
  return verifiersOf(list.get(name)!, list).map((member) => member.name)
}

describe('the verifiers of a suspect', () => {
  it('are the same at every node that sees the same, in whatever order it learnt of the others', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray(NAMES, { minLength: NAMES.length }),
        fc.nat({ max: 19 }),
        (order, i) => {
          const self = order[0]!
          const chosen = verifierNames(listOf(self, order), NAMES[i]!)
          expect(chosen).toEqual(verifierNames(listOf('n0'), NAMES[i]!))
          expect(new Set(chosen).size).toBe(VERIFIERS)
          expect(chosen).not.toContain(NAMES[i]!)
        },
      ),
    )
  })

  it('are all others where there are not many', () => {
    const names = NAMES.slice(0, 4)
    expect(verifierNames(listOf('n0', names), 'n1').sort()).toEqual(['n0', 'n2', 'n3'])
  })

  it('differ from suspect to suspect, so that the work is spread', () => {
    const list = listOf('n0')
    const counts = new Map<string, number>()
    for (const name of NAMES)
      for (const other of verifierNames(list, name)) counts.set(other, (counts.get(other) ?? 0) + 1)
    expect(Math.max(...counts.values())).toBeLessThan(15)
    expect(counts.size).toBe(NAMES.length)
  })

  it('are not those who have accused hard, nor those who are themselves suspect or failed: the next best take their place', () => {
    const list = listOf('n0')
    const [first, second, third, ...rest] = verifierNames(list, 'n5')
    suspect(list, 'n5', [first!])
    suspect(list, second!)
    const gone = list.get(third!)!
    list.update(gone, gone.record, 'failed', 0)
    const now = verifierNames(list, 'n5')
    expect(now).toHaveLength(VERIFIERS)
    expect(now.slice(0, rest.length)).toEqual(rest)
    for (const name of [first, second, third]) expect(now).not.toContain(name)
  })

  it('may be those who have accused softly: they can still find out', () => {
    const list = listOf('n0')
    const [first] = verifierNames(list, 'n5')
    const member = list.get('n5')!
    list.update(member, withAccusation(member.record, list.get(first!)!.id, false), 'suspect', 0)
    expect(verifierNames(list, 'n5')[0]).toBe(first)
  })
})

describe('a verifier', () => {
  const VERIFY_MS = 500
  let clock: TestClock
  let list: MemberList
  let pings: Pings
  let verification: Verification
  let sent: { name: string; atMs: number }[]
  let accusations: { hard: boolean; atMs: number }[]
  let answering: (name: string) => boolean
  let reached: boolean
  let x: Member

  /** A node that is a verifier of `x` if it is the best one there is. */
  function setUp(best: boolean, name?: string): void {
    const ranking = verifierNames(listOf('n0'), 'n5')
    const others = NAMES.filter((name) => name !== 'n5' && !ranking.includes(name))
    list = listOf(name ?? (best ? ranking[0]! : others[0]!))
    x = list.get('n5')!
    clock = new TestClock()
    const start = clock.now
    const runtime = clock.runtime(1)
    pings = new Pings(runtime)
    sent = []
    accusations = []
    answering = (name) => name !== 'n5'
    reached = false
    const health = new LocalHealth()
    const timers = new JudgingTimers(runtime, health)
    const options = { probeTimeoutMs: 500, indirectTimeoutMs: 500, verifyTimeoutMs: VERIFY_MS }
    const examiner = new Examiner(runtime, options, list, pings, health, timers, {
      ping: (member, { token }: OpenPing) => {
        sent.push({ name: member.name, atMs: clock.now - start })
        const ack = { token, sourceId: 0, members: 0, digests: [], coordinate: new Uint8Array(0) }
        if (answering(member.name)) clock.schedule(2, () => pings.acked(ack, member.address))
      },
      witness: (_, timeoutMs, onResult) =>
        void clock.schedule(reached ? 2 : timeoutMs - 1, () => onResult(reached)),
    })
    verification = new Verification(runtime, list, examiner, (member, hard) => {
      accusations.push({ hard, atMs: clock.now - start })
      list.update(member, withAccusation(member.record, list.self.id, hard), member.verdict, 0)
    })
  }

  function consider(): void {
    suspect(list, 'n5')
    verification.consider(x)
  }

  beforeEach(() => setUp(true))

  it('looks at once, three times, and accuses when it got no answer; having done so hard, it is done', () => {
    consider()
    clock.run(60_000)
    expect(sent.filter(({ name }) => name === 'n5').map(({ atMs }) => Math.round(atMs))).toEqual([
      0, 167, 333,
    ])
    expect(accusations).toEqual([{ hard: true, atMs: expect.closeTo(VERIFY_MS, 3) }])
    expect(pings.size).toBe(0)
    expect(clock.waiting).toBe(0)
  })

  it('asks two others at the same time, so that it knows whether it is the one cut off', () => {
    consider()
    clock.run(10)
    const controls = sent.filter(({ name }) => name !== 'n5')
    expect(controls).toHaveLength(2)
    expect(new Set(controls.map(({ name }) => name)).size).toBe(2)
  })

  it('accuses softly when nobody answers it, or when the host of the suspect does, and looks again, ever more seldom', () => {
    for (const act of [() => (answering = () => false), () => (reached = true)]) {
      setUp(true)
      act()
      consider()
      clock.run(20_000)
      expect(accusations[0]!.hard).toBe(false)
      const starts = sent.filter(({ name }) => name === 'n5').filter((_, i) => i % 3 === 0)
      const gaps = starts.slice(1).map(({ atMs }, i) => Math.round(atMs - starts[i]!.atMs) - VERIFY_MS)
      expect(gaps.slice(0, 4)).toEqual([1_000, 2_000, 4_000, 8_000])
    }
  })

  it('says nothing when it was answered, and looks again every two seconds while the suspicion stands', () => {
    answering = () => true
    consider()
    clock.run(60_000)
    expect(accusations).toEqual([])
    const starts = sent.filter(({ name }) => name === 'n5').map(({ atMs }) => atMs)
    const gaps = starts.slice(1).map((at, i) => Math.round(at - starts[i]! - VERIFY_MS / 3))
    expect(new Set(gaps)).toEqual(new Set([2_000]))
    expect(verification.counts.answered).toBe(starts.length)
    list.update(x, x.record, 'alive', 0)
    verification.cancel(x)
    const before = sent.length
    clock.run(60_000)
    expect(sent.length).toBe(before)
    expect(pings.size).toBe(0)
  })

  it('does nothing about whom it is not among the best for, nor about whom it has accused, nor about the alive', () => {
    setUp(false)
    consider()
    expect(sent).toEqual([])
    setUp(true)
    verification.consider(x)
    expect(sent).toEqual([])
    suspect(list, 'n5', [list.self.name])
    verification.consider(x)
    expect(sent).toEqual([])
  })

  it('takes the place of one that is gone', () => {
    const ranking = verifierNames(listOf('n0'), 'n5')
    const [next] = NAMES.filter((name) => name !== 'n5' && !ranking.includes(name)).filter((name) => {
      const without = listOf('n0')
      without.update(without.get(ranking[5]!)!, recordOf(ranking[5]!), 'failed', 0)
      return verifierNames(without, 'n5').includes(name)
    })
    setUp(false, next)
    consider()
    expect(sent).toEqual([])
    verification.consider(x)
    expect(sent).toEqual([])
    const gone = list.get(ranking[5]!)!
    list.update(gone, gone.record, 'failed', 0)
    verification.consider(x)
    expect(sent.map(({ name }) => name)).toContain('n5')
  })

  it('looks at one suspect once at a time', () => {
    consider()
    verification.consider(x)
    expect(sent.filter(({ name }) => name === 'n5')).toHaveLength(1)
  })

  it('drops it when the suspicion is over', () => {
    consider()
    verification.cancel(x)
    clock.run(60_000)
    expect(sent.filter(({ name }) => name === 'n5')).toHaveLength(1)
    expect(accusations).toEqual([])
    expect(pings.size).toBe(0)
  })

  it('begins no more than ten in a second, so that its own isolation is no flood', () => {
    for (const name of NAMES) {
      if (name === list.self.name) continue
      suspect(list, name)
    }
    answering = () => false
    for (const name of NAMES) {
      if (name !== list.self.name) verification.consider(list.get(name)!)
    }
    expect(verification.counts.started).toBe(10)
    clock.run(500)
    expect(verification.counts.started).toBe(10)
    verification.stop()
    clock.run(60_000)
    expect(verification.counts.started).toBe(10)
  })
})
