import { Reader, Writer } from '../wire/bytes.ts'
import { entryKey } from '../wire/entry-event.ts'
import { type EpochId, readEpoch, writeEpoch } from '../wire/epoch.ts'

/**
 * The built-in network, which all members share: who takes part in which other network is kept in it, under the same
 * rules as everything else. Its name is empty, which no other network's can be.
 */
export const BUILT_IN = ''

/** The table of the built-in network: the key is a network's name, the claim its participant's. */
export const NETWORKS_TABLE = 'networks'

/** A participant's log in the network. */
export interface Participation {
  readonly epoch: EpochId
  /** How many operations the opening snapshot of that epoch has. */
  readonly base: number
}

export function participationKey(network: string): string {
  return entryKey(NETWORKS_TABLE, network)
}

export function encodeParticipation({ epoch, base }: Participation): Uint8Array {
  return writeEpoch(new Writer(16), epoch).varint(base).copy()
}

/** Nothing if the bytes are ill-formed. */
export function decodeParticipation(bytes: Uint8Array): Participation | undefined {
  const reader = new Reader(bytes)
  const participation = { epoch: readEpoch(reader), base: reader.varint() }
  return reader.failed ? undefined : participation
}
