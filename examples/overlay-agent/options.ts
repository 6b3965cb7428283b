import { hostname } from 'node:os'
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { parseDevice, parseIp, parseMac, parseVtep } from '../../src/agent/index.ts'
import type { LocalEndpoint } from './endpoints.ts'

/** Everything that one agent process needs to know. */
export interface AgentOptions {
  readonly name: string
  readonly bind: string
  readonly seeds: readonly string[]
  readonly keys: readonly string[]
  readonly insecure: boolean
  readonly network: string
  readonly vni: number
  readonly vtep: string
  readonly vxlanPort: number
  readonly device: string
  readonly bridge: string | undefined
  readonly endpoints: readonly LocalEndpoint[]
  /** How often to look for rows that somebody else has changed. */
  readonly auditIntervalMs: number
  readonly dryRun: boolean
  readonly stopOnEof: boolean
}

export const USAGE = `Usage: overlay-agent --network NAME --vni N --vtep IP [options]

  --network NAME      the overlay network to take part in
  --vni N             its VXLAN network identifier, 1 to 16777215, the same on all hosts
  --vtep IP           the address of this host on the underlay
  --endpoint IP=MAC   a container on this host; may be repeated
  --bridge DEVICE     the bridge that the containers are attached to
  --device DEVICE     name of the VXLAN device; default vx<vni>
  --vxlan-port N      UDP port of VXLAN packets, the same on all hosts; default 4789
  --name NAME         name of this member; default: the host name
  --bind HOST:PORT    where to listen for the other members; default <vtep>:7946
  --seed HOST:PORT    another member to join through; may be repeated
  --key-env VARIABLE  environment variable with the cluster key, base64 or hex; default HEARSAY_KEY
  --insecure          run without a key
  --audit-ms N        how often to look for rows that somebody else has changed; default 10000
  --dry-run           print the kernel commands instead of running them
  --stop-on-eof       leave when standard input ends, for use under a parent process
  --help              print this`

const OPTIONS = {
  network: { type: 'string' },
  vni: { type: 'string' },
  vtep: { type: 'string' },
  endpoint: { type: 'string', multiple: true, default: [] as string[] },
  bridge: { type: 'string' },
  device: { type: 'string' },
  'vxlan-port': { type: 'string', default: '4789' },
  name: { type: 'string' },
  bind: { type: 'string' },
  seed: { type: 'string', multiple: true, default: [] as string[] },
  'key-env': { type: 'string', default: 'HEARSAY_KEY' },
  insecure: { type: 'boolean', default: false },
  'audit-ms': { type: 'string', default: '10000' },
  'dry-run': { type: 'boolean', default: false },
  'stop-on-eof': { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options']

/**
 * The options of a command line, or undefined if it asks for help. Throws an Error that names every fault.
 */
export function parseOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): AgentOptions | undefined {
  const { values } = parseArgs({ args: [...args], options: OPTIONS })
  if (values.help) return undefined

  const faults: string[] = []
  const need = <T>(value: T | undefined, fault: string): T => {
    if (value === undefined) faults.push(fault)
    return value as T
  }
  const network = need(values.network, '--network is missing')
  const vni = need(integer(values.vni, 1, 0xff_ffff), '--vni must be a number from 1 to 16777215')
  const vtep = need(
    parseVtep(values.vtep ?? ''),
    '--vtep must be the IP address of this host on the underlay',
  )
  const vxlanPort = need(integer(values['vxlan-port'], 1, 65_535), '--vxlan-port must be a port number')
  const auditIntervalMs = need(
    integer(values['audit-ms'], 100, 86_400_000),
    '--audit-ms must be a number from 100 to 86400000',
  )
  const device = need(
    parseDevice(values.device ?? `vx${vni}`),
    '--device must be a device name, 15 letters at most',
  )
  const endpoints = values.endpoint.map((text) => {
    const [ip = '', mac = ''] = text.split('=')
    return need(parseEndpointOption(ip, mac), `--endpoint ${text} is not IP=MAC`)
  })
  const bridge =
    values.bridge === undefined
      ? undefined
      : need(parseDevice(values.bridge), '--bridge must be a device name')
  const key = env[values['key-env']]
  if (key === undefined && !values.insecure) {
    faults.push(`put a key into ${values['key-env']}, or say --insecure`)
  }
  if (faults.length > 0) throw new Error(faults.join('; '))

  return {
    name: values.name ?? hostname(),
    bind: values.bind ?? `${vtep.includes(':') ? `[${vtep}]` : vtep}:7946`,
    seeds: values.seed,
    keys: key === undefined ? [] : [key],
    insecure: values.insecure,
    network,
    vni,
    vtep,
    vxlanPort,
    device,
    bridge,
    endpoints,
    auditIntervalMs,
    dryRun: values['dry-run'],
    stopOnEof: values['stop-on-eof'],
  }
}

function parseEndpointOption(ipText: string, macText: string): LocalEndpoint | undefined {
  const ip = parseIp(ipText)
  const mac = parseMac(macText)
  return ip === undefined || mac === undefined ? undefined : { ip, mac }
}

function integer(text: string | undefined, min: number, max: number): number | undefined {
  const value = /^\d{1,8}$/.test(text ?? '') ? Number(text) : Number.NaN
  return value >= min && value <= max ? value : undefined
}
