import type { Peer } from './dissemination/peer.ts'
import type { Membership } from './membership/membership.ts'
import type { OwnerStatus, Owners } from './network-state/owners.ts'
import type { EpochId } from './wire/epoch.ts'

/** What network state needs to know of the members, as membership knows it. */
export class MemberOwners implements Owners {
  readonly #membership: Membership

  constructor(membership: Membership) {
    this.#membership = membership
  }

  status(owner: string): OwnerStatus | undefined {
    const member = this.#membership.members.get(owner)
    if (member === undefined) return undefined
    if (member.live) return 'reachable'
    return member.verdict === 'left' ? 'left' : 'failed'
  }

  epoch(owner: string): EpochId | undefined {
    return this.#membership.members.get(owner)?.record.epoch
  }

  peer(owner: string): Peer | undefined {
    const member = this.#membership.members.get(owner)
    return member?.live ? member : undefined
  }

  peers(): readonly Peer[] {
    return this.#membership.members.live
  }

  get isolated(): boolean {
    return this.#membership.isolated
  }
}
