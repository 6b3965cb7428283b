import { parseDevice, parseIp, parseMac } from '../../src/agent/index.ts'
import { isVni } from './tables.ts'

/** What an overlay agent has to know after a crash. */
export interface AgentState {
  readonly version: 1
  /** Addresses of other members: to be asked, beside the seeds, what has happened meanwhile. */
  readonly peers: readonly string[]
  readonly networks: readonly NetworkState[]
}

export interface NetworkState {
  readonly name: string
  readonly vni: number
  readonly device: string
  /** Missing where the bridge is the agent's own. */
  readonly bridge?: string
  readonly endpoints: readonly { readonly mac: string; readonly ips: readonly string[] }[]
}

export const STATE_FILE_NAME = 'overlay-agent.json'

/** Throws an Error about the first thing that is not as it should be. */
export function parseState(value: unknown): AgentState {
  const { version, peers, networks } = record(value, 'the state')
  if (version !== 1) throw new TypeError(`version ${JSON.stringify(version)} is not known`)
  return {
    version: 1,
    peers: list(peers, 'peers').map((peer) => text(peer, 'a peer')),
    networks: list(networks, 'networks').map(parseNetwork),
  }
}

function parseNetwork(value: unknown): NetworkState {
  const { name, vni, device, bridge, endpoints } = record(value, 'a network')
  if (!isVni(vni)) throw new TypeError(`${JSON.stringify(vni)} is not a VNI`)
  return {
    name: parseNetworkName(name) ?? fail(name, 'the name of a network'),
    vni,
    device: parseDevice(text(device, 'a device')) ?? fail(device, 'the name of a device'),
    ...(bridge === undefined
      ? {}
      : { bridge: parseDevice(text(bridge, 'a bridge')) ?? fail(bridge, 'the name of a device') }),
    endpoints: list(endpoints, 'endpoints').map((endpoint) => {
      const { mac, ips } = record(endpoint, 'an endpoint')
      return {
        mac: parseMac(text(mac, 'a MAC')) ?? fail(mac, 'a MAC address'),
        ips: list(ips, 'ips').map((ip) => parseIp(text(ip, 'an IP')) ?? fail(ip, 'an IP address')),
      }
    }),
  }
}

/** At most 63 bytes, and nothing that a terminal would not print. */
export function parseNetworkName(value: unknown): string | undefined {
  const isName = typeof value === 'string' && value !== '' && !/[\p{C}\s]/u.test(value)
  return isName && Buffer.byteLength(value) <= 63 ? value : undefined
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  return fail(value, what)
}

function list(value: unknown, what: string): readonly unknown[] {
  return Array.isArray(value) ? value : fail(value, `the list ${what}`)
}

function text(value: unknown, what: string): string {
  return typeof value === 'string' ? value : fail(value, what)
}

function fail(value: unknown, wanted: string): never {
  throw new TypeError(`${JSON.stringify(value)} is not ${wanted}`)
}
