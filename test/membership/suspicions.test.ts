import { beforeEach, describe, expect, it } from 'vitest'
import { Examiner } from '../../src/membership/examiner.ts'
import { JudgingTimers } from '../../src/membership/judging-timers.ts'
import { LocalHealth } from '../../src/membership/local-health.ts'
import type { Member } from '../../src/membership/member.ts'
import { MemberList } from '../../src/membership/member-list.ts'
import { Pings } from '../../src/membership/pings.ts'
import { suspicionTimeoutMs } from '../../src/membership/suspicion-rules.ts'
import { Suspicions } from '../../src/membership/suspicions.ts'
import { TestClock } from '../dissemination/test-clock.ts'
import { recordOf } from './records.ts'

const OPTIONS = {
  probeIntervalMs: 1_000,
  probeTimeoutMs: 500,
  indirectTimeoutMs: 500,
  verifyTimeoutMs: 300,
  suspicionMultiplier: 4,
  suspicionMaxMultiplier: 6,
  minSuspicionMs: 0,
  isolationTimeoutMs: 3_000,
}
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'x']

let clock: TestClock
let list: MemberList
let pings: Pings
let suspicions: Suspicions
let x: Member
/** Whether the suspect, and whether others answer; whether its host does. */
let answering: boolean
let control: boolean
let reached: boolean
let isolated: boolean
let alone: boolean
let asked: number[]
let expired: number[]
let reviewed: number[]
let start: number
let health: LocalHealth

beforeEach(() => setUp())

function setUp(names: readonly string[] = NAMES, options: Partial<typeof OPTIONS> = {}): void {
  clock = new TestClock()
  list = new MemberList(recordOf('self'))
  for (const name of names) list.add(recordOf(name), 'alive', clock.now)
  x = list.get('x')!
  const runtime = clock.runtime(1)
  pings = new Pings(runtime)
  answering = false
  control = true
  reached = false
  isolated = false
  alone = false
  asked = []
  expired = []
  reviewed = []
  start = clock.now
  health = new LocalHealth()
  const timers = new JudgingTimers(runtime, health)
  const examiner = new Examiner(runtime, OPTIONS, list, pings, health, timers, {
    ping: (member, { token }) => {
      if (member === x && clock.now - start - (asked.at(-1) ?? -1_000) > 2 * OPTIONS.verifyTimeoutMs)
        asked.push(clock.now - start)
      const ack = { token, sourceId: member.id, members: 0, digests: [], coordinate: new Uint8Array(0) }
      if (member === x ? answering : control) {
        clock.schedule(2, () => {
          if (pings.acked(ack, member.address)) examiner.sighted()
        })
      }
    },
    witness: (_, timeoutMs, onResult) =>
      void clock.schedule(reached ? 2 : timeoutMs - 1, () => onResult(reached)),
  })
  suspicions = new Suspicions(runtime, { ...OPTIONS, ...options }, list, timers, examiner, {
    isolated: () => isolated,
    believesAlone: () => alone,
    review: (member) => {
      reviewed.push(clock.now - start)
      // As membership does: whoever is accused is a suspect, or failed.
      if (suspicions.certifies(member, member.record) && suspicions.ripe(member))
        expired.push(clock.now - start)
      else if (suspicions.accused(member, member.record)) suspicions.note(member)
    },
    expired: () => expired.push(clock.now - start),
  })
}

function ids(...names: string[]): number[] {
  return names.map((name) => list.get(name)?.id ?? 0xdead).sort((a, b) => a - b)
}

function accuse(...names: string[]): void {
  list.update(x, { ...x.record, soft: ids(...names) }, 'suspect', clock.now)
  suspicions.note(x)
}

function timeoutMs(accusers: number): number {
  return suspicionTimeoutMs(OPTIONS, list.liveCount, accusers)
}

describe('a certificate', () => {
  const certifies = (...names: string[]): boolean =>
    suspicions.certifies(x, recordOf('x', { hard: ids(...names) }))

  it('has four hard accusers that this node holds alive, itself among them or not', () => {
    expect(certifies('a', 'b', 'c')).toBe(false)
    expect(certifies('a', 'b', 'c', 'd')).toBe(true)
    expect(certifies('a', 'b', 'c', 'self')).toBe(true)
    expect(suspicions.certifies(x, recordOf('x', { hard: ids('a', 'b', 'c'), soft: ids('d', 'e') }))).toBe(
      false,
    )
  })

  it('counts suspects as alive, and not the failed, those who left, or the unknown', () => {
    const a = list.get('a')!
    list.update(a, a.record, 'suspect', clock.now)
    expect(certifies('a', 'b', 'c', 'd')).toBe(true)
    for (const verdict of ['failed', 'left'] as const) {
      list.update(a, a.record, verdict, clock.now)
      expect(certifies('a', 'b', 'c', 'd')).toBe(false)
      expect(certifies('a', 'b', 'c', 'd', 'e')).toBe(true)
    }
    expect(certifies('nobody', 'b', 'c', 'd')).toBe(false)
  })

  it('does not count those who have just come back: they speak of a time when they were cut off', () => {
    const a = list.get('a')!
    list.update(a, a.record, 'failed', clock.now)
    list.update(a, a.record, 'alive', clock.now)
    expect(certifies('a', 'b', 'c', 'd')).toBe(false)
    clock.run(10_000)
    expect(certifies('a', 'b', 'c', 'd')).toBe(true)
  })

  it('counts those who have just been restarted: they were not cut off, and know only what is new', () => {
    const a = list.get('a')!
    list.update(a, a.record, 'failed', clock.now)
    list.update(a, recordOf('a', { epoch: { time: 2_000, nonce: 2 } }), 'alive', clock.now)
    expect(certifies('a', 'b', 'c', 'd')).toBe(true)
  })
})

describe('a suspect', () => {
  it('has its time, is asked once more when it is over, and expires if it does not answer', () => {
    accuse('a')
    clock.run(60_000)
    expect(asked).toEqual([timeoutMs(1)])
    expect(expired).toEqual([expect.closeTo(timeoutMs(1) + OPTIONS.verifyTimeoutMs)])
    expect([...suspicions.suspects()]).toEqual([])
    expect([pings.size, clock.waiting]).toEqual([0, 0])
  })

  it('has less of it with every accuser more, counted from the beginning', () => {
    accuse('a')
    clock.run(1_000)
    accuse('a', 'b')
    clock.run(1_000)
    accuse('a', 'b', 'c')
    clock.run(60_000)
    expect(asked).toEqual([timeoutMs(3)])
  })

  it('in which nobody else believes has the shortest time: nobody else will accuse it', () => {
    accuse('self')
    clock.run(1_000)
    alone = true
    suspicions.note(x)
    clock.run(60_000)
    expect(asked).toEqual([timeoutMs(3)])
    expect(expired).toHaveLength(1)
  })

  it('that answers has its time anew as long as others accuse it', () => {
    answering = true
    accuse('a', 'self')
    clock.run(2.5 * timeoutMs(2))
    expect(asked).toHaveLength(2)
    expect(asked[1]! - asked[0]!).toBeCloseTo(timeoutMs(2) + OPTIONS.verifyTimeoutMs / 3)
    expect(expired).toEqual([])
  })

  it('is given the time in which this node itself stood still, also when one more accuser shortens it', () => {
    accuse('a')
    clock.run(1_000)
    health.noteLateness(800, clock.now)
    clock.run(timeoutMs(1) - 1_000)
    expect(asked).toEqual([])
    accuse('a', 'b')
    clock.run(1)
    expect(asked).toEqual([timeoutMs(1)])
    setUp()
    accuse('a', 'b', 'c')
    clock.run(1_000)
    health.noteLateness(800, clock.now)
    clock.run(timeoutMs(3) - 1_000)
    expect(asked).toEqual([])
    accuse('a', 'b', 'c', 'd')
    clock.run(60_000)
    expect(asked).toEqual([timeoutMs(3) + 800])
  })

  it('is given no more than the shortest time for that', () => {
    accuse('a', 'b', 'c')
    clock.run(1_000)
    health.noteLateness(60_000, clock.now)
    clock.run(60_000)
    expect(asked).toEqual([timeoutMs(3) + 4_000])
  })

  it('that is no suspect any more does not expire', () => {
    accuse('a')
    suspicions.end(x)
    clock.run(60_000)
    expect([asked, expired]).toEqual([[], []])
    accuse('a')
    clock.run(timeoutMs(1) + 1)
    suspicions.end(x)
    clock.run(60_000)
    expect(expired).toEqual([])
    expect([pings.size, clock.waiting]).toEqual([0, 0])
  })

  it('who accuses hard and softly counts once', () => {
    list.update(x, { ...x.record, hard: ids('a'), soft: ids('a') }, 'suspect', clock.now)
    suspicions.note(x)
    clock.run(60_000)
    expect(asked).toEqual([timeoutMs(1)])
  })
})

describe('a last check', () => {
  it('that is answered withdraws what this node itself has said: with nobody else, the suspicion is over', () => {
    answering = true
    accuse('self')
    clock.run(60_000)
    expect(asked).toEqual([timeoutMs(1)])
    expect(reviewed).toHaveLength(1)
    expect(suspicions.accused(x, x.record)).toBe(false)
    expect(suspicions.counts.withdrawn).toBe(1)
    expect([suspicions.size, clock.waiting]).toEqual([0, 0])
  })

  it('that is answered leaves the record as it is, and what others say in force', () => {
    answering = true
    accuse('self')
    clock.run(60_000)
    expect(x.record.soft).toEqual([list.self.id])
    expect(suspicions.accused(x, { ...x.record, soft: ids('self', 'a') })).toBe(true)
    const hard = ids('a', 'b', 'c', 'self')
    expect(suspicions.certifies(x, { ...x.record, hard })).toBe(false)
    expect(suspicions.certifies(x, { ...x.record, hard: ids('a', 'b', 'c', 'd') })).toBe(true)
  })

  it('is forgotten when this node accuses anew, or the member begins a new incarnation', () => {
    for (const undo of [
      () => expect(suspicions.renew(x)).toBe(true),
      () => suspicions.refuted(x, { ...x.record, incarnation: 1, soft: [] }),
    ]) {
      setUp()
      answering = true
      accuse('self')
      clock.run(60_000)
      undo()
      expect(suspicions.accused(x, x.record)).toBe(true)
      expect(suspicions.renew(x)).toBe(false)
    }
  })

  it('in which nobody answered anything is put off, ever longer: it may be this node that is cut off', () => {
    control = false
    accuse('a', 'b', 'c')
    clock.run(100_000)
    expect(expired).toEqual([])
    const gaps = asked.slice(1).map((at, i) => Math.round(at - asked[i]! - OPTIONS.verifyTimeoutMs))
    expect(gaps.slice(0, 4)).toEqual([4_000, 8_000, 16_000, 32_000])
    control = true
    clock.run(60_000)
    expect(expired).toHaveLength(1)
  })

  it('is not put off once it is clear that this node is cut off: verdicts go on, though nothing is withdrawn', () => {
    control = false
    isolated = true
    accuse('a', 'b', 'c')
    clock.run(10_000)
    expect(expired).toHaveLength(1)
  })
})

describe('of two members', () => {
  beforeEach(() => setUp(['x']))

  it('the other has half the shortest time, the last check included', () => {
    isolated = true
    accuse('self')
    clock.run(60_000)
    expect(expired).toEqual([expect.closeTo(2_000)])
  })

  it('the other has the whole time more while its host still answers', () => {
    isolated = true
    reached = true
    accuse('self')
    clock.run(60_000)
    expect(expired).toEqual([expect.closeTo(2_000 + 4_000 + OPTIONS.verifyTimeoutMs)])
  })

  it('the other is given more time, but not for ever, as long as it is heard', () => {
    accuse('self')
    clock.run(120_000)
    expect(asked).toHaveLength(4)
    expect(expired).toHaveLength(1)
  })
})

describe('a quorum', () => {
  function certify(): void {
    list.update(x, { ...x.record, hard: ids('a', 'b', 'c', 'd') }, 'suspect', clock.now)
    suspicions.note(x)
  }

  it('suffices at once in a quiet cluster', () => {
    list.update(x, { ...x.record, hard: ids('a', 'b', 'c', 'd') }, 'suspect', clock.now)
    expect(suspicions.ripe(x)).toBe(true)
  })

  it('has to wait after false alarms, by half a second for each but the first', () => {
    for (let i = 0; i < 5; i++) suspicions.falseAlarms.note(2, false, clock.now)
    certify()
    expect(suspicions.ripe(x)).toBe(false)
    clock.run(10_000)
    // A little less than two seconds, since they are being forgotten.
    expect(reviewed.length).toBeGreaterThan(0)
    expect(expired[0]).toBeGreaterThan(1_850)
    expect(expired[0]).toBeLessThanOrEqual(2_000)
  })

  it('has to wait as long as `minSuspicionMs` asks for', () => {
    setUp(NAMES, { minSuspicionMs: 3_000 })
    certify()
    clock.run(10_000)
    expect(expired).toEqual([3_000])
  })
})

describe('a refutation', () => {
  it('is a false alarm if several had accused, or if this node held the member failed', () => {
    const refute = (verdict: 'suspect' | 'failed', ...accusers: string[]): number => {
      setUp()
      list.update(x, { ...x.record, soft: ids(...accusers) }, verdict, clock.now)
      suspicions.refuted(x, { ...x.record, incarnation: 1, soft: [] })
      return suspicions.falseAlarms.recent(clock.now)
    }
    expect(refute('suspect', 'a')).toBe(0)
    expect(refute('suspect', 'a', 'b')).toBe(1)
    expect(refute('failed', 'a', 'b')).toBe(2)
  })

  it('is neither a restart, nor a goodbye, nor a mere change of metadata', () => {
    list.update(x, { ...x.record, soft: ids('a', 'b') }, 'failed', clock.now)
    suspicions.refuted(x, recordOf('x', { epoch: { time: 2_000, nonce: 3 } }))
    suspicions.refuted(x, { ...x.record, left: true })
    list.update(x, recordOf('x'), 'alive', clock.now)
    suspicions.refuted(x, recordOf('x', { incarnation: 1 }))
    expect(suspicions.falseAlarms.recent(clock.now)).toBe(0)
  })
})
