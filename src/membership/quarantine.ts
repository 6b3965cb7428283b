import type { Member } from './member.ts'

/** Distinct hard accusers within a time, though the member kept refuting them. */
const ACCUSERS = 8
const ACCUSERS_WINDOW_MS = 120_000
/** Or: so often held failed within a time, and back each time. */
const FAILURES = 2
const FAILURES_WINDOW_MS = 300_000
/** So many accusers, or one failure, are suspicious. If more than this many members, or this share, are, it is the network. */
const NEAR_ACCUSERS = 3
const NEAR_LEAST = 2
const NEAR_SHARE = 0.05
/** The first quarantine lasts so long, each further one twice as long, up to a bound. */
const FIRST_MS = 60_000
const LONGEST_MS = 300_000
/** After so long without one a member begins anew. */
const FORGIVEN_MS = 600_000
/** What happened within so long before the end of a quarantine counts for going on with it. */
const STILL_BAD_MS = 60_000
/** Cases that are over are closed this often. */
const CLEAN_EVERY_MS = 60_000
/** More accusers than this need not be remembered of one member. */
const MAX_ACCUSERS = 32

interface Case {
  /** When each hard accuser was last in a record of the member that had become another, by id. */
  readonly accusers: Map<number, number>
  failures: number[]
  /** End of the present or last quarantine. */
  until: number
  /** How many quarantines there were. */
  served: number
}

/**
 * Quarantine: a member that others accuse again and again, and that refutes each time, does live, but nobody should rely on it:
 * it may hear and not be heard, or the reverse. It is reported failed for a while, so that what is reported does not
 * flap. That is all: for the protocol it stays what it is.
 *
 * Where many members are in this state it is the network that is bad, not they, and nobody is quarantined.
 */
export class Quarantine {
  readonly #cases = new Map<Member, Case>()
  readonly #quarantined = new Set<Member>()
  #cleanAt = 0
  /** How often a member was quarantined. */
  begun = 0

  /** Members in quarantine. */
  get size(): number {
    return this.#quarantined.size
  }

  has(member: Member): boolean {
    return this.#quarantined.has(member)
  }

  /** Hard accusers of a member's present life that are new, and credible. `n` is the number of live members. */
  accused(member: Member, accusers: readonly number[], n: number, now: number): void {
    if (accusers.length === 0) return
    const one = this.#caseOf(member)
    for (const id of accusers) {
      if (one.accusers.size < MAX_ACCUSERS || one.accusers.has(id)) one.accusers.set(id, now)
    }
    this.#judge(member, one, n, now, isBeyond)
  }

  /** A member has come to be held failed. */
  failed(member: Member, n: number, now: number): void {
    const one = this.#caseOf(member)
    one.failures.push(now)
    if (one.failures.length > FAILURES) one.failures.shift()
    this.#judge(member, one, n, now, isBeyond)
  }

  /** Another life, or none: the case is closed. */
  forget(member: Member): void {
    this.#cases.delete(member)
    this.#quarantined.delete(member)
  }

  /** Members whose quarantine is over. To be called now and then. */
  ended(n: number, now: number): Member[] {
    const ended: Member[] = []
    for (const member of this.#quarantined) {
      const one = this.#caseOf(member)
      if (now < one.until) continue
      this.#quarantined.delete(member)
      expire(one, now, STILL_BAD_MS)
      // It takes less to stay than to come in, so that nobody flaps at the threshold.
      this.#judge(member, one, n, now, isStillBad)
      if (!this.#quarantined.has(member)) ended.push(member)
    }
    if (now >= this.#cleanAt) this.#clean(now)
    return ended
  }

  #clean(now: number): void {
    this.#cleanAt = now + CLEAN_EVERY_MS
    for (const [member, one] of this.#cases) {
      expire(one, now)
      const idle = one.accusers.size === 0 && one.failures.length === 0
      if (idle && !this.#quarantined.has(member) && now >= one.until + FORGIVEN_MS) this.#cases.delete(member)
    }
  }

  #judge(member: Member, one: Case, n: number, now: number, suffices: (one: Case) => boolean): void {
    expire(one, now)
    if (this.#quarantined.has(member) || !suffices(one)) return
    if (this.#near(now) > Math.max(NEAR_LEAST, NEAR_SHARE * n)) return
    if (now >= one.until + FORGIVEN_MS) one.served = 0
    this.#quarantined.add(member)
    one.until = now + Math.min(LONGEST_MS, FIRST_MS * 2 ** one.served++)
    // What happens from now on tells whether it is any better at the end.
    one.accusers.clear()
    one.failures = []
    this.begun++
  }

  /** How many members live, and are near the threshold or beyond. */
  #near(now: number): number {
    let near = 0
    for (const [member, one] of this.#cases) {
      expire(one, now)
      if (member.live && (this.#quarantined.has(member) || isNear(one))) near++
    }
    return near
  }

  #caseOf(member: Member): Case {
    let one = this.#cases.get(member)
    if (one === undefined) {
      one = {
        accusers: new Map(),
        failures: [],
        until: Number.NEGATIVE_INFINITY,
        served: 0,
      }
      this.#cases.set(member, one)
    }
    return one
  }
}

function isBeyond({ accusers, failures }: Case): boolean {
  return accusers.size >= ACCUSERS || failures.length >= FAILURES
}

/** Enough to go on with a quarantine. */
function isStillBad({ accusers, failures }: Case): boolean {
  return accusers.size >= ACCUSERS / 2 || failures.length >= FAILURES / 2
}

function isNear({ accusers, failures }: Case): boolean {
  return accusers.size >= NEAR_ACCUSERS || failures.length > 0
}

function expire(one: Case, now: number, mostMs: number = Number.POSITIVE_INFINITY): void {
  const { accusers, failures } = one
  for (const [id, at] of accusers) if (now - at >= Math.min(mostMs, ACCUSERS_WINDOW_MS)) accusers.delete(id)
  if (failures.length === 0) return
  one.failures = failures.filter((at) => now - at < Math.min(mostMs, FAILURES_WINDOW_MS))
}
