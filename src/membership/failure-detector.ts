import { sample } from '../dissemination/peer.ts'
import type { Runtime, Timer } from '../runtime/runtime.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import type { Grace, JudgingTimers } from './judging-timers.ts'
import type { LocalHealth } from './local-health.ts'
import { comparePrecedence, type Member } from './member.ts'
import type { MemberList } from './member-list.ts'
import type { OpenPing, Pings } from './pings.ts'
import type { ProbeSchedule } from './probe-schedule.ts'
import type { RecentLosses } from './recent-losses.ts'

export interface FailureDetectorOptions {
  readonly probeIntervalMs: number
  /** How long a direct ping waits before others are asked to help. */
  readonly probeTimeoutMs: number
  /** How long helpers and the stream have. */
  readonly indirectTimeoutMs: number
  readonly indirectProbes: number
}

/** The ways in which the detector reaches others. */
export interface ProbeHost {
  ping(member: Member, ping: OpenPing): void
  askHelper(helper: Member, target: Member, ping: OpenPing, budgetMs: number): void
  /** A bare connection: does the member's host still answer, whatever its process does? */
  witness(member: Member, timeoutMs: number, onResult: (reached: boolean) => void): void
  /** A ping over a stream, for where packets do not get through. */
  streamPing(member: Member, timeoutMs: number, onAck: () => void): void
  /** The member answered a direct ping; `coordinate` may be empty. */
  answered(member: Member, rttMs: number, coordinate: Uint8Array): void
  /** The member answered nobody. `hard` says that this node could tell: it has heard others, and the host is silent. */
  accuse(member: Member, hard: boolean): void
  /** A tick is over. */
  ticked(): void
}

/** A peer that is known to be far gets more time, but never more than this many plain timeouts. */
const MAX_TIMEOUT_STRETCH = 4
/** How many of its usual round trips a ping may take. */
const RTT_ALLOWANCE = 3
/** Pings in each stage of a probe, where packets are being lost. */
const PATIENT_PINGS = 3

/**
 * The probing of SWIM (Das, Gupta, Motivala 2002), pipelined: each interval one member is pinged; if it stays silent others
 * and a stream are tried; if all stay silent it is accused. A slow probe never delays the next one.
 */
export class FailureDetector {
  readonly #runtime: Runtime
  readonly #options: FailureDetectorOptions
  readonly #members: MemberList
  readonly #schedule: ProbeSchedule
  readonly #pings: Pings
  readonly #health: LocalHealth
  readonly #timers: JudgingTimers
  readonly #losses: RecentLosses
  readonly #host: ProbeHost
  readonly #probes = new Map<Member, Probe>()
  #timer: Timer | undefined
  #dueAt = 0
  /** The last tick's probe, or a later one, failed though this node could see: where one is gone, others may be. */
  #extraWanted = false
  /** Probes, those that were patient, and all by how they ended. */
  readonly counts = { sent: 0, patient: 0, direct: 0, indirect: 0, stream: 0, failed: 0 }

  constructor(
    runtime: Runtime,
    options: FailureDetectorOptions,
    members: MemberList,
    schedule: ProbeSchedule,
    pings: Pings,
    health: LocalHealth,
    timers: JudgingTimers,
    losses: RecentLosses,
    host: ProbeHost,
  ) {
    this.#runtime = runtime
    this.#options = options
    this.#members = members
    this.#schedule = schedule
    this.#pings = pings
    this.#health = health
    this.#timers = timers
    this.#losses = losses
    this.#host = host
  }

  /** Begins with a random phase, so that a cluster's ticks spread over the interval. */
  start(): void {
    this.#arm((this.#runtime.randomUint32() / 0x1_0000_0000) * this.#options.probeIntervalMs)
  }

  stop(): void {
    this.#timer?.cancel()
    for (const probe of this.#probes.values()) probe.end()
    this.#probes.clear()
  }

  #arm(delayMs: number): void {
    this.#dueAt = this.#runtime.now() + delayMs
    this.#timer = this.#runtime.setTimer(delayMs, () => this.#tick())
  }

  #tick(): void {
    const now = this.#runtime.now()
    this.#health.noteLateness(now - this.#dueAt, now)
    this.#arm(this.#options.probeIntervalMs)
    this.#probe(this.#schedule.advance())
    if (this.#extraWanted) {
      this.#extraWanted = false
      this.#probe(sample(this.#members.live, 1, () => this.#runtime.randomUint32())[0])
    }
    this.#host.ticked()
  }

  #probe(target: Member | undefined): void {
    if (target === undefined || this.#probes.has(target)) return
    this.counts.sent++
    this.#losses.probed()
    const { probeTimeoutMs, indirectTimeoutMs } = this.#options
    const patient = this.#losses.besides(target)
    if (patient) this.counts.patient++
    const probe = new Probe(target, patient, this.#timers, probeTimeoutMs + indirectTimeoutMs)
    this.#probes.set(target, probe)
    const timeoutMs = this.#timeoutFor(target)
    this.#ping(probe)
    if (probe.patient) this.#pingAgain(probe, timeoutMs)
    probe.wait(timeoutMs, () => this.#seekHelp(probe))
  }

  /** Goes on pinging until a stage is over, so that it takes more than a few lost packets to be accused. */
  #pingAgain(probe: Probe, stageMs: number, pings = PATIENT_PINGS - 1): void {
    if (pings === 0) return
    probe.remind(this.#runtime, stageMs / PATIENT_PINGS, () => {
      this.#ping(probe)
      this.#pingAgain(probe, stageMs, pings - 1)
    })
  }

  #ping(probe: Probe): void {
    const { target } = probe
    const sentAt = this.#runtime.now()
    const first = probe.opened.length === 0
    const direct = this.#pings.open({
      onAck: (ack) => {
        const rttMs = this.#runtime.now() - sentAt
        if (this.#succeed(probe, 'direct', first)) this.#host.answered(target, rttMs, ack.coordinate)
      },
    })
    probe.opened.push(direct)
    this.#host.ping(target, direct)
  }

  #seekHelp(probe: Probe): void {
    const { target } = probe
    const budgetMs = this.#options.indirectTimeoutMs * this.#health.factor(this.#runtime.now())
    if (probe.patient) {
      this.#ping(probe)
      this.#pingAgain(probe, budgetMs)
    }
    const helpers = sample(
      this.#members.live,
      this.#options.indirectProbes,
      () => this.#runtime.randomUint32(),
      (member) => member !== target && member.verdict === 'alive',
    )
    for (const helper of helpers) {
      const asked = this.#pings.open({
        onAck: () => this.#succeed(probe, 'indirect'),
        onNack: () => {
          probe.control = true
        },
      })
      probe.opened.push(asked)
      this.#host.askHelper(helper, target, asked, budgetMs)
    }
    this.#host.witness(target, budgetMs, (reached) => {
      probe.hostReached ||= reached
    })
    this.#host.streamPing(target, budgetMs, () => this.#succeed(probe, 'stream'))
    probe.wait(budgetMs, () => this.#fail(probe))
  }

  #succeed(probe: Probe, how: 'direct' | 'indirect' | 'stream', byFirstPing = false): boolean {
    if (!this.#end(probe)) return false
    this.counts[how]++
    if (!byFirstPing) this.#losses.note(probe.target)
    return true
  }

  #fail(probe: Probe): void {
    if (!this.#end(probe)) return
    this.counts.failed++
    const { target } = probe
    // The silence of a former life or incarnation says nothing of one that was heard of since.
    if (!target.live || comparePrecedence(target.record, probe.record) !== 0) return
    this.#extraWanted ||= probe.control
    this.#host.accuse(target, probe.control && !probe.hostReached)
  }

  #end(probe: Probe): boolean {
    if (!probe.end()) return false
    this.#probes.delete(probe.target)
    return true
  }

  /** By the known round trip of the peer, within bounds; longer while this node doubts itself. */
  #timeoutFor(target: Member): number {
    const { probeTimeoutMs } = this.#options
    const allowance = RTT_ALLOWANCE * (target.rttMs ?? 0)
    const timeout = Math.min(Math.max(probeTimeoutMs, allowance), MAX_TIMEOUT_STRETCH * probeTimeoutMs)
    return timeout * this.#health.factor(this.#runtime.now())
  }
}

/** One member being probed. */
class Probe {
  readonly target: Member
  /** What was known of it when the probe began. */
  readonly record: MemberRecord
  readonly opened: OpenPing[] = []
  /** Packets are being lost lately: silence says less. */
  readonly patient: boolean
  /** Somebody else answered meanwhile: this node is not the one that is cut off. */
  control = false
  hostReached = false
  readonly #timers: JudgingTimers
  readonly #grace: Grace
  #timer: Timer | undefined
  #reminder: Timer | undefined
  #ended = false

  /** This node's own stalls lengthen the probe by at most `graceMs`. */
  constructor(target: Member, patient: boolean, timers: JudgingTimers, graceMs: number) {
    this.target = target
    this.patient = patient
    this.record = target.record
    this.#timers = timers
    this.#grace = { leftMs: graceMs }
  }

  /** Goes on to `next` after a time, unless it has ended by then. */
  wait(delayMs: number, next: () => void): void {
    this.#timer = this.#timers.set(delayMs, this.#grace, next)
  }

  /** Does something after a time, if all that has arrived by then did not end it. */
  remind(runtime: Runtime, delayMs: number, act: () => void): void {
    this.#reminder?.cancel()
    this.#reminder = runtime.setTimer(delayMs, () =>
      runtime.afterPendingIo(() => {
        if (!this.#ended) act()
      }),
    )
  }

  /** False if it had ended before. */
  end(): boolean {
    if (this.#ended) return false
    this.#ended = true
    this.#timer?.cancel()
    this.#reminder?.cancel()
    for (const ping of this.opened) ping.close()
    return true
  }
}
