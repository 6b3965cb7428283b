import { parseVtep } from '../../src/agent/index.ts'
import type { Codec } from '../../src/index.ts'

/** A host's claim to a subnet, which is the key in the table: where packets for it go. */
export interface SubnetClaim {
  /** The address of the host on the segment that all hosts share. */
  readonly gateway: string
}

/**
 * JSON, checked on the way in: what comes from the network is a canonical unicast address or refused, so that
 * no peer writes into our commands.
 */
export const subnetCodec: Codec<SubnetClaim> = {
  encode: ({ gateway }) => new TextEncoder().encode(JSON.stringify({ gateway })),
  decode: (bytes) => {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    const { gateway } = (value ?? {}) as { gateway?: unknown }
    const parsed = typeof gateway === 'string' ? parseVtep(gateway) : undefined
    if (parsed !== undefined) return { gateway: parsed }
    throw new TypeError(`expected the address of a host, such as 192.0.2.1, got ${JSON.stringify(gateway)}`)
  },
}
