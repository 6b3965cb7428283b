import type { Digest } from '../dissemination/sync-session.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import { identityHash, Member, type Verdict } from './member.ts'

/** Members beyond this are not learnt: a bound on what peers can make a node hold. */
export const MAX_MEMBERS = 65_536

/**
 * All members that this node knows of, itself included, with the indices that others need: live members for random
 * picks, the ring for the probe schedule, and the digest, all kept up to date with every change.
 */
export class MemberList {
  readonly self: Member
  readonly #byName = new Map<string, Member>()
  readonly #byId = new Map<number, Member>()
  /** Live members but for this node, in no order. */
  readonly live: Member[] = []
  /** Members that failed or left and are still remembered. */
  readonly gone: Set<Member> = new Set()
  /** Live members and this node, ordered by id. */
  readonly ring: Member[] = []
  #digestHigh = 0
  #digestLow = 0

  constructor(self: MemberRecord) {
    this.self = new Member(self)
    this.#byName.set(self.name, this.self)
    this.#byId.set(this.self.id, this.self)
    this.#insertRing(this.self)
    this.#count(this.self, 1)
  }

  get(name: string): Member | undefined {
    return this.#byName.get(name)
  }

  byId(id: number): Member | undefined {
    return this.#byId.get(id)
  }

  all(): IterableIterator<Member> {
    return this.#byName.values()
  }

  /** All members but for this node. */
  *others(): Generator<Member> {
    for (const member of this.#byName.values()) if (member !== this.self) yield member
  }

  get size(): number {
    return this.#byName.size
  }

  /** Live members, this node included: the n of quorums, limits and timeouts. */
  get liveCount(): number {
    return this.live.length + 1
  }

  /** Over (name, epoch, incarnation) of the live members and this node. Equal digests: equal views. */
  digest(): Digest {
    return { high: this.#digestHigh, low: this.#digestLow }
  }

  add(record: MemberRecord, verdict: Verdict, now: number): Member {
    const member = new Member(record)
    member.verdict = verdict
    member.verdictAt = now
    this.#byName.set(member.name, member)
    this.#byId.set(member.id, member)
    if (member.live) this.#enter(member)
    else this.gone.add(member)
    return member
  }

  remove(member: Member): void {
    if (member.liveIndex >= 0) this.#exit(member)
    this.gone.delete(member)
    this.#byName.delete(member.name)
    if (this.#byId.get(member.id) === member) this.#byId.delete(member.id)
  }

  /** Replaces a member's record and verdict in one step. */
  update(member: Member, record: MemberRecord, verdict: Verdict, now: number): void {
    const counted = member === this.self || member.liveIndex >= 0
    if (counted) this.#count(member, -1)
    member.record = record
    if (verdict !== member.verdict) {
      if (member.verdict === 'failed') member.returnedAt = now
      member.verdict = verdict
      member.verdictAt = now
    }
    if (counted) this.#count(member, 1)
    if (member === this.self) return
    if (member.live && member.liveIndex < 0) {
      this.gone.delete(member)
      this.#enter(member)
    } else if (!member.live && member.liveIndex >= 0) {
      this.#exit(member)
      this.gone.add(member)
    }
  }

  #enter(member: Member): void {
    member.liveIndex = this.live.length
    this.live.push(member)
    this.#insertRing(member)
    this.#count(member, 1)
  }

  #exit(member: Member): void {
    const last = this.live.pop()!
    if (last !== member) {
      this.live[member.liveIndex] = last
      last.liveIndex = member.liveIndex
    }
    member.liveIndex = -1
    this.ring.splice(this.ringIndex(member), 1)
    this.#count(member, -1)
  }

  #count(member: Member, sign: 1 | -1): void {
    const { high, low } = identityHash(member)
    this.#digestHigh = (this.#digestHigh + sign * high) >>> 0
    this.#digestLow = (this.#digestLow + sign * low) >>> 0
  }

  #insertRing(member: Member): void {
    this.ring.splice(this.ringIndex(member), 0, member)
  }

  /** Where a member stands in the ring, or would have to stand. Ids that collide are ordered by name. */
  ringIndex(member: Member): number {
    let low = 0
    let high = this.ring.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = this.ring[middle]!
      if (other.id < member.id || (other.id === member.id && other.name < member.name)) low = middle + 1
      else high = middle
    }
    return low
  }
}
