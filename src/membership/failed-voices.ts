import { TokenBucket } from '../dissemination/token-bucket.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import type { Member } from './member.ts'

/** Of what a failed member says, so much is answered. */
const ONE_IN = 3
const PER_SECOND = 5

/**
 * Mutes the failed: a member that hears little is held failed and accuses everyone else. What it says against others does not
 * count, and it is told how it stands with it, so that it can refute; not always, since it may well not hear.
 */
export class FailedVoices {
  readonly #tell: (speaker: Member) => void
  readonly #byAddress = new Map<string, Member>()
  readonly #budget = new TokenBucket(PER_SECOND, PER_SECOND)
  #heard = 0
  /** Records whose accusations did not count. */
  ignored = 0

  constructor(tell: (speaker: Member) => void) {
    this.#tell = tell
  }

  /** A member is held failed, or not any more; `address` is where it was until now. */
  note(member: Member, address: string): void {
    if (this.#byAddress.get(address) === member) this.#byAddress.delete(address)
    if (member.verdict === 'failed') this.#byAddress.set(member.address, member)
  }

  forget(member: Member): void {
    if (this.#byAddress.get(member.address) === member) this.#byAddress.delete(member.address)
  }

  /** What counts of a record that came in a packet from an address. */
  credible(record: MemberRecord, from: string, now: number): MemberRecord {
    if (this.#byAddress.size === 0 || record.hard.length + record.soft.length === 0) return record
    const speaker = this.#byAddress.get(from)
    if (speaker === undefined) return record
    this.ignored++
    if (this.#heard++ % ONE_IN === 0 && this.#budget.take(now)) this.#tell(speaker)
    return { ...record, hard: [], soft: [] }
  }
}
