import { HearsayError } from '../errors.ts'
import { isIpv6, parseDevice, parseVtep } from './node-addresses.ts'

/** Written on each device that we make. A device without it is somebody else's and is left alone. */
export const MARK = 'hearsay overlay'

const MOST_VNI = 0xff_ffff
const IPV4_OVERHEAD = 50
const IPV6_OVERHEAD = 70

export interface VxlanOptions {
  readonly name: string
  readonly vni: number
  /** The underlay address of this host. */
  readonly vtep: string
  /** UDP port of the VXLAN packets, the same on all hosts. */
  readonly port: number
  /** The bridge that containers are attached to; the device becomes a port of it. */
  readonly bridge?: string
}

/** What we read of one device in the output of `ip -json -details link show`. */
export interface Link {
  readonly ifname: string
  readonly ifalias?: string
  readonly mtu: number
  readonly flags: readonly string[]
  readonly master?: string
  readonly linkinfo?: {
    readonly info_kind?: string
    readonly info_data?: Readonly<Record<string, unknown>>
    readonly info_slave_data?: Readonly<Record<string, unknown>>
  }
}

/** A VXLAN device that carries our mark. */
export interface OwnDevice {
  readonly name: string
  readonly vni: number
  readonly vtep: string
  readonly port: number
  readonly mtu: number
  readonly bridge?: string
}

/** The options in the spelling of the kernel. Throws `ERR_OPTION_INVALID` where they have none. */
export function checkedOptions({ name, vni, vtep, port, bridge }: VxlanOptions): VxlanOptions {
  return {
    name: valid(parseDevice(name), `no name of a device: ${JSON.stringify(name)}`),
    vni: valid(inRange(vni, 1, MOST_VNI), `no VNI, which is an integer from 1 to ${MOST_VNI}: ${vni}`),
    vtep: valid(parseVtep(vtep), `no address for a VTEP: ${JSON.stringify(vtep)}`),
    port: valid(inRange(port, 1, 0xffff), `no UDP port: ${port}`),
    ...(bridge !== undefined && {
      bridge: valid(parseDevice(bridge), `no name of a bridge: ${JSON.stringify(bridge)}`),
    }),
  }
}

/** What VXLAN leaves of the underlay's packets. */
export function overlayMtu(underlayMtu: number, vtep: string): number {
  return underlayMtu - (isIpv6(vtep) ? IPV6_OVERHEAD : IPV4_OVERHEAD)
}

/** Lines for `ip -batch -` that make the device. */
export function creationBatch({ name, vni, vtep, port }: VxlanOptions, underlayMtu: number): string[] {
  const mtu = overlayMtu(underlayMtu, vtep)
  return [
    `link add name ${name} mtu ${mtu} type vxlan id ${vni} local ${vtep} dstport ${port} nolearning proxy`,
    `link set dev ${name} alias "${MARK}"`,
  ]
}

/** Whether what cannot be changed, or is not worth it, is as it should be. */
export function canBeAdopted(link: Link, { vni, vtep, port }: VxlanOptions): boolean {
  const { info_kind: kind, info_data: data = {} } = link.linkinfo ?? {}
  const hasDefaultDestination = ['remote', 'remote6', 'group', 'group6'].some((name) => name in data)
  return (
    kind === 'vxlan' &&
    data.id === vni &&
    (data.local ?? data.local6) === vtep &&
    data.port === port &&
    data.proxy === true &&
    !hasDefaultDestination
  )
}

export function isLearning(link: Link): boolean {
  return link.linkinfo?.info_data?.learning !== false
}

/**
 * Whether the port of the bridge takes all multicast, neighbour solicitations among it, and learns nothing: else
 * the bridge would know better than our rows after a move.
 */
export function isPortRight(link: Link): boolean {
  const { learning, multicast_router: router = 2 } = link.linkinfo?.info_slave_data ?? {}
  return learning === false && router === 2
}

export function asOwnDevice(link: Link): OwnDevice | undefined {
  const { info_kind: kind, info_data: data = {} } = link.linkinfo ?? {}
  if (kind !== 'vxlan' || link.ifalias !== MARK) return undefined
  return {
    name: link.ifname,
    vni: Number(data.id),
    vtep: String(data.local ?? data.local6),
    port: Number(data.port),
    mtu: link.mtu,
    ...(link.master !== undefined && { bridge: link.master }),
  }
}

function inRange(value: number, least: number, most: number): number | undefined {
  return Number.isInteger(value) && value >= least && value <= most ? value : undefined
}

function valid<Value>(value: Value | undefined, complaint: string): Value {
  if (value === undefined) throw new HearsayError('ERR_OPTION_INVALID', complaint)
  return value
}
