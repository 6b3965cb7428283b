import { mkdirSync } from 'node:fs'
import { parseIp, parseMac } from '../../src/agent/index.ts'
import { type Cut, cutRules } from './cuts.ts'
import { type Batch, Premises, removeAbandoned, runBatches, runScript } from './namespaces.ts'

export { missingForLab } from './missing.ts'

/** A host: a network namespace with a leg on the underlay and a bridge for its containers. */
export interface LabHost {
  readonly name: string
  readonly namespace: string
  /** Counted from 0. Hosts of different segments reach each other through a router only. */
  readonly segment: number
  /** Its address on the underlay. */
  readonly vtep: string
  readonly bridge: string
  /** For the files of its agent; goes with the lab. */
  readonly directory: string
  /** Those that are attached to it now. */
  readonly containers: readonly LabContainer[]
  /** The first of them. Throws if there is none. */
  readonly container: LabContainer
}

/** A network namespace with one device, `eth0`, whose other end is a port of its host's bridge. */
export interface LabContainer {
  readonly name: string
  readonly namespace: string
  readonly host: LabHost
  /** The first of its addresses. */
  readonly ip: string
  readonly ips: readonly string[]
  readonly mac: string
}

export interface LabOptions {
  readonly underlay?: 'ipv4' | 'ipv6'
  /** How many L2 segments the hosts are spread over, in order; a router joins them. Default 1. */
  readonly segments?: number
  /** How many containers each host begins with. Default 1. */
  readonly containers?: number
  /** Whether hosts forward IP packets, as they must where containers are routed. Default: no. */
  readonly forwarding?: boolean
}

export interface ContainerOptions {
  /** Default: the next of 10.42.0.0/16 and of fd42::/64. */
  readonly ips?: readonly string[]
  readonly mac?: string
  /** The length of its IPv4 subnet; 64 is that of IPv6. Default 16. */
  readonly prefixLength?: number
  /** Where its default route leads; one address a family at most. */
  readonly gateways?: readonly string[]
}

const UNDERLAY_MTU = 1500
const VXLAN_OVERHEAD = 70
const MAX_HOSTS = 200
const MAX_SEGMENTS = 8
const MAX_CONTAINERS = 250

/**
 * Hosts on a private underlay, each one a network namespace, and containers behind them, namespaces too. No
 * device and no address exists outside of these namespaces, so removing them removes everything; and that
 * happens in whatever way this process ends.
 *
 * The underlay is a namespace of its own with one bridge a segment, which is where hosts are cut off.
 */
export class Lab {
  readonly hosts: readonly LabHost[]
  readonly #premises = new Premises()
  readonly #hosts = new Map<string, Host>()
  readonly #containers = new Map<string, Container>()
  readonly #cuts = new Map<string, Cut>()
  #containersMade = 0

  /** Throws if the kernel refuses; nothing is left behind then. */
  static build(hostCount: number, options: LabOptions = {}): Lab {
    removeAbandoned()
    const lab = new Lab(hostCount, options)
    lab.#premises.open()
    try {
      lab.#build(options)
    } catch (error) {
      lab.remove()
      throw error
    }
    return lab
  }

  private constructor(hostCount: number, { underlay = 'ipv4', segments = 1, containers = 1 }: LabOptions) {
    assertCount('hosts', hostCount, MAX_HOSTS)
    assertCount('segments', segments, Math.min(MAX_SEGMENTS, hostCount))
    assertCount('containers of a host', containers, MAX_CONTAINERS, 0)
    for (let number = 1; number <= hostCount; number++) {
      const segment = Math.floor(((number - 1) * segments) / hostCount)
      const vtep = underlayAddress(underlay, segment, number)
      this.#hosts.set(`h${number}`, new Host(`h${number}`, segment, vtep, this.#premises))
    }
    this.hosts = [...this.#hosts.values()]
  }

  /** Where files of this lab go; removed with it. */
  get directory(): string {
    return this.#premises.directory
  }

  /** Those of all hosts, in the order of their making. */
  get containers(): readonly LabContainer[] {
    return [...this.#containers.values()]
  }

  /** Throws if there is none of that name. */
  host(name: string): LabHost {
    return known(this.#hosts, name, 'host')
  }

  /** Throws if there is none of that name. */
  container(name: string): LabContainer {
    return known(this.#containers, name, 'container')
  }

  addContainer(host: LabHost, options: ContainerOptions = {}): LabContainer {
    const container = this.#newContainer(host, options)
    runBatches(creationOf(container, options))
    this.#take(container)
    return container
  }

  /** Ends the processes in it as well. */
  removeContainer({ name }: LabContainer): void {
    const { namespace, host } = known(this.#containers, name, 'container')
    runScript(`for pid in $(ip netns pids ${namespace}); do kill -KILL "$pid" || true; done`)
    // Its device in the host goes at once; left to the namespace's end it would linger for a while.
    runBatches([{ namespace: host.namespace, lines: [`link del dev ${name}`] }])
    runBatches([{ lines: [`netns delete ${namespace}`] }])
    this.#containers.delete(name)
    this.#hosts.get(host.name)?.attached.delete(name)
  }

  /** The container stays what it is, with its addresses, processes and connections; only its cable moves. */
  moveContainer({ name }: LabContainer, target: LabHost): void {
    const container = known(this.#containers, name, 'container')
    const { host } = container
    if (host.name === target.name) return
    runBatches([
      { namespace: host.namespace, lines: [`link set dev ${name} netns ${target.namespace}`] },
      { namespace: target.namespace, lines: [`link set dev ${name} master ${target.bridge} up`] },
    ])
    this.#hosts.get(host.name)?.attached.delete(name)
    container.host = known(this.#hosts, target.name, 'host')
    container.host.attached.set(name, container)
  }

  /** From now on nothing gets from one host to the other; the way back stays open. */
  cut(from: LabHost, to: LabHost): void {
    this.#cut(from, to)
    this.#applyCuts()
  }

  /**
   * Each group hears only itself from now on, in both directions; hosts that are in none form one more. Cuts
   * made before stay.
   */
  partition(...groups: readonly (readonly LabHost[])[]): void {
    const groupOf = new Map(groups.flatMap((group, index) => group.map(({ name }) => [name, index])))
    for (const from of this.hosts) {
      for (const to of this.hosts) {
        if (groupOf.get(from.name) !== groupOf.get(to.name)) this.#cut(from, to)
      }
    }
    this.#applyCuts()
  }

  /** Ends every partition and cut. Links that are down stay so. */
  heal(): void {
    this.#cuts.clear()
    this.#applyCuts()
  }

  /** The cuts that there are, as `[from, to]`. */
  get cuts(): readonly (readonly [from: string, to: string])[] {
    return [...this.#cuts.values()].map(({ from, to }) => [from.port, to.port])
  }

  /** Pulls a host's cable out of the underlay, or puts it back. */
  plug(host: LabHost, isIn: boolean): void {
    const lines = [`link set dev ${host.name} ${isIn ? 'up' : 'down'}`]
    runBatches([{ namespace: this.#switch, lines }])
  }

  /** Ends every process in the namespaces and removes everything. Idempotent, never throws. */
  remove(): void {
    this.#premises.remove()
  }

  get #switch(): string {
    return `${this.#premises.id}-switch`
  }

  #build({ underlay = 'ipv4', segments = 1, containers: perHost = 1, forwarding = false }: LabOptions): void {
    const inner = this.hosts.flatMap((host) => Array.from({ length: perHost }, () => host))
    const containers = inner.map((host) => {
      const container = this.#newContainer(host, {})
      this.#take(container)
      return container
    })
    const bridges = Array.from({ length: segments }, (_, segment) => segment)
    const hosts = this.hosts.map(({ namespace }) => namespace)
    runBatches([{ lines: [this.#switch, ...hosts].map(added) }])
    const routers = [...(segments > 1 ? [this.#switch] : []), ...(forwarding ? hosts : [])]
    runScript([...[this.#switch, ...hosts].map(readyAtOnce), ...routers.map(forwardingIn)].join(''))
    runBatches([
      {
        namespace: this.#switch,
        lines: [
          'link set dev lo up',
          ...bridges.flatMap((segment) => [
            `link add segment${segment} type bridge`,
            ...(segments > 1
              ? [`address add ${routerAddress(underlay, segment)} dev segment${segment}`]
              : []),
            `link set dev segment${segment} up`,
          ]),
          ...this.hosts.flatMap(({ name, namespace, segment }) => [
            `link add ${name} type veth peer name underlay mtu ${UNDERLAY_MTU} netns ${namespace}`,
            `link set dev ${name} master segment${segment} up`,
          ]),
        ],
      },
      ...this.hosts.map((host) => ({ namespace: host.namespace, lines: hostLines(host, segments > 1) })),
      ...creationOfAll(containers),
    ])
    for (const { directory } of this.hosts) mkdirSync(directory)
  }

  #newContainer({ name }: LabHost, { ips, mac }: ContainerOptions): Container {
    const host = known(this.#hosts, name, 'host')
    const number = ++this.#containersMade
    const [high, low] = [number >> 8, number & 0xff]
    const defaultMac = `02:42:0a:2a:${hex(high)}:${hex(low)}`
    return new Container(
      `c${number}`,
      `${this.#premises.id}-c${number}`,
      host,
      (ips ?? [`10.42.${high}.${low}`, `fd42::${number.toString(16)}`]).map((ip) =>
        checked(ip, parseIp, 'IP'),
      ),
      checked(mac ?? defaultMac, parseMac, 'MAC'),
    )
  }

  #take(container: Container): void {
    this.#containers.set(container.name, container)
    container.host.attached.set(container.name, container)
  }

  #cut(from: LabHost, to: LabHost): void {
    const wire = ({ name, vtep }: LabHost) => ({ port: name, address: vtep })
    this.#cuts.set(`${from.name} ${to.name}`, { from: wire(from), to: wire(to) })
  }

  #applyCuts(): void {
    const rules = cutRules([...this.#cuts.values()])
    runScript(`ip netns exec ${this.#switch} nft -f - <<'END'\n${rules}\nEND\n`)
  }
}

class Host implements LabHost {
  readonly name: string
  readonly namespace: string
  readonly segment: number
  readonly vtep: string
  readonly bridge = 'br0'
  readonly directory: string
  readonly attached = new Map<string, Container>()

  constructor(name: string, segment: number, vtep: string, { id, directory }: Premises) {
    this.name = name
    this.namespace = `${id}-${name}`
    this.segment = segment
    this.vtep = vtep
    this.directory = `${directory}/${name}`
  }

  get containers(): readonly LabContainer[] {
    return [...this.attached.values()]
  }

  get container(): LabContainer {
    const [first] = this.attached.values()
    if (first === undefined) throw new Error(`no container is on ${this.name}`)
    return first
  }
}

class Container implements LabContainer {
  readonly name: string
  readonly namespace: string
  host: Host
  readonly ips: readonly string[]
  readonly mac: string

  constructor(name: string, namespace: string, host: Host, ips: readonly string[], mac: string) {
    this.name = name
    this.namespace = namespace
    this.host = host
    this.ips = ips
    this.mac = mac
  }

  get ip(): string {
    return this.ips[0] as string
  }
}

function hostLines({ vtep, bridge, segment }: LabHost, isRouted: boolean): string[] {
  const isIpv6 = vtep.includes(':')
  const [router = ''] = routerAddress(isIpv6 ? 'ipv6' : 'ipv4', segment).split('/')
  return [
    'link set dev lo up',
    `address add ${vtep}/${isIpv6 ? '64' : '24'} dev underlay${isIpv6 ? ' nodad' : ''}`,
    'link set dev underlay up',
    ...(isRouted ? [`route add default via ${router}`] : []),
    `link add ${bridge} type bridge`,
    `link set dev ${bridge} up`,
  ]
}

function creationOfAll(containers: readonly Container[]): Batch[] {
  return containers.flatMap((container) => creationOf(container, {}))
}

function creationOf({ name, namespace, host, ips, mac }: Container, options: ContainerOptions): Batch[] {
  const { prefixLength = 16, gateways = [] } = options
  return [
    {
      lines: [
        added(namespace),
        `link add name ${name} netns ${host.namespace} type veth peer name eth0 netns ${namespace}`,
      ],
    },
    { namespace: host.namespace, lines: [`link set dev ${name} master ${host.bridge} up`] },
    {
      namespace,
      lines: [
        'link set dev lo up',
        `link set dev eth0 address ${mac} mtu ${UNDERLAY_MTU - VXLAN_OVERHEAD} up`,
        ...ips.map((ip) =>
          ip.includes(':')
            ? `address add ${ip}/64 dev eth0 nodad`
            : `address add ${ip}/${prefixLength} dev eth0`,
        ),
        ...gateways.map((ip) => `route add default via ${checked(ip, parseIp, 'gateway')}`),
      ],
    },
  ]
}

function underlayAddress(underlay: 'ipv4' | 'ipv6', segment: number, number: number): string {
  if (underlay === 'ipv4') return `10.77.${segment}.${number}`
  return segment === 0 ? `fd77::${number.toString(16)}` : `fd77:0:0:${segment}::${number.toString(16)}`
}

function routerAddress(underlay: 'ipv4' | 'ipv6', segment: number): string {
  const [number, prefix] = underlay === 'ipv4' ? [254, '24'] : [0xfffe, '64 nodad']
  return `${underlayAddress(underlay, segment, number)}/${prefix}`
}

function forwardingIn(namespace: string): string {
  return setting(namespace, 1, ['ipv4/ip_forward', 'ipv6/conf/all/forwarding'])
}

/** IPv6 may be used as soon as it is there, not only after a second or two of looking for duplicates. */
function readyAtOnce(namespace: string): string {
  return setting(namespace, 0, ['ipv6/conf/default/accept_dad'])
}

function setting(namespace: string, value: number, names: readonly string[]): string {
  const files = names.map((name) => `/proc/sys/net/${name}`)
  return `ip netns exec ${namespace} sh -c 'for file in ${files.join(' ')}; do echo ${value} >$file; done'\n`
}

const added = (namespace: string): string => `netns add ${namespace}`
const hex = (byte: number): string => byte.toString(16).padStart(2, '0')

function known<T>(all: ReadonlyMap<string, T>, name: string, kind: string): T {
  const found = all.get(name)
  if (found === undefined) throw new Error(`there is no ${kind} ${name} in this lab`)
  return found
}

function checked(text: string, parse: (text: string) => string | undefined, what: string): string {
  const canonical = parse(text)
  if (canonical === undefined) throw new TypeError(`not a unicast ${what} address: ${JSON.stringify(text)}`)
  return canonical
}

function assertCount(what: string, count: number, max: number, min = 1): void {
  if (Number.isInteger(count) && count >= min && count <= max) return
  throw new RangeError(`the number of ${what} must be from ${min} to ${max}, got ${count}`)
}
