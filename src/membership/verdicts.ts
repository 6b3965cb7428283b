import type { Runtime } from '../runtime/runtime.ts'
import { sameEpoch } from '../wire/epoch.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import { Examiner, type ExaminerHost, type ExaminerOptions } from './examiner.ts'
import { FailedVoices } from './failed-voices.ts'
import type { JudgingTimers } from './judging-timers.ts'
import type { LocalHealth } from './local-health.ts'
import { type Member, type Verdict, withAccusation } from './member.ts'
import type { MemberList } from './member-list.ts'
import type { Pings } from './pings.ts'
import { Quarantine } from './quarantine.ts'
import { RecentFailures } from './recent-failures.ts'
import type { SuspicionOptions } from './suspicion-rules.ts'
import { Suspicions } from './suspicions.ts'
import { Verification } from './verification.ts'

export interface VerdictsOptions extends SuspicionOptions, ExaminerOptions {}

export interface VerdictsHost extends ExaminerHost {
  /** Whether this node takes itself for cut off, as of now. */
  isolated(): boolean
  /** Whether nobody else is known to believe in a member. */
  believesAlone(member: Member): boolean
  /** This node has found out itself that a member is silent. */
  accuse(member: Member, hard: boolean): void
  /** Tells a member what it is accused of. */
  tell(member: Member): void
  verdictChanged(member: Member, previous: Verdict | undefined): void
  statusChanged(member: Member, previous: Verdict | undefined): void
}

/** What this node makes of the members' records: a verdict on each, and what follows from it. */
export class Verdicts {
  readonly examiner: Examiner
  readonly verification: Verification
  readonly quarantine: Quarantine = new Quarantine()
  readonly recentFailures: RecentFailures = new RecentFailures()
  readonly failedVoices: FailedVoices
  readonly #runtime: Runtime
  readonly #members: MemberList
  readonly #host: VerdictsHost
  readonly #suspicions: Suspicions
  readonly #counts = { certificates: 0, timeouts: 0 }

  constructor(
    runtime: Runtime,
    options: VerdictsOptions,
    members: MemberList,
    pings: Pings,
    health: LocalHealth,
    timers: JudgingTimers,
    host: VerdictsHost,
  ) {
    this.#runtime = runtime
    this.#members = members
    this.#host = host
    this.failedVoices = new FailedVoices((speaker) => host.tell(speaker))
    this.examiner = new Examiner(runtime, options, members, pings, health, timers, host)
    this.verification = new Verification(runtime, members, this.examiner, (member, hard) =>
      host.accuse(member, hard),
    )
    this.#suspicions = new Suspicions(runtime, options, members, timers, this.examiner, {
      isolated: () => host.isolated(),
      believesAlone: (member) => host.believesAlone(member),
      review: (member) => this.settle(member, member.record),
      expired: (member) => this.#expired(member),
    })
  }

  get counts(): Readonly<Record<string, number>> {
    const muted = this.failedVoices.ignored
    return { ...this.#counts, ...this.#suspicions.counts, muted, quarantines: this.quarantine.begun }
  }

  stop(): void {
    this.verification.stop()
    this.#suspicions.stop()
  }

  /** What is to be reported of a member. */
  statusOf(member: Member): Verdict {
    return member.live && this.quarantine.has(member) ? 'failed' : member.verdict
  }

  /** A member is new. */
  admitted(member: Member): void {
    if (member.live) this.#report(member, undefined, undefined)
    const { hard, soft } = member.record
    if (hard.length + soft.length > 0) this.settle(member, member.record)
  }

  /** Stores a member's record and draws the verdict that follows from it. */
  settle(member: Member, record: MemberRecord): void {
    const { verdict: previous } = member
    const reported = this.statusOf(member)
    const sameLife =
      sameEpoch(record.epoch, member.record.epoch) && record.incarnation === member.record.incarnation
    if (!sameLife) this.#suspicions.refuted(member, record)
    const verdict = this.#judge(member, record, sameLife)
    if (!sameLife || verdict !== 'suspect') {
      this.#suspicions.end(member)
      this.verification.cancel(member)
    }
    this.#store(member, record, verdict)
    if (verdict === 'suspect') {
      this.#suspicions.note(member)
      this.verification.consider(member)
    }
    this.#report(member, previous, reported)
  }

  /** Adds this node's own accusation; says whether that was new. */
  accuse(member: Member, hard: boolean): boolean {
    const renewed = this.#suspicions.renew(member)
    const record = withAccusation(member.record, this.#members.self.id, hard)
    if (record === member.record && !renewed) return false
    this.settle(member, record)
    return true
  }

  /** To be called every probe interval: who was to verify may be gone, a quarantine may be over. */
  tick(): void {
    for (const suspect of this.#suspicions.suspects()) this.verification.consider(suspect)
    for (const member of this.quarantine.ended(this.#members.liveCount, this.#runtime.now())) {
      this.#report(member, member.verdict, 'failed')
    }
  }

  forget(member: Member): void {
    this.#suspicions.forget(member)
    this.failedVoices.forget(member)
    this.quarantine.forget(member)
  }

  #judge(member: Member, record: MemberRecord, sameLife: boolean): Verdict {
    if (record.left) return 'left'
    if (!this.#suspicions.accused(member, record)) return 'alive'
    if (sameLife && member.verdict === 'failed') return 'failed'
    if (!this.#suspicions.certifies(member, record) || !this.#suspicions.ripe(member)) return 'suspect'
    this.#counts.certificates++
    return 'failed'
  }

  /** The slow path has come to its end without an answer. */
  #expired(member: Member): void {
    if (member.verdict !== 'suspect') return
    this.#counts.timeouts++
    this.verification.cancel(member)
    const reported = this.statusOf(member)
    this.#store(member, member.record, 'failed')
    this.#report(member, 'suspect', reported)
  }

  #store(member: Member, record: MemberRecord, verdict: Verdict): void {
    const { address, record: before } = member
    const failed = verdict === 'failed' && verdict !== member.verdict
    const now = this.#runtime.now()
    this.#members.update(member, record, verdict, now)
    this.failedVoices.note(member, address)
    if (failed) this.recentFailures.note(member, now)
    if (verdict === 'left' || !sameEpoch(record.epoch, before.epoch)) this.quarantine.forget(member)
    const { liveCount } = this.#members
    // What is said of one that is gone anyway is no sign that it lives and is bad.
    if (verdict === 'suspect' && record.hard !== before.hard)
      this.quarantine.accused(member, this.#credible(record.hard), liveCount, now)
    if (failed) this.quarantine.failed(member, liveCount, now)
  }

  /** Accusers that this node does not itself hold failed. */
  #credible(accusers: readonly number[]): readonly number[] {
    return accusers.filter((id) => this.#members.byId(id)?.live === true)
  }

  #report(member: Member, previous: Verdict | undefined, reported: Verdict | undefined): void {
    if (member.verdict !== previous) this.#host.verdictChanged(member, previous)
    if (this.statusOf(member) !== reported) this.#host.statusChanged(member, reported)
  }
}
