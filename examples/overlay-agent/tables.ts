import { parseMac, parseVtep } from '../../src/agent/index.ts'
import type { Codec } from '../../src/index.ts'

/** Of the table `stations`, keyed by MAC: behind which host it is. Its winners become FDB rows. */
export interface Station {
  /** The address of the host on the underlay: where VXLAN packets for this MAC go. */
  readonly vtep: string
}

/** Of the table `addresses`, keyed by IP: who answers to it. Its winners become neighbour rows. */
export interface Address {
  readonly mac: string
}

/** Of the table `settings`, under the key `SETTINGS`: each host's own claim, so that those who differ are found. */
export interface Settings {
  readonly vni: number
}

export const SETTINGS = 'vxlan'

/**
 * JSON, checked on the way in: what comes from the network becomes a canonical address or nothing at all.
 * This is what keeps a peer from writing into our command batches.
 */
export const stationCodec: Codec<Station> = jsonCodec((fields) => ({
  vtep: parsed(fields.vtep, parseVtep, 'the underlay address of a host, such as 10.77.0.1'),
}))

export const addressCodec: Codec<Address> = jsonCodec((fields) => ({
  mac: parsed(fields.mac, parseMac, 'a MAC address, such as 02:42:0a:2a:00:01'),
}))

export const settingsCodec: Codec<Settings> = jsonCodec(({ vni }) => {
  if (!isVni(vni)) throw new TypeError(`expected a VNI, got ${JSON.stringify(vni)}`)
  return { vni }
})

/** VXLAN network identifiers have 24 bits, and 0 is none. */
export function isVni(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 0xff_ffff
}

function jsonCodec<V>(parse: (fields: Readonly<Record<string, unknown>>) => V): Codec<V> {
  return {
    encode: (value) => new TextEncoder().encode(JSON.stringify(value)),
    decode: (bytes) => {
      const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
      return parse((value ?? {}) as Record<string, unknown>)
    },
  }
}

function parsed(value: unknown, parse: (text: string) => string | undefined, wanted: string): string {
  const result = typeof value === 'string' ? parse(value) : undefined
  if (result === undefined) throw new TypeError(`expected ${wanted}, got ${JSON.stringify(value)}`)
  return result
}
