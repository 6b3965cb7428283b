import { type ParseArgsConfig, parseArgs } from 'node:util'
import { parseVtep } from '../../src/agent/index.ts'
import {
  type Environment,
  NODE_OPTIONS,
  type NodeOptions,
  nodeOptions,
  wholeNumber,
} from '../shared/node-options.ts'
import type { NetworkSpec } from './control-api.ts'

export const USAGE = `Usage: overlay-agent COMMAND [options]

  run --vtep IP                  the agent of this host
  join NETWORK --vni N           takes part in a network
  part NETWORK                   withdraws this host's endpoints, and removes what was made for it
  attach NETWORK MAC [IP]...     an endpoint is on this host now, with these addresses and no others
  detach NETWORK MAC             it no longer is
  list [NETWORK]                 all endpoints, as this host sees them
  status                         members, networks and the state of the kernel
  down                           the agent leaves and removes everything; or what a dead one has left

Options of all commands:
  --socket PATH       where the agent is asked; default: $HEARSAY_SOCKET, or /run/hearsay-overlay.sock
  --json              answers for machines
  --help              print this

Options of run:
  --vtep IP           the address of this host on the underlay, IPv4 or IPv6
  --name NAME         name of this member; default: the host name
  --bind HOST:PORT    where to listen for the other members; default <vtep>:7946
  --seed HOST:PORT    another member to join through; may be repeated
  --key-file FILE     file with the cluster key, as "hearsay keygen --out FILE" makes it
  --key-env VARIABLE  else: environment variable with the key, base64 or hex; default HEARSAY_KEY
  --insecure          else: run without a key
  --state DIR         keep networks and endpoints there, for the next start to go on with
  --vxlan-port N      UDP port of VXLAN packets, the same on all hosts; default 4789
  --withdraw-after-ms N  how long rows to the endpoints of a host that failed are kept; default 10000
  --audit-ms N        how often to look for rows that somebody else has changed; default 10000
  --dry-run           print the kernel commands instead of running them
  --stop-on-eof       end when standard input ends, for use under a parent process

Options of join:
  --vni N             VXLAN network identifier, 1 to 16777215, the same on all hosts
  --bridge DEVICE     a bridge that exists; default: one is made, br<vni>
  --device DEVICE     name of the VXLAN device; default vx<vni>

Options of down:
  --state DIR         forget what is kept there, where no agent is running`

const DEFAULT_SOCKET = '/run/hearsay-overlay.sock'

/** Everything that an agent process needs to know. */
export interface RunOptions extends NodeOptions {
  readonly vtep: string
  readonly vxlanPort: number
  readonly dryRun: boolean
}

/** What is asked of a running agent. What it is given is left to the agent to judge. */
export type Request = { readonly socket: string; readonly json: boolean } & (
  | { readonly command: 'join'; readonly network: string; readonly spec: NetworkSpec }
  | { readonly command: 'part'; readonly network: string }
  | {
      readonly command: 'attach'
      readonly network: string
      readonly mac: string
      readonly ips: readonly string[]
    }
  | { readonly command: 'detach'; readonly network: string; readonly mac: string }
  | { readonly command: 'list'; readonly network: string | undefined }
  | { readonly command: 'status' }
  | { readonly command: 'down'; readonly stateDirectory: string | undefined }
)

export type Command =
  | { readonly command: 'help' }
  | { readonly command: 'run'; readonly options: RunOptions }
  | Request

const OPTIONS = {
  ...NODE_OPTIONS,
  vtep: { type: 'string' },
  'vxlan-port': { type: 'string', default: '4789' },
  'dry-run': { type: 'boolean', default: false },
  vni: { type: 'string' },
  bridge: { type: 'string' },
  device: { type: 'string' },
} as const satisfies ParseArgsConfig['options']

type Values = ReturnType<typeof parse>['values']

/** What a command line asks for. Throws an Error that names every fault. */
export function parseCommand(args: readonly string[], env: Environment): Command {
  const { values, positionals } = parse(args)
  const [command, ...operands] = positionals
  if (values.help || (command === undefined && args.length === 0)) return { command: 'help' }
  const socket = values.socket ?? env.HEARSAY_SOCKET ?? DEFAULT_SOCKET
  if (command === 'run') {
    if (operands.length > 0) throw new Error(`run takes no operands: ${operands.join(' ')}`)
    return { command, options: runOptions(values, socket, env) }
  }
  return { ...request(command, operands, values), socket, json: values.json }
}

function parse(args: readonly string[]) {
  return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true })
}

type Asked<R> = R extends Request ? Omit<R, 'socket' | 'json'> : never

function request(command: string | undefined, operands: readonly string[], values: Values): Asked<Request> {
  const [network, mac, ...ips] = operands
  const expect = (isSo: boolean, usage: string): void => {
    if (!isSo) throw new Error(`usage: overlay-agent ${usage}`)
  }
  switch (command) {
    case 'join': {
      expect(operands.length === 1 && values.vni !== undefined, 'join NETWORK --vni N')
      const faults: string[] = []
      const vni = wholeNumber('--vni', values.vni, [1, 0xff_ffff], faults)
      if (faults.length > 0) throw new Error(faults.join('; '))
      const { bridge, device } = values
      const spec = {
        vni,
        ...(bridge === undefined ? {} : { bridge }),
        ...(device === undefined ? {} : { device }),
      }
      return { command, network: network as string, spec }
    }
    case 'part':
      expect(operands.length === 1, 'part NETWORK')
      return { command, network: network as string }
    case 'attach':
      expect(operands.length >= 2, 'attach NETWORK MAC [IP]...')
      return { command, network: network as string, mac: mac as string, ips }
    case 'detach':
      expect(operands.length === 2, 'detach NETWORK MAC')
      return { command, network: network as string, mac: mac as string }
    case 'list':
      expect(operands.length <= 1, 'list [NETWORK]')
      return { command, network }
    case 'status':
      expect(operands.length === 0, 'status')
      return { command }
    case 'down':
      expect(operands.length === 0, 'down')
      return { command, stateDirectory: values.state }
  }
  throw new Error(
    `${command ?? 'a command'} is ${command === undefined ? 'missing' : 'no command'}: see --help`,
  )
}

function runOptions(values: Values, socket: string, env: Environment): RunOptions {
  const faults: string[] = []
  const vtep = parseVtep(values.vtep ?? '') ?? ''
  if (vtep === '') faults.push('--vtep must be the IP address of this host on the underlay')
  const vxlanPort = wholeNumber('--vxlan-port', values['vxlan-port'], [1, 65_535], faults)
  const node = nodeOptions(values, socket, vtep, env, faults)
  if (faults.length > 0) throw new Error(faults.join('; '))
  return { ...node, vtep, vxlanPort, dryRun: values['dry-run'] }
}
