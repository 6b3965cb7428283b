import type { Peer } from '../dissemination/peer.ts'
import { compareEpochs } from '../wire/epoch.ts'
import { MAX_HARD_ACCUSERS, MAX_SOFT_ACCUSERS, type MemberRecord } from '../wire/member-record.ts'
import { finish, hashString, mix, mixNumber } from '../wire/mix.ts'

/** This node's own opinion of a member; derived from the record, this node's timers and its probes. */
export type Verdict = 'alive' | 'suspect' | 'failed' | 'left'

/** Stable 32-bit id of a name: how accusers, probe targets and rankings refer to members. */
export function memberId(name: string): number {
  return hashString(name)
}

/** Negative, zero or positive: the total order (epoch, incarnation, left) of a member's records. */
export function comparePrecedence(a: MemberRecord, b: MemberRecord): number {
  return compareEpochs(a.epoch, b.epoch) || a.incarnation - b.incarnation || Number(a.left) - Number(b.left)
}

/**
 * The join of two records of one member: the one of higher precedence, or at equals the union of their accusations.
 * Commutative, associative, idempotent. Returns `a` itself when `b` adds nothing.
 */
export function mergeRecords(a: MemberRecord, b: MemberRecord): MemberRecord {
  const order = comparePrecedence(a, b)
  if (order !== 0) return order > 0 ? a : b
  const hard = mergeIds(a.hard, b.hard, MAX_HARD_ACCUSERS)
  const soft = mergeIds(a.soft, b.soft, MAX_SOFT_ACCUSERS)
  return hard === a.hard && soft === a.soft ? a : { ...a, hard, soft }
}

/** The lowest ids of the union: a bound that keeps the merge a lattice join. */
function mergeIds(a: readonly number[], b: readonly number[], most: number): readonly number[] {
  if (b.every((id) => a.includes(id))) return a
  const union = [...new Set([...a, ...b])].sort((x, y) => x - y).slice(0, most)
  return union.length === a.length && union.every((id, i) => id === a[i]) ? a : union
}

export function withAccusation(record: MemberRecord, accuser: number, hard: boolean): MemberRecord {
  const accusation = hard ? { hard: [accuser], soft: [] } : { hard: [], soft: [accuser] }
  return mergeRecords(record, { ...record, ...accusation })
}

/** A member and what this node makes of it. Large clusters hold many: what few members have is undefined until they do. */
export class Member implements Peer {
  readonly #id: number
  #record: MemberRecord
  #summary: number | undefined
  verdict: Verdict = 'alive'
  /** When it came to be held failed or to have left, in ms of `Runtime.now`; undefined while it is live. */
  goneAt: number | undefined
  /** When it came back after it had been failed, ms, if ever; what it said of others before is out of date. */
  returnedAt: number | undefined
  /** Round-trip time of the last direct answer, ms; undefined before the first. */
  rttMs: number | undefined
  /** Where its last answer came from, if that is not its address. */
  answersFrom: string | undefined
  /** Position in the member list's array of live members; -1 while not live. */
  liveIndex = -1

  constructor(record: MemberRecord) {
    this.#id = memberId(record.name) | 0
    this.#record = record
  }

  get name(): string {
    return this.#record.name
  }

  get id(): number {
    return this.#id >>> 0
  }

  get record(): MemberRecord {
    return this.#record
  }

  set record(record: MemberRecord) {
    this.#record = record
    this.#summary = undefined
  }

  /** The record's hash as a signed integer, which is kept without a box. */
  get summary(): number {
    this.#summary ??= recordHash(this.#record) | 0
    return this.#summary
  }

  get address(): string {
    return this.#record.address
  }

  /** Whether what comes from an address may be its own: it has told everyone so, or has answered a question from there. */
  isAt(address: string): boolean {
    return address === this.address || address === this.answersFrom
  }

  /** Ids of the keys that it holds, the one that it seals with first. */
  get keys(): readonly number[] {
    return this.#record.keys
  }

  /** Neither failed nor gone: probed, gossiped with, counted. */
  get live(): boolean {
    return this.verdict === 'alive' || this.verdict === 'suspect'
  }

  isAccusedHardBy(accuser: number): boolean {
    return this.#record.hard.includes(accuser)
  }

  isAccusedBy(accuser: number): boolean {
    return this.isAccusedHardBy(accuser) || this.#record.soft.includes(accuser)
  }
}

/** Summary of (name, epoch, incarnation): two independent halves, for digests that add up over members. */
export function identityHash(member: Member): { high: number; low: number } {
  const { epoch, incarnation } = member.record
  const hash = (seed: number): number =>
    finish(mixNumber(mix(mixNumber(mix(seed, member.id), epoch.time), epoch.nonce), incarnation))
  return { high: hash(0x5bd1e995), low: hash(0x27d4eb2f) }
}

/** Summary of all that merges in a record, accusations included. */
export function recordHash(record: MemberRecord): number {
  let h = mix(mixNumber(0x165667b1, record.epoch.time), record.epoch.nonce)
  h = mix(mixNumber(h, record.incarnation), record.left ? 1 : 0)
  for (const id of record.hard) h = mix(h, id)
  h = mix(h, record.hard.length)
  for (const id of record.soft) h = mix(h, id)
  return finish(h)
}
