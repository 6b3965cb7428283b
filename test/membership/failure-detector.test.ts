import { beforeEach, describe, expect, it } from 'vitest'
import { FailureDetector } from '../../src/membership/failure-detector.ts'
import { JudgingTimers } from '../../src/membership/judging-timers.ts'
import { LocalHealth } from '../../src/membership/local-health.ts'
import type { Member } from '../../src/membership/member.ts'
import { MemberList } from '../../src/membership/member-list.ts'
import { type OpenPing, Pings } from '../../src/membership/pings.ts'
import { ProbeSchedule } from '../../src/membership/probe-schedule.ts'
import type { Ack } from '../../src/wire/messages.ts'
import { TestClock } from '../dissemination/test-clock.ts'
import { recordOf } from './records.ts'

const OPTIONS = { probeIntervalMs: 1_000, probeTimeoutMs: 500, indirectTimeoutMs: 500, indirectProbes: 3 }
const NAMES = ['a', 'b', 'c', 'd', 'e']

interface Event {
  readonly what: 'ping' | 'help' | 'witness' | 'stream' | 'answered' | 'accused'
  readonly name: string
  readonly atMs: number
}

let clock: TestClock
let list: MemberList
let pings: Pings
let health: LocalHealth
let detector: FailureDetector
let events: Event[]
/** Whose pings are answered, and what helpers and streams do for the others. */
let answering: (name: string) => boolean
let lateMs: number | undefined
let help: 'ack' | 'nack' | 'nothing'
let reached: boolean
let streams: boolean
let accusations: { name: string; hard: boolean }[]

beforeEach(() => {
  clock = new TestClock()
  list = new MemberList(recordOf('self'))
  for (const name of NAMES) list.add(recordOf(name), 'alive', clock.now)
  const runtime = clock.runtime(1)
  pings = new Pings(runtime)
  health = new LocalHealth()
  events = []
  accusations = []
  answering = () => true
  lateMs = undefined
  help = 'nack'
  reached = false
  streams = false
  const start = clock.now
  const note = (what: Event['what'], { name }: Member): void => {
    events.push({ what, name, atMs: clock.now - start })
  }
  const timers = new JudgingTimers(runtime, health)
  detector = new FailureDetector(runtime, OPTIONS, list, new ProbeSchedule(list), pings, health, timers, {
    ping: (member, ping) => {
      note('ping', member)
      const afterMs = answering(member.name) ? 2 : lateMs
      if (afterMs !== undefined) clock.schedule(afterMs, () => pings.acked(ackOf(ping), member.address))
    },
    askHelper: (helper, target, ping) => {
      note('help', helper)
      expect(helper).not.toBe(target)
      if (help === 'ack') clock.schedule(4, () => pings.acked(ackOf(ping), helper.address))
      if (help === 'nack') clock.schedule(400, () => pings.nacked(ping.token))
    },
    witness: (member, timeoutMs, onResult) => {
      note('witness', member)
      clock.schedule(reached ? 2 : timeoutMs, () => onResult(reached))
    },
    streamPing: (member, _, onAck) => {
      note('stream', member)
      if (streams) clock.schedule(6, onAck)
    },
    answered: (member) => note('answered', member),
    accuse: (member, hard) => {
      note('accused', member)
      accusations.push({ name: member.name, hard })
    },
    ticked() {},
  })
})

function ackOf({ token }: OpenPing): Ack {
  return { token, sourceId: 0, members: 0, digests: [], coordinate: new Uint8Array(0) }
}

function of(what: Event['what']): Event[] {
  return events.filter((event) => event.what === what)
}

/** Silences one member and runs until it has been probed to the end. */
function silence(name: string): void {
  answering = (other) => other !== name
  detector.start()
  clock.run(10_000)
  detector.stop()
}

/** How long after the ping of a silent member others were asked to help. */
function patience(name: string): number {
  silence(name)
  const witness = of('witness')[0]!
  return (
    witness.atMs - of('ping').findLast((event) => event.name === name && event.atMs <= witness.atMs)!.atMs
  )
}

describe('a probe', () => {
  it('goes to one member every interval, and is over when that answers', () => {
    detector.start()
    clock.run(20_000)
    expect(of('ping')).toHaveLength(20)
    expect(of('answered')).toHaveLength(20)
    expect(detector.counts).toEqual({ sent: 20, direct: 20, indirect: 0, stream: 0, failed: 0 })
    detector.stop()
    expect(pings.size).toBe(0)
  })

  it('of a silent member asks three others, its host and a stream, and then accuses it', () => {
    silence('a')
    const first = of('witness')[0]!
    const atThatTime = events.filter(({ atMs }) => atMs === first.atMs)
    expect(atThatTime.map(({ what }) => what)).toEqual(['help', 'help', 'help', 'witness', 'stream'])
    expect(of('accused')[0]!.atMs - first.atMs).toBe(OPTIONS.indirectTimeoutMs)
    expect(accusations.every(({ name }) => name === 'a')).toBe(true)
    expect(pings.size).toBe(0)
  })

  it('is given the time in which this node itself stood still, but no more than its own time again', () => {
    for (const [stallMs, extraMs] of [
      [300, 300],
      [60_000, OPTIONS.probeTimeoutMs + OPTIONS.indirectTimeoutMs],
    ] as const) {
      events.length = 0
      answering = (name) => name !== 'a'
      detector.start()
      while (!of('ping').some(({ name }) => name === 'a')) clock.run(10)
      const sentAt = of('ping').find(({ name }) => name === 'a')!.atMs
      const patienceMs = OPTIONS.probeTimeoutMs * health.factor(clock.now)
      clock.run(100)
      health.noteLateness(stallMs, clock.now)
      clock.run(patienceMs + extraMs + 100)
      detector.stop()
      expect(of('witness')[0]!.atMs - sentAt - patienceMs).toBeCloseTo(extraMs, 0)
      health.stalledMs = 0
    }
  })

  it('that is slow does not delay the next', () => {
    silence('a')
    const ticks = of('ping').map(({ atMs }) => atMs)
    const gaps = ticks.slice(1).map((at, i) => at - ticks[i]!)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(2 * OPTIONS.probeIntervalMs)
  })

  it.each([
    ['a helper', 'indirect'],
    ['a stream', 'stream'],
  ] as const)('of a member that only %s reaches does not accuse', (_, counted) => {
    if (counted === 'indirect') help = 'ack'
    else streams = true
    silence('a')
    expect(accusations).toEqual([])
    expect(detector.counts[counted]).toBeGreaterThan(0)
    expect(detector.counts.failed).toBe(0)
  })

  it('answered late, but before the end, does not accuse', () => {
    lateMs = OPTIONS.probeTimeoutMs + OPTIONS.indirectTimeoutMs - 10
    silence('a')
    expect(of('witness').length).toBeGreaterThan(0)
    expect(accusations).toEqual([])
    expect(detector.counts.direct).toBe(detector.counts.sent)
  })
})

describe('an accusation is hard', () => {
  it('if others answered, and the host did not', () => {
    silence('a')
    expect(accusations[0]).toEqual({ name: 'a', hard: true })
  })

  it('not if nobody answered: it may be this node that is cut off', () => {
    help = 'nothing'
    silence('a')
    expect(accusations[0]).toEqual({ name: 'a', hard: false })
  })

  it('not if the host still completes a handshake: the process may merely be slow', () => {
    reached = true
    silence('a')
    expect(accusations[0]).toEqual({ name: 'a', hard: false })
  })
})

describe('the first timeout', () => {
  it('is three usual round trips of a far member, but never more than four times the plain one', () => {
    expect(patience('a')).toBe(OPTIONS.probeTimeoutMs)
  })

  it.each([
    [100, 500],
    [300, 900],
    [5_000, 2_000],
  ])('of a member %i ms away is %i ms', (rttMs, timeoutMs) => {
    list.get('a')!.rttMs = rttMs
    expect(patience('a')).toBe(timeoutMs)
  })

  it('is longer while this node itself stands still again and again', () => {
    let over = false
    const standStill = (): void => {
      health.noteLateness(500, clock.now)
      if (!over) clock.schedule(1_000, standStill)
    }
    standStill()
    expect(patience('a')).toBeGreaterThan(OPTIONS.probeTimeoutMs * 1.2)
    over = true
  })
})

describe('what a probe began', () => {
  it('is not held against a member that has been heard of since: a new life, or a refutation', () => {
    for (const change of [{ epoch: { time: 2_000, nonce: 5 } }, { incarnation: 1 }]) {
      const member = list.get('a')!
      answering = (name) => name !== 'a'
      detector.start()
      for (let probed = false; !probed; probed = of('ping').some(({ name }) => name === 'a')) clock.run(10)
      list.update(member, recordOf('a', change), 'alive', clock.now)
      answering = () => true
      clock.run(1_500)
      expect(accusations).toEqual([])
      detector.stop()
      events.length = 0
    }
  })

  it('is not held against a member that has left meanwhile', () => {
    const member = list.get('a')!
    answering = (name) => name !== 'a'
    detector.start()
    for (let probed = false; !probed; probed = of('ping').some(({ name }) => name === 'a')) clock.run(10)
    list.update(member, recordOf('a', { left: true }), 'left', clock.now)
    clock.run(1_500)
    expect(accusations).toEqual([])
  })
})
