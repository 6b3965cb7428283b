import type { Digest } from '../dissemination/sync-session.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import { finish, mix } from '../wire/mix.ts'
import { type BucketSet, bucketOf, bucketStart, MOST_BUCKETS } from './buckets.ts'
import { identityHash, Member, memberId, type Verdict } from './member.ts'
import { Ring } from './ring.ts'

/** Members beyond this are not learnt: a bound on what peers can make a node hold. */
export const MAX_MEMBERS = 65_536

/**
 * All members that this node knows of, itself included, with the indices that others need: live members for random
 * picks, the ring for the probe schedule, and the digest, all kept up to date with every change.
 */
export class MemberList {
  readonly self: Member
  /** By the id as a signed integer, which is looked up without a box. */
  readonly #byId = new Map<number, Member>()
  /** Members whose id another one had before them. */
  readonly #namesakes = new Map<string, Member>()
  /** Live members but for this node, in no order. */
  readonly live: Member[] = []
  /** Members that failed or left and are still remembered. */
  readonly gone: Set<Member> = new Set()
  readonly #ring = new Ring()
  readonly #sums = new Uint32Array(MOST_BUCKETS)
  #digestHigh = 0
  #digestLow = 0
  /** Low half of the digest of the rotation of keys. */
  keysDigest = 0

  constructor(self: MemberRecord) {
    this.self = new Member(self)
    this.#byId.set(this.self.id | 0, this.self)
    this.#ring.add(this.self)
    this.#count(this.self, 1)
    this.#sum(this.self, 1)
  }

  get(name: string): Member | undefined {
    const member = this.#byId.get(memberId(name) | 0)
    return member === undefined || member.name === name ? member : this.#namesakes.get(name)
  }

  /** Where names of the same id are known, the one that was known first. */
  byId(id: number): Member | undefined {
    return this.#byId.get(id | 0)
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

  /**
   * What probes between this node and another one carry, to be compared: the low half of the digest, mixed with that of the rotation of keys,
   * which is mostly zero, and says nothing to a member that holds no keys.
   */
  summaryFor(peer: Member | undefined): number {
    return peer?.keys.length === 0 ? this.#digestLow : (this.#digestLow ^ this.keysDigest) >>> 0
  }

  /** Live members and this node, ordered by id. */
  get ring(): readonly Member[] {
    return this.#ring.members
  }

  /** Where this node stands in the ring. */
  get selfIndex(): number {
    return this.#ring.indexOf(this.self)
  }

  /** A sum over the records of all members of each bucket: where it is equal, so are they. Live: read it, do not keep it. */
  get sums(): Uint32Array {
    return this.#sums
  }

  /** All members of some buckets. */
  *within(buckets: BucketSet): Generator<Member> {
    const count = buckets.buckets
    for (let i = 0; i < count; i++) {
      if (buckets.has(i)) yield* this.#ring.between(bucketStart(i, count), bucketStart(i + 1, count))
    }
    for (const member of this.gone) if (buckets.covers(member.id)) yield member
  }

  add(record: MemberRecord, verdict: Verdict, now: number): Member {
    const member = new Member(record)
    member.verdict = verdict
    if (!member.live) member.goneAt = now
    const { id } = member
    if (this.#byId.has(id | 0)) this.#namesakes.set(member.name, member)
    else this.#byId.set(id | 0, member)
    this.#sum(member, 1)
    if (member.live) this.#enter(member)
    else this.gone.add(member)
    return member
  }

  remove(member: Member): void {
    if (member.liveIndex >= 0) this.#exit(member)
    this.gone.delete(member)
    this.#sum(member, -1)
    if (this.#namesakes.delete(member.name)) return
    this.#byId.delete(member.id | 0)
    for (const namesake of this.#namesakes.values()) {
      if (namesake.id !== member.id) continue
      this.#namesakes.delete(namesake.name)
      this.#byId.set(namesake.id | 0, namesake)
      return
    }
  }

  /** Replaces a member's record and verdict in one step. */
  update(member: Member, record: MemberRecord, verdict: Verdict, now: number): void {
    if (record === member.record && verdict === member.verdict) return
    const counted = member === this.self || member.liveIndex >= 0
    if (counted) this.#count(member, -1)
    const sameProcess = record.epoch.nonce === member.record.epoch.nonce
    this.#sum(member, -1)
    member.record = record
    this.#sum(member, 1)
    if (verdict !== member.verdict) {
      if (member.verdict === 'failed' && sameProcess) member.returnedAt = now
      member.verdict = verdict
      member.goneAt = member.live ? undefined : now
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
    this.#ring.add(member)
    this.#count(member, 1)
  }

  #exit(member: Member): void {
    const last = this.live.pop()!
    if (last !== member) {
      this.live[member.liveIndex] = last
      last.liveIndex = member.liveIndex
    }
    member.liveIndex = -1
    this.#ring.remove(member)
    this.#count(member, -1)
  }

  #count(member: Member, sign: 1 | -1): void {
    const { high, low } = identityHash(member)
    this.#digestHigh = (this.#digestHigh + sign * high) >>> 0
    this.#digestLow = (this.#digestLow + sign * low) >>> 0
  }

  #sum(member: Member, sign: 1 | -1): void {
    const bucket = bucketOf(member.id, MOST_BUCKETS)
    this.#sums[bucket]! += sign * finish(mix(member.id, member.summary))
  }
}
