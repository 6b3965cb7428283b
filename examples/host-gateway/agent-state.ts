import { parseDevice } from '../../src/agent/index.ts'
import { parsePrefix } from './prefix.ts'

/** What a host gateway agent has to know after a crash. */
export interface AgentState {
  readonly version: 1
  readonly range: string
  /** The subnet that this host had last. */
  readonly subnet?: string
  /** The bridge that has an address of it. */
  readonly bridge?: string
  /** Addresses of other members: to be asked, beside the seeds, what has happened meanwhile. */
  readonly peers: readonly string[]
}

export const STATE_FILE_NAME = 'host-gateway.json'

/** Throws an Error about the first thing that is not as it should be. */
export function parseState(value: unknown): AgentState {
  if (typeof value !== 'object' || value === null) throw new TypeError('it is no object')
  const { version, range, subnet, bridge, peers } = value as Readonly<Record<string, unknown>>
  if (version !== 1) throw new TypeError(`version ${JSON.stringify(version)} is not known`)
  if (!Array.isArray(peers) || !peers.every((peer) => typeof peer === 'string')) {
    throw new TypeError('peers is no list of addresses')
  }
  return {
    version: 1,
    range: checked(range, isPrefix, 'range'),
    ...(subnet === undefined ? {} : { subnet: checked(subnet, isPrefix, 'subnet') }),
    ...(bridge === undefined ? {} : { bridge: checked(bridge, isDevice, 'bridge') }),
    peers,
  }
}

function checked(value: unknown, isIt: (text: string) => boolean, what: string): string {
  if (typeof value === 'string' && isIt(value)) return value
  throw new TypeError(`${JSON.stringify(value)} is no ${what}`)
}

const isPrefix = (text: string): boolean => parsePrefix(text) !== undefined
const isDevice = (text: string): boolean => parseDevice(text) !== undefined
