import { beforeEach, describe, expect, it } from 'vitest'
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
  suspicionMultiplier: 4,
  suspicionMaxMultiplier: 6,
}
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'x']

let clock: TestClock
let list: MemberList
let pings: Pings
let suspicions: Suspicions
let x: Member
let answering: boolean
let asked: number[]
let expired: number[]
let start: number

beforeEach(() => {
  clock = new TestClock()
  list = new MemberList(recordOf('self'))
  for (const name of NAMES) list.add(recordOf(name), 'alive', clock.now)
  x = list.get('x')!
  const runtime = clock.runtime(1)
  pings = new Pings(runtime)
  answering = false
  asked = []
  expired = []
  start = clock.now
  suspicions = new Suspicions(runtime, OPTIONS, list, pings, new LocalHealth(), {
    ping: (member, { token }) => {
      asked.push(clock.now - start)
      const ack = { token, sourceId: x.id, members: 0, digests: [], coordinate: new Uint8Array(0) }
      if (answering) clock.schedule(2, () => pings.acked(ack, member.address))
    },
    expired: () => expired.push(clock.now - start),
  })
})

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
    suspicions.certifies(recordOf('x', { hard: ids(...names) }))

  it('has four hard accusers that this node holds alive, itself among them or not', () => {
    expect(certifies('a', 'b', 'c')).toBe(false)
    expect(certifies('a', 'b', 'c', 'd')).toBe(true)
    expect(certifies('a', 'b', 'c', 'self')).toBe(true)
    expect(suspicions.certifies(recordOf('x', { hard: ids('a', 'b', 'c'), soft: ids('d', 'e') }))).toBe(false)
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
})

describe('a suspect', () => {
  it('has its time, is asked once more when it is over, and expires if it does not answer', () => {
    accuse('a')
    clock.run(60_000)
    expect(asked).toEqual([timeoutMs(1)])
    expect(expired).toEqual([timeoutMs(1) + OPTIONS.probeTimeoutMs])
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

  it('that answers has its time anew', () => {
    answering = true
    accuse('a')
    clock.run(2.5 * (timeoutMs(1) + OPTIONS.probeTimeoutMs))
    const round = timeoutMs(1) + OPTIONS.probeTimeoutMs
    expect(asked).toEqual([timeoutMs(1), timeoutMs(1) + round])
    expect(expired).toEqual([])
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
