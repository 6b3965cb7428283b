import { beforeEach, describe, expect, it } from 'vitest'
import { FailureDetector } from '../../src/membership/failure-detector.ts'
import { JudgingTimers } from '../../src/membership/judging-timers.ts'
import { LocalHealth } from '../../src/membership/local-health.ts'
import type { Member } from '../../src/membership/member.ts'
import { MemberList } from '../../src/membership/member-list.ts'
import { type OpenPing, Pings } from '../../src/membership/pings.ts'
import { ProbeSchedule } from '../../src/membership/probe-schedule.ts'
import { RecentLosses } from '../../src/membership/recent-losses.ts'
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
let losses: RecentLosses
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
  losses = new RecentLosses()
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
  const schedule = new ProbeSchedule(list)
  detector = new FailureDetector(runtime, OPTIONS, list, schedule, pings, health, timers, losses, {
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
    expect(detector.counts).toEqual({ sent: 20, patient: 0, direct: 20, indirect: 0, stream: 0, failed: 0 })
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

describe('where packets to several others were lost lately, a probe', () => {
  /** A silent member is probed once; when it was pinged and accused, from the first ping on. */
  function probed(): { readonly pings: readonly number[]; readonly accused: readonly number[] } {
    for (const name of ['b', 'c']) losses.note(list.get(name)!)
    answering = (other) => other !== 'a'
    detector.start()
    while (!of('ping').some(({ name }) => name === 'a')) clock.run(10)
    clock.run(1_100)
    detector.stop()
    const all = of('ping').filter(({ name }) => name === 'a')
    const times = (some: readonly Event[]): number[] => some.map(({ atMs }) => atMs - all[0]!.atMs)
    return { pings: times(all), accused: times(of('accused')) }
  }

  it('pings three times in each of its stages, and takes no longer', () => {
    const { pings: sent, accused } = probed()
    expect(sent.slice(0, 6).map(Math.round)).toEqual([0, 167, 333, 500, 667, 833])
    expect(accused).toEqual([expect.closeTo(1_000)])
    expect(detector.counts.patient).toBeGreaterThan(0)
    expect(pings.size).toBe(0)
  })

  it('that is answered at once leaves no timer behind', () => {
    for (const name of ['b', 'c']) losses.note(list.get(name)!)
    detector.start()
    while (of('answered').length === 0) clock.run(1)
    detector.stop()
    expect(clock.waiting).toBe(0)
  })

  it('ends with an answer to any of its pings', () => {
    let asked = 0
    answering = (other) => other !== 'a' || ++asked === 5
    for (const name of ['b', 'c']) losses.note(list.get(name)!)
    detector.start()
    while (of('answered').every(({ name }) => name !== 'a')) clock.run(10)
    clock.run(500)
    detector.stop()
    const sent = of('ping').filter(({ name }) => name === 'a')
    expect(sent).toHaveLength(5)
    expect(of('answered').find(({ name }) => name === 'a')!.atMs - sent[4]!.atMs).toBe(2)
    expect(accusations).toEqual([])
    expect(pings.size).toBe(0)
  })

  it('is as any other again when thirty probes have gone by', () => {
    for (const name of ['b', 'c']) losses.note(list.get(name)!)
    detector.start()
    clock.run(31_000)
    detector.stop()
    expect(losses.besides(undefined)).toBe(false)
  })

  it('of one of those whose packets were lost goes by the losses of the others', () => {
    losses.note(list.get('a')!)
    losses.note(list.get('b')!)
    silence('a')
    expect(of('ping').filter(({ name }) => name === 'a').length).toBe(accusations.length)
  })
})

describe('a packet was lost', () => {
  const lost = (): boolean => losses.besides(undefined)
  const twoSilent = (name: string): boolean => name !== 'a' && name !== 'b'

  it.each(['a helper', 'a stream'])('if the member answers %s only', (by) => {
    if (by === 'a helper') help = 'ack'
    else streams = true
    answering = twoSilent
    detector.start()
    clock.run(20_000)
    detector.stop()
    expect(lost()).toBe(true)
  })

  it('not if the answer was merely late', () => {
    lateMs = 700
    answering = twoSilent
    detector.start()
    clock.run(20_000)
    detector.stop()
    expect(of('witness').length).toBeGreaterThan(1)
    expect(lost()).toBe(false)
  })

  it('not if the member answers nobody: it may be dead', () => {
    answering = twoSilent
    detector.start()
    clock.run(20_000)
    detector.stop()
    expect(new Set(accusations.map(({ name }) => name)).size).toBe(2)
    expect(lost()).toBe(false)
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
