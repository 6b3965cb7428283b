import type { Runtime, Timer } from '../runtime/runtime.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import type { LocalHealth } from './local-health.ts'
import type { Member } from './member.ts'
import type { MemberList } from './member-list.ts'
import type { OpenPing, Pings } from './pings.ts'
import { accusersNeeded, type SuspicionOptions, suspicionTimeoutMs } from './suspicion-rules.ts'

export interface SuspicionsOptions extends SuspicionOptions {
  readonly probeTimeoutMs: number
}

export interface SuspicionsHost {
  ping(member: Member, ping: OpenPing): void
  /** The time of a suspect is over, and it did not answer a last ping either. */
  expired(member: Member): void
}

/** A member that has come back is no witness for so long; whom it accused wrongly has refuted by then. */
const RETURN_GRACE_MS = 10_000

interface Suspicion {
  readonly startedAt: number
  timer: Timer | undefined
  lastPing: OpenPing | undefined
}

/** The members under suspicion and the time that each has left on the slow path. */
export class Suspicions {
  readonly #runtime: Runtime
  readonly #options: SuspicionsOptions
  readonly #members: MemberList
  readonly #pings: Pings
  readonly #health: LocalHealth
  readonly #host: SuspicionsHost
  readonly #bySuspect = new Map<Member, Suspicion>()

  constructor(
    runtime: Runtime,
    options: SuspicionsOptions,
    members: MemberList,
    pings: Pings,
    health: LocalHealth,
    host: SuspicionsHost,
  ) {
    this.#runtime = runtime
    this.#options = options
    this.#members = members
    this.#pings = pings
    this.#health = health
    this.#host = host
  }

  suspects(): Iterable<Member> {
    return this.#bySuspect.keys()
  }

  /**
   * Whether a record's hard accusers suffice to hold the member failed at once. Only accusers that this node does not
   * itself hold failed count, nor those that have just come back: what they say dates from when they were cut off.
   */
  certifies(record: MemberRecord): boolean {
    const needed = accusersNeeded(this.#members.liveCount)
    if (record.hard.length < needed) return false
    const settledSince = this.#runtime.now() - RETURN_GRACE_MS
    let credible = 0
    for (const id of record.hard) {
      const accuser = this.#members.byId(id)
      if (accuser?.live && accuser.returnedAt <= settledSince) credible++
    }
    return credible >= needed
  }

  /** A member has become a suspect, or has got one more accuser: its time is set anew. */
  note(member: Member): void {
    let suspicion = this.#bySuspect.get(member)
    if (suspicion === undefined) {
      suspicion = { startedAt: this.#runtime.now(), timer: undefined, lastPing: undefined }
      this.#bySuspect.set(member, suspicion)
    }
    if (suspicion.lastPing === undefined) this.#arm(member, suspicion, suspicion.startedAt)
  }

  end(member: Member): void {
    const suspicion = this.#bySuspect.get(member)
    if (suspicion === undefined) return
    this.#bySuspect.delete(member)
    suspicion.timer?.cancel()
    suspicion.lastPing?.close()
  }

  stop(): void {
    for (const member of [...this.#bySuspect.keys()]) this.end(member)
  }

  #arm(member: Member, suspicion: Suspicion, from: number): void {
    suspicion.timer?.cancel()
    const { hard, soft } = member.record
    const accusers = hard.length + soft.filter((id) => !hard.includes(id)).length
    const timeout = suspicionTimeoutMs(this.#options, this.#members.liveCount, accusers)
    const delay = Math.max(0, from + timeout - this.#runtime.now())
    suspicion.timer = this.#runtime.setTimer(delay, () => this.#askOnceMore(member, suspicion))
  }

  /** Time alone never decides: a suspect that answers now has only been unheard. */
  #askOnceMore(member: Member, suspicion: Suspicion): void {
    let answered = false
    const ping = this.#pings.open({
      onAck: () => {
        answered = true
      },
    })
    suspicion.lastPing = ping
    this.#host.ping(member, ping)
    const timeout = this.#options.probeTimeoutMs * this.#health.factor(this.#runtime.now())
    suspicion.timer = this.#runtime.setTimer(timeout, () => {
      this.#runtime.afterPendingIo(() => {
        if (this.#bySuspect.get(member) !== suspicion) return
        ping.close()
        suspicion.lastPing = undefined
        if (answered) {
          this.#arm(member, suspicion, this.#runtime.now())
        } else {
          this.end(member)
          this.#host.expired(member)
        }
      })
    })
  }
}
