import type { SyncExchange, SyncRole } from '../dissemination/sync-session.ts'
import { type Reader, Writer } from '../wire/bytes.ts'
import { type MemberRecord, readMemberRecord, writeMemberRecord } from '../wire/member-record.ts'
import { BucketSet, bucketsFor, foldSums, LEAST_BUCKETS, MOST_BUCKETS } from './buckets.ts'
import { type Member, memberId } from './member.ts'
import { MAX_MEMBERS, type MemberList } from './member-list.ts'

/** What an exchange needs of the members at its node. */
export interface MemberExchangeHost {
  readonly members: MemberList
  /** Whether a member may be named to others: not this node itself before it has claimed its name. */
  mayName(member: Member): boolean
  /** Whether what this node knows of a member may be told: not so while its view is old. */
  mayTell(member: Member): boolean
  /** Everything that the other side knows was heard; `knows` says of which ids that is anything. */
  heardAll(knows: (id: number) => boolean): void
  learn(record: MemberRecord): void
  /** The other side's own record, which it may have told nobody else. */
  hearNews(record: MemberRecord): void
  /**
   * The initiator is to tell what it knows. Calls back, at once or later, when its own record may be told, or may not; never, if it
   * has not begun and another process uses its name.
   */
  claimName(tell: (self: Member | undefined) => void): void
}

const SUMMARY = 1
const RECORDS = 2
const WANTED = 3
const END = 4
const SUMS = 5
const DIFFERING = 6
/** With so many members it pays to find out first in which buckets there is anything to tell. */
const SUMS_FROM = LEAST_BUCKETS
/** Entries of a summary or of a list of wanted ids in one frame, and bytes of records. */
const IDS_PER_FRAME = 2_000
const RECORD_BYTES_PER_FRAME = 16_000

/**
 * Brings two nodes' members to agreement: the initiator sends a summary of eight bytes a member, the responder what
 * differs and what it wants, the initiator that. With many members it first sends a sum for each bucket, and then summarises
 * only those buckets in which the responder's differ. Members that a side holds failed or left are told only to a side that still
 * knows them, so that the dead are not handed on for ever.
 */
export class MemberExchange implements SyncExchange {
  readonly #role: SyncRole
  readonly #host: MemberExchangeHost
  readonly #wake: () => void
  readonly #peer: string
  readonly #outbox: Uint8Array[] = []
  // Ids and summaries as signed integers, which are kept without a box.
  readonly #theirs = new Map<number, number>()
  readonly #told = new Set<number>()
  readonly #received = new Set<number>()
  /** The buckets that this exchange is about; all of them without. */
  #buckets: BucketSet | undefined
  /** In how many buckets this side has summed up its members; 0: it has not. */
  #summed = 0
  movedBytes = 0
  #wanted: number[] = []
  #sentEnd = false
  #heardEnd = false
  #closed = false

  constructor(role: SyncRole, host: MemberExchangeHost, wake: () => void, peer: string) {
    this.#role = role
    this.#host = host
    this.#wake = wake
    this.#peer = peer
    if (role === 'responder') return
    if (host.members.size < SUMS_FROM) this.#summarise()
    else this.#sendSums()
  }

  get done(): boolean {
    return this.#sentEnd && this.#heardEnd && this.#outbox.length === 0
  }

  next(): Uint8Array | undefined {
    return this.#outbox.shift()
  }

  close(): void {
    this.#closed = true
  }

  receive(frame: Reader): boolean {
    const type = frame.u8()
    if (this.#heardEnd) return false
    if (type === SUMMARY && this.#role === 'responder' && !this.#sentEnd) return this.#hearSummary(frame)
    if (type === SUMS && this.#role === 'responder' && !this.#sentEnd) return this.#hearSums(frame)
    if (type === DIFFERING && this.#summed > 0 && this.#buckets === undefined)
      return this.#hearDiffering(frame)
    if (type === WANTED && this.#role === 'initiator') return this.#hearWanted(frame)
    if (type === RECORDS) return this.#hearRecords(frame)
    if (type === END) return this.#hearEnd()
    return false
  }

  #sendSums(): void {
    const { size, sums } = this.#host.members
    this.#summed = bucketsFor(size)
    const writer = new Writer(1 + 4 * this.#summed).u8(SUMS)
    for (const sum of foldSums(sums, this.#summed)) writer.u32(sum)
    this.#outbox.push(writer.copy())
  }

  #hearSums(frame: Reader): boolean {
    const count = frame.remaining / 4
    if ((count !== LEAST_BUCKETS && count !== MOST_BUCKETS) || this.#buckets !== undefined) return false
    const theirs = new Uint32Array(count)
    for (let i = 0; i < count; i++) theirs[i] = frame.u32()
    this.#buckets = BucketSet.differing(theirs, foldSums(this.#host.members.sums, count))
    this.#outbox.push(new Writer(1 + count / 8).u8(DIFFERING).raw(this.#buckets.bytes).copy())
    return true
  }

  #hearDiffering(frame: Reader): boolean {
    const bytes = frame.raw(this.#summed / 8)
    if (frame.failed) return false
    this.#buckets = new BucketSet(bytes.slice())
    this.#summarise()
    return true
  }

  /** What this exchange is about and may be told. */
  #known(): Member[] {
    const { members } = this.#host
    const known: Member[] = []
    for (const member of this.#buckets === undefined ? members.all() : members.within(this.#buckets)) {
      if (this.#host.mayName(member)) known.push(member)
    }
    return known
  }

  #summarise(): void {
    const members = this.#known()
    for (let i = 0; i === 0 || i < members.length; i += IDS_PER_FRAME) {
      const part = members.slice(i, i + IDS_PER_FRAME)
      const last = i + IDS_PER_FRAME >= members.length
      const writer = new Writer(16 + part.length * 8)
        .u8(SUMMARY)
        .u8(last ? 1 : 0)
        .varint(part.length)
      for (const member of part) {
        writer.u32(member.id).u32(summaryOf(member))
        this.#told.add(member.id | 0)
      }
      this.#outbox.push(writer.copy())
    }
  }

  #hearSummary(frame: Reader): boolean {
    const last = frame.u8() === 1
    const count = frame.varint()
    if (count > IDS_PER_FRAME) return false
    for (let i = 0; i < count; i++) {
      const id = frame.u32() | 0
      const summary = frame.u32() | 0
      if (!frame.failed) this.#theirs.set(id, summary)
    }
    if (frame.failed || this.#theirs.size > MAX_MEMBERS) return false
    if (last) this.#answerSummary()
    return true
  }

  #answerSummary(): void {
    const records: MemberRecord[] = []
    for (const member of this.#known()) {
      const theirs = this.#theirs.get(member.id | 0)
      if (theirs === undefined ? !member.live : !differs(theirs, member)) continue
      if (this.#host.mayTell(member)) records.push(member.record)
    }
    this.#sendRecords(records)
    const wanted: number[] = []
    for (const [id, summary] of this.#theirs) {
      const member = this.#host.members.byId(id)
      if (member === undefined ? isLive(summary) : differs(summary, member)) wanted.push(id)
    }
    for (let i = 0; i < wanted.length; i += IDS_PER_FRAME) {
      const part = wanted.slice(i, i + IDS_PER_FRAME)
      const writer = new Writer(16 + part.length * 4).u8(WANTED).varint(part.length)
      for (const id of part) writer.u32(id)
      this.#outbox.push(writer.copy())
    }
    this.#sendEnd()
  }

  #hearWanted(frame: Reader): boolean {
    const count = frame.varint()
    if (count > IDS_PER_FRAME) return false
    for (let i = 0; i < count; i++) this.#wanted.push(frame.u32() | 0)
    return !frame.failed && this.#wanted.length <= MAX_MEMBERS
  }

  #hearRecords(frame: Reader): boolean {
    this.movedBytes += frame.remaining
    const count = frame.varint()
    const records: MemberRecord[] = []
    for (let i = 0; i < count && !frame.failed; i++) {
      // Each has its length, so that what a later version appends to it is skipped.
      const end = frame.enter(frame.varint())
      records.push(readMemberRecord(frame))
      frame.leave(end)
    }
    if (frame.failed) return false
    for (const record of records) {
      this.#received.add(memberId(record.name) | 0)
      if (record.name === this.#peer) this.#host.hearNews(record)
      else this.#host.learn(record)
    }
    return true
  }

  #hearEnd(): boolean {
    this.#heardEnd = true
    if (this.#role === 'responder') {
      this.#host.heardAll((id) => this.#agreed(id) || this.#theirs.has(id | 0))
      return true
    }
    // What the other side has as we do, it neither sends nor wants.
    const wanted = new Set(this.#wanted)
    this.#host.heardAll((id) => {
      const key = id | 0
      return this.#agreed(id) || this.#received.has(key) || (this.#told.has(key) && !wanted.has(key))
    })
    this.#host.claimName((self) => {
      if (this.#closed) return
      const records: MemberRecord[] = []
      for (const id of this.#wanted) {
        const member = this.#host.members.byId(id)
        if (member !== undefined && this.#told.has(id) && this.#host.mayTell(member))
          records.push(member.record)
      }
      if (self !== undefined && !this.#told.has(self.id | 0) && !this.#agreed(self.id))
        records.push(self.record)
      this.#sendRecords(records)
      this.#sendEnd()
      this.#wake()
    })
    return true
  }

  /** Whether both sides knew the same of all members in the bucket of this one. */
  #agreed(id: number): boolean {
    return this.#buckets !== undefined && !this.#buckets.covers(id)
  }

  #sendRecords(records: readonly MemberRecord[]): void {
    const writer = new Writer()
    const encoder = new Writer()
    let count = 0
    const flush = (): void => {
      this.movedBytes += writer.length
      if (count > 0)
        this.#outbox.push(new Writer(writer.length + 9).u8(RECORDS).varint(count).raw(writer.view()).copy())
      writer.reset()
      count = 0
    }
    for (const record of records) {
      writer.bytes(writeMemberRecord(encoder.reset(), record).view())
      if (++count && writer.length >= RECORD_BYTES_PER_FRAME) flush()
    }
    flush()
  }

  #sendEnd(): void {
    this.#sentEnd = true
    this.#outbox.push(Uint8Array.of(END))
  }
}

/** 31 bits of the record's hash, and whether the teller holds the member live. */
function summaryOf(member: Member): number {
  return ((member.summary & ~1) | (member.live ? 1 : 0)) >>> 0
}

function isLive(summary: number): boolean {
  return (summary & 1) === 1
}

function differs(summary: number, member: Member): boolean {
  return summary >>> 1 !== member.summary >>> 1
}
