import type { Digest } from '../dissemination/sync-session.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import { identityHash, Member, memberId, type Verdict } from './member.ts'

/** Members beyond this are not learnt: a bound on what peers can make a node hold. */
export const MAX_MEMBERS = 65_536

/**
 * All members that this node knows of, itself included, with the indices that others need: live members for random
 * picks, the ring for the probe schedule, and the digest, all kept up to date with every change.
 */
export class MemberList {
  readonly self: Member
  readonly #byId = new Map<number, Member>()
  /** Members whose id another one had before them. */
  readonly #namesakes = new Map<string, Member>()
  /** Live members but for this node, in no order. */
  readonly live: Member[] = []
  /** Members that failed or left and are still remembered. */
  readonly gone: Set<Member> = new Set()
  readonly #ring: Member[] = []
  /** Whether members were added to the ring's end and still have to find their places. */
  #ringUnordered = false
  /** Where this node stands in the ring; -1 while that has to be found anew. */
  #selfIndex = -1
  #digestHigh = 0
  #digestLow = 0

  constructor(self: MemberRecord) {
    this.self = new Member(self)
    this.#byId.set(this.self.id, this.self)
    this.#ring.push(this.self)
    this.#count(this.self, 1)
  }

  get(name: string): Member | undefined {
    const member = this.#byId.get(memberId(name))
    return member === undefined || member.name === name ? member : this.#namesakes.get(name)
  }

  /** Where names of the same id are known, the one that was known first. */
  byId(id: number): Member | undefined {
    return this.#byId.get(id)
  }

  *all(): Generator<Member> {
    yield* this.#byId.values()
    yield* this.#namesakes.values()
  }

  /** All members but for this node. */
  *others(): Generator<Member> {
    for (const member of this.all()) if (member !== this.self) yield member
  }

  get size(): number {
    return this.#byId.size + this.#namesakes.size
  }

  /** Live members, this node included: the n of quorums, limits and timeouts. */
  get liveCount(): number {
    return this.live.length + 1
  }

  /** Over (name, epoch, incarnation) of the live members and this node. Equal digests: equal views. */
  digest(): Digest {
    return { high: this.#digestHigh, low: this.#digestLow }
  }

  /** Live members and this node, ordered by id. */
  get ring(): readonly Member[] {
    if (this.#ringUnordered) {
      this.#ring.sort(compareIds)
      this.#ringUnordered = false
      this.#selfIndex = -1
    }
    return this.#ring
  }

  /** Where this node stands in the ring. */
  get selfIndex(): number {
    const { ring } = this
    if (this.#selfIndex < 0) this.#selfIndex = ring.indexOf(this.self)
    return this.#selfIndex
  }

  add(record: MemberRecord, verdict: Verdict, now: number): Member {
    const member = new Member(record)
    member.verdict = verdict
    member.verdictAt = now
    if (this.#byId.has(member.id)) this.#namesakes.set(member.name, member)
    else this.#byId.set(member.id, member)
    if (member.live) this.#enter(member)
    else this.gone.add(member)
    return member
  }

  remove(member: Member): void {
    if (member.liveIndex >= 0) this.#exit(member)
    this.gone.delete(member)
    if (this.#namesakes.delete(member.name)) return
    this.#byId.delete(member.id)
    for (const namesake of this.#namesakes.values()) {
      if (namesake.id !== member.id) continue
      this.#namesakes.delete(namesake.name)
      this.#byId.set(namesake.id, namesake)
      return
    }
  }

  /** Replaces a member's record and verdict in one step. */
  update(member: Member, record: MemberRecord, verdict: Verdict, now: number): void {
    const counted = member === this.self || member.liveIndex >= 0
    if (counted) this.#count(member, -1)
    const sameProcess = record.epoch.nonce === member.record.epoch.nonce
    member.record = record
    if (verdict !== member.verdict) {
      if (member.verdict === 'failed' && sameProcess) member.returnedAt = now
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
    this.#ring.push(member)
    this.#ringUnordered = true
    this.#count(member, 1)
  }

  #exit(member: Member): void {
    const last = this.live.pop()!
    if (last !== member) {
      this.live[member.liveIndex] = last
      last.liveIndex = member.liveIndex
    }
    member.liveIndex = -1
    this.#removeFromRing(member)
    this.#count(member, -1)
  }

  #count(member: Member, sign: 1 | -1): void {
    const { high, low } = identityHash(member)
    this.#digestHigh = (this.#digestHigh + sign * high) >>> 0
    this.#digestLow = (this.#digestLow + sign * low) >>> 0
  }

  #removeFromRing(member: Member): void {
    if (this.#ringUnordered) this.#ring.splice(this.#ring.indexOf(member), 1)
    else this.#ring.splice(this.#ringIndex(member), 1)
    this.#selfIndex = -1
  }

  #ringIndex(member: Member): number {
    let low = 0
    let high = this.#ring.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareIds(this.#ring[middle]!, member) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Ids that collide are ordered by name. */
function compareIds(a: Member, b: Member): number {
  return a.id - b.id || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
}
