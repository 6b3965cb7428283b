import { parseIp, parseMac, parseVtep } from '../../src/agent/index.ts'
import type { Codec } from '../../src/index.ts'

/**
 * A container of the overlay: its addresses, and the host behind which it sits. Keyed by its IP in the table.
 */
export interface Endpoint {
  readonly ip: string
  readonly mac: string
  /** The address of its host on the underlay: where VXLAN packets for it go. */
  readonly vtep: string
}

/** A container of this host, whose VTEP goes without saying. */
export type LocalEndpoint = Omit<Endpoint, 'vtep'>

/** Throws with a sentence about the first field that is not a well-formed address. */
export function parseEndpoint(fields: Readonly<Record<keyof Endpoint, unknown>>): Endpoint {
  return {
    ip: parsed(fields.ip, parseIp, 'the IP address of an endpoint, such as 10.42.0.1'),
    mac: parsed(fields.mac, parseMac, 'the MAC address of an endpoint, such as 02:42:0a:2a:00:01'),
    vtep: parsed(fields.vtep, parseVtep, 'the underlay address of a host, such as 10.77.0.1'),
  }
}

/**
 * JSON, checked field by field on the way in: a value from the network becomes an `Endpoint` of canonical
 * addresses or nothing at all. This is what keeps a peer from writing into our command batches.
 */
export const endpointCodec: Codec<Endpoint> = {
  encode: (endpoint) => new TextEncoder().encode(JSON.stringify(endpoint)),
  decode: (bytes) => {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    const { ip, mac, vtep } = (value ?? {}) as Partial<Record<keyof Endpoint, unknown>>
    return parseEndpoint({ ip, mac, vtep })
  },
}

function parsed(value: unknown, parse: (text: string) => string | undefined, wanted: string): string {
  const result = typeof value === 'string' ? parse(value) : undefined
  if (result === undefined) throw new TypeError(`expected ${wanted}, got ${JSON.stringify(value)}`)
  return result
}
