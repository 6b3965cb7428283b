import { type ParseArgsConfig, parseArgs } from 'node:util'
import { isIpv6, parseDevice, parseVtep } from '../../src/agent/index.ts'
import {
  type Environment,
  NODE_OPTIONS,
  type NodeOptions,
  nodeOptions,
  wholeNumber,
} from '../shared/node-options.ts'
import { SubnetPool } from './pool.ts'
import { parsePrefix } from './prefix.ts'

export const USAGE = `Usage: host-gateway COMMAND [options]

  run --range PREFIX --gateway IP    the agent of this host
  status                             its subnet, members, routes, and what is wrong
  down                               the agent leaves and removes everything; also what a dead one has left

Options of all commands:
  --socket PATH          where the agent is asked; default: $HEARSAY_SOCKET, or /run/hearsay-host-gateway.sock
  --json                 answers for machines
  --help                 print this

Options of run:
  --range PREFIX         what all subnets are out of, such as 10.42.0.0/16 or fd42::/48, the same on all hosts
  --subnet-length N      length of one host's subnet, the same on all hosts; default 24 (IPv4) or 64 (IPv6)
  --gateway IP           address of this host on the segment of all hosts; routes to its subnet lead there
  --bridge DEVICE        the bridge of the containers: it is given the first address of the subnet
  --network NAME         hosts that are to reach each other name the same; default host-gateway
  --name NAME            name of this member; default: the host name
  --bind HOST:PORT       where to listen for the other members; default <gateway>:7946
  --seed HOST:PORT       another member to join through; may be repeated
  --key-file FILE        file with the cluster key, as "hearsay keygen --out FILE" makes it
  --key-env VARIABLE     else: environment variable with the key, base64 or hex; default HEARSAY_KEY
  --insecure             else: run without a key
  --state DIR            keep the subnet there, so that it is the same after a restart of all hosts
  --enable-forwarding    switch IP forwarding on; else it is only reported that it is off
  --withdraw-after-ms N  how long the route to a host that failed is kept; default 10000
  --reuse-after-ms N     where no other is left, take that of a host that failed long ago; default 600000
  --protocol N           routing protocol number that marks the agent's routes, 5 to 255; default 116
  --audit-ms N           how often to look for routes that somebody else has changed; default 10000
  --stop-on-eof          end when standard input ends, for use under a parent process

Options of down, where no agent is running:
  --state DIR            forget what is kept there, and remove the address of the bridge
  --protocol N           the routes to be removed; default 116`

const DEFAULT_SOCKET = '/run/hearsay-host-gateway.sock'

/** Everything that an agent process needs to know. */
export interface RunOptions extends NodeOptions {
  readonly pool: SubnetPool
  readonly gateway: string
  readonly bridge: string | undefined
  readonly network: string
  readonly enableForwarding: boolean
  readonly reuseAfterMs: number
  readonly protocol: number
}

/** What is asked of a running agent. */
export interface Request {
  readonly command: 'status' | 'down'
  readonly socket: string
  readonly json: boolean
  readonly stateDirectory: string | undefined
  readonly protocol: number
}

export type Command =
  | { readonly command: 'help' }
  | { readonly command: 'run'; readonly options: RunOptions }
  | Request

const OPTIONS = {
  ...NODE_OPTIONS,
  range: { type: 'string' },
  'subnet-length': { type: 'string' },
  gateway: { type: 'string' },
  bridge: { type: 'string' },
  network: { type: 'string', default: 'host-gateway' },
  'enable-forwarding': { type: 'boolean', default: false },
  'reuse-after-ms': { type: 'string', default: '600000' },
  protocol: { type: 'string', default: '116' },
} as const satisfies ParseArgsConfig['options']

type Values = ReturnType<typeof parse>['values']

/** What a command line asks for. Throws an Error that names every fault. */
export function parseCommand(args: readonly string[], env: Environment): Command {
  const { values, positionals } = parse(args)
  const [command, ...operands] = positionals
  if (values.help || args.length === 0) return { command: 'help' }
  if (command !== 'run' && command !== 'status' && command !== 'down') {
    throw new Error(`${command ?? 'a command'} is ${command === undefined ? 'missing' : 'none'}: see --help`)
  }
  if (operands.length > 0) throw new Error(`${command} takes no operands: ${operands.join(' ')}`)
  const socket = values.socket ?? env.HEARSAY_SOCKET ?? DEFAULT_SOCKET
  const faults: string[] = []
  const parsed: Command =
    command === 'run'
      ? { command, options: runOptions(values, socket, env, faults) }
      : { command, socket, ...requestOptions(values, faults) }
  if (faults.length > 0) throw new Error(faults.join('; '))
  return parsed
}

function parse(args: readonly string[]) {
  return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true })
}

function requestOptions(values: Values, faults: string[]): Omit<Request, 'command' | 'socket'> {
  return {
    json: values.json,
    stateDirectory: values.state,
    protocol: protocolOf(values, faults),
  }
}

function protocolOf({ protocol }: Values, faults: string[]): number {
  return wholeNumber('--protocol', protocol, [5, 255], faults)
}

function runOptions(values: Values, socket: string, env: Environment, faults: string[]): RunOptions {
  const pool = poolOf(values, faults)
  const gateway = parseVtep(values.gateway ?? '') ?? ''
  if (gateway === '') faults.push('--gateway must be the IP address of this host on the shared segment')
  else if (pool !== undefined && isIpv6(gateway) !== (pool.range.family === 6)) {
    faults.push('--gateway and --range must be of the same address family')
  }
  const bridge = values.bridge
  if (bridge !== undefined && parseDevice(bridge) === undefined) faults.push('--bridge must be a device name')
  return {
    ...nodeOptions(values, socket, gateway, env, faults),
    // Not used where there are faults.
    pool: pool as SubnetPool,
    gateway,
    bridge,
    network: values.network,
    enableForwarding: values['enable-forwarding'],
    reuseAfterMs: wholeNumber('--reuse-after-ms', values['reuse-after-ms'], [0, 86_400_000], faults),
    protocol: protocolOf(values, faults),
  }
}

function poolOf(values: Values, faults: string[]): SubnetPool | undefined {
  const range = parsePrefix(values.range ?? '')
  if (range === undefined) {
    faults.push('--range must be a prefix such as 10.42.0.0/16, with no bits beyond its length')
    return undefined
  }
  const text = values['subnet-length'] ?? String(range.family === 4 ? 24 : 64)
  try {
    return new SubnetPool(range, /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN)
  } catch (error) {
    faults.push(`--subnet-length: ${(error as Error).message}`)
    return undefined
  }
}
