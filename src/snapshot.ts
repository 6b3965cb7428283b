import type { MemberSnapshot } from './events.ts'
import type { Member, Verdict } from './membership/member.ts'

/** What tells of a member that has come to a verdict. */
export const EVENT_OF: {
  readonly [V in Verdict]: 'member-up' | 'member-suspect' | 'member-failed' | 'member-left'
} = {
  alive: 'member-up',
  suspect: 'member-suspect',
  failed: 'member-failed',
  left: 'member-left',
}

const NO_METADATA = new Uint8Array(0)

/** A member as outsiders see it at this moment; its status need not be the verdict (quarantine). */
export function snapshot(member: Member, status: Verdict): MemberSnapshot {
  const { name, address, metadata, epoch, incarnation } = member.record
  return Object.freeze({
    name,
    address,
    status,
    metadata: metadata.length === 0 ? NO_METADATA : metadata.slice(),
    epoch,
    incarnation,
  })
}
