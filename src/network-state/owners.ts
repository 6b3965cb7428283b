import type { Peer } from '../dissemination/peer.ts'
import type { EpochId } from '../wire/epoch.ts'

/** How a member stands with this node. `undefined`, where it is used, is a member not known. */
export type OwnerStatus = 'reachable' | 'failed' | 'left'

/** What network state needs to know of the members; membership itself is another room. */
export interface Owners {
  status(owner: string): OwnerStatus | undefined
  /** The epoch of the life in which a member is known. */
  epoch(owner: string): EpochId | undefined
  /** Where to reach a member; undefined when it is not reachable. */
  peer(owner: string): Peer | undefined
  /** All members that can be reached, but for this node. */
  peers(): readonly Peer[]
  /** Whether this node takes itself for cut off. */
  readonly isolated: boolean
}
