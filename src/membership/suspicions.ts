import type { Runtime, Timer } from '../runtime/runtime.ts'
import { sameEpoch } from '../wire/epoch.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import type { Examination, Examiner, Findings } from './examiner.ts'
import { FalseAlarms } from './false-alarms.ts'
import type { Grace, JudgingTimers } from './judging-timers.ts'
import type { Member } from './member.ts'
import type { MemberList } from './member-list.ts'
import {
  accusersNeeded,
  leastSuspicionMs,
  type SuspicionOptions,
  shortestSuspicionMs,
  suspicionTimeoutMs,
} from './suspicion-rules.ts'

export interface SuspicionsHost {
  /** Whether this node takes itself for cut off, as of now. */
  isolated(): boolean
  /** Whether nobody else is known to believe in the member, and so nobody else will accuse it. */
  believesAlone(member: Member): boolean
  /** What follows from the member's record is to be drawn anew: time or a withdrawn accusation may have changed it. */
  review(member: Member): void
  /** The time of a suspect is over, and it did not answer a last check either. */
  expired(member: Member): void
}

/** A member that has come back is no witness for so long; whom it accused wrongly has refuted by then. */
const RETURN_GRACE_MS = 10_000
/** After a last check that could not be begun. */
const RETRY_MS = 1_000
/** Judgement is put off in shortest suspicions, doubling up to so many. */
const MAX_POSTPONEMENT = 8
/** Of two members neither has a control: to be put off for ever would be to be blind. */
const MAX_POSTPONEMENTS_ALONE = 3

interface Suspicion {
  readonly startedAt: number
  /** By how much own stalls may still lengthen it, and by how much they might at first. */
  readonly grace: Grace
  readonly graceMs: number
  timer: Timer | undefined
  lastCheck: Examination | undefined
  postponements: number
}

/** The members under suspicion: when a quorum suffices, and the time that each has left on the slow path. */
export class Suspicions {
  readonly falseAlarms: FalseAlarms = new FalseAlarms()
  readonly #runtime: Runtime
  readonly #options: SuspicionOptions
  readonly #members: MemberList
  readonly #timers: JudgingTimers
  readonly #examiner: Examiner
  readonly #host: SuspicionsHost
  readonly #bySuspect = new Map<Member, Suspicion>()
  /** Whom this node has accused in vain: its own accusation stays in the record and does not count here. */
  readonly #withdrawn = new Set<Member>()
  readonly counts = { withdrawn: 0, postponed: 0 }

  constructor(
    runtime: Runtime,
    options: SuspicionOptions,
    members: MemberList,
    timers: JudgingTimers,
    examiner: Examiner,
    host: SuspicionsHost,
  ) {
    this.#runtime = runtime
    this.#options = options
    this.#members = members
    this.#timers = timers
    this.#examiner = examiner
    this.#host = host
  }

  get size(): number {
    return this.#bySuspect.size
  }

  suspects(): Iterable<Member> {
    return this.#bySuspect.keys()
  }

  /** Whether anybody accuses, an accusation that this node has withdrawn apart. */
  accused(member: Member, { hard, soft }: MemberRecord): boolean {
    if (hard.length + soft.length === 0) return false
    if (!this.#withdrawn.has(member)) return true
    const { id } = this.#members.self
    return hard.some((accuser) => accuser !== id) || soft.some((accuser) => accuser !== id)
  }

  /**
   * Whether a record's hard accusers suffice to hold the member failed at once. Only accusers that this node does not
   * itself hold failed count, nor those that have just come back: what they say dates from when they were cut off.
   */
  certifies(member: Member, record: MemberRecord): boolean {
    const needed = accusersNeeded(this.#members.liveCount)
    if (record.hard.length < needed) return false
    const settledSince = this.#runtime.now() - RETURN_GRACE_MS
    let credible = 0
    for (const id of record.hard) {
      const accuser = this.#members.byId(id)
      if (accuser === this.#members.self && this.#withdrawn.has(member)) continue
      if (accuser?.live && (accuser.returnedAt ?? settledSince) <= settledSince) credible++
    }
    return credible >= needed
  }

  /** Whether the member has been suspect for as long as recent false alarms, or an option, ask for. */
  ripe(member: Member): boolean {
    return this.#unripeMs(this.#bySuspect.get(member)?.startedAt ?? this.#runtime.now()) <= 0
  }

  /** A member has become a suspect, or has got one more accuser: its time is set anew. */
  note(member: Member): void {
    let suspicion = this.#bySuspect.get(member)
    if (suspicion === undefined) {
      const graceMs = shortestSuspicionMs(this.#options, this.#members.liveCount)
      suspicion = {
        startedAt: this.#runtime.now(),
        grace: { leftMs: graceMs },
        graceMs,
        timer: undefined,
        lastCheck: undefined,
        postponements: 0,
      }
      this.#bySuspect.set(member, suspicion)
    }
    if (suspicion.lastCheck === undefined) this.#arm(member, suspicion)
  }

  /** The member has refuted, or begun a new life: what was said of it before is past. */
  refuted(member: Member, record: MemberRecord): void {
    this.#withdrawn.delete(member)
    if (record.left || !sameEpoch(record.epoch, member.record.epoch)) return
    const accusers = countAccusers(member.record)
    if (accusers > 0) this.falseAlarms.note(accusers, member.verdict === 'failed', this.#runtime.now())
  }

  /** This node accuses a member; says whether it had withdrawn the same before. */
  renew(member: Member): boolean {
    return this.#withdrawn.delete(member)
  }

  end(member: Member): void {
    const suspicion = this.#bySuspect.get(member)
    if (suspicion === undefined) return
    this.#bySuspect.delete(member)
    suspicion.timer?.cancel()
    suspicion.lastCheck?.cancel()
  }

  forget(member: Member): void {
    this.end(member)
    this.#withdrawn.delete(member)
  }

  stop(): void {
    for (const member of [...this.#bySuspect.keys()]) this.end(member)
  }

  #unripeMs(startedAt: number): number {
    const now = this.#runtime.now()
    const falseAlarms = this.falseAlarms.recent(now)
    return startedAt + leastSuspicionMs(this.#options, this.#members.liveCount, falseAlarms) - now
  }

  #arm(member: Member, suspicion: Suspicion): void {
    const { startedAt, grace, graceMs } = suspicion
    if (this.certifies(member, member.record)) {
      // Not sooner than the platform's grain, so that rounding cannot make this a loop.
      const delay = Math.max(1, this.#unripeMs(startedAt))
      this.#set(suspicion, delay, { leftMs: 0 }, () => this.#host.review(member))
      return
    }
    // Where nobody else will accuse, this node's own word is as good as that of all.
    const accusers = this.#host.believesAlone(member)
      ? Number.POSITIVE_INFINITY
      : countAccusers(member.record)
    const timeout = suspicionTimeoutMs(this.#options, this.#members.liveCount, accusers)
    const deadline = startedAt + timeout + graceMs - grace.leftMs
    this.#set(suspicion, deadline - this.#runtime.now(), grace, () => this.#checkOnceMore(member, suspicion))
  }

  #set(suspicion: Suspicion, delayMs: number, grace: Grace, judge: () => void): void {
    suspicion.timer?.cancel()
    suspicion.timer = this.#timers.set(Math.max(0, delayMs), grace, judge)
  }

  /** Time alone never decides: a suspect that answers now has only been unheard. */
  #checkOnceMore(member: Member, suspicion: Suspicion): void {
    const check = this.#examiner.examine(member, (findings) => {
      suspicion.lastCheck = undefined
      this.#conclude(member, suspicion, findings)
    })
    suspicion.lastCheck = check
    if (check !== undefined) return
    // Nobody answers a node that is cut off; that this one does not either is known without asking.
    if (this.#host.isolated()) this.#expire(member)
    else this.#set(suspicion, RETRY_MS, { leftMs: 0 }, () => this.#checkOnceMore(member, suspicion))
  }

  #conclude(member: Member, suspicion: Suspicion, findings: Findings): void {
    if (findings.answered) {
      this.#withdraw(member)
    } else if (this.#cannotTell(suspicion, findings)) {
      this.counts.postponed++
      const shortest = shortestSuspicionMs(this.#options, this.#members.liveCount)
      const delay = shortest * Math.min(MAX_POSTPONEMENT, 2 ** suspicion.postponements++)
      this.#set(suspicion, delay, { leftMs: 0 }, () => this.#checkOnceMore(member, suspicion))
    } else {
      this.#expire(member)
    }
  }

  /** Whether it may well be this node that is cut off, or the suspect that merely stands still. */
  #cannotTell(suspicion: Suspicion, { control, hostReached }: Findings): boolean {
    const isolated = this.#host.isolated()
    if (this.#members.liveCount > 2) return !control && !isolated
    if (suspicion.postponements >= MAX_POSTPONEMENTS_ALONE) return false
    return !isolated || (hostReached && suspicion.postponements === 0)
  }

  /** The suspect has answered: this node accuses it no longer, and has no patience lost with what others say. */
  #withdraw(member: Member): void {
    if (member.isAccusedBy(this.#members.self.id)) {
      this.counts.withdrawn++
      this.#withdrawn.add(member)
    }
    this.end(member)
    this.#host.review(member)
  }

  #expire(member: Member): void {
    this.end(member)
    this.#host.expired(member)
  }
}

function countAccusers({ hard, soft }: MemberRecord): number {
  let count = hard.length
  for (const id of soft) if (!hard.includes(id)) count++
  return count
}
