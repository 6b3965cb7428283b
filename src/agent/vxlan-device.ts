import { isIpv6 } from './node-addresses.ts'
import { CommandError, type Run } from './node-commands.ts'

/** Written on each device that we make. A device without it is somebody else's and is left alone. */
const MARK = 'hearsay overlay'

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

interface Link {
  readonly ifalias?: string
  readonly mtu: number
  readonly flags: readonly string[]
  readonly master?: string
  readonly linkinfo?: {
    readonly info_data?: Readonly<Record<string, unknown>>
    readonly info_slave_data?: Readonly<Record<string, unknown>>
  }
}

/**
 * The VXLAN device of one network. It learns nothing by itself (`nolearning`: a stale row would drop inbound
 * frames of that MAC) and answers ARP from its neighbour table (`proxy`), so nothing is ever flooded between
 * hosts.
 */
export class VxlanDevice {
  readonly name: string
  readonly #options: VxlanOptions
  readonly #run: Run

  constructor(options: VxlanOptions, run: Run) {
    this.name = options.name
    this.#options = options
    this.#run = run
  }

  /**
   * Makes the device what it should be, creating it where it is missing. One left by an earlier process with
   * the same settings is adopted with all its rows, so that traffic flows on while an agent restarts.
   */
  async ensure(): Promise<void> {
    let link = await this.#find()
    if (link !== undefined && link.ifalias !== MARK) {
      throw new Error(`device ${this.name} exists and is not ours: remove it or choose another --device`)
    }
    if (link !== undefined && !this.#fits(link)) {
      await this.remove()
      link = undefined
    }
    if (link === undefined) {
      const lines = creationBatch(this.#options, await this.#underlayMtu())
      await this.#run('ip', ['-batch', '-'], `${lines.join('\n')}\n`)
    }
    if (!link?.flags.includes('UP')) await this.#run('ip', ['link', 'set', 'dev', this.name, 'up'])
    if (this.#options.bridge !== undefined) await this.#attach(this.#options.bridge, link)
  }

  /** Idempotent; leaves a device that is not ours alone. */
  async remove(): Promise<void> {
    const link = await this.#find()
    if (link?.ifalias === MARK) await this.#run('ip', ['link', 'del', 'dev', this.name])
  }

  async #find(): Promise<Link | undefined> {
    try {
      const links = JSON.parse(await this.#run('ip', ['-json', '-d', 'link', 'show', 'dev', this.name]))
      return (links as Link[])[0]
    } catch (error) {
      if (error instanceof CommandError && error.stderr.includes('does not exist')) return undefined
      throw error
    }
  }

  async #attach(bridge: string, link: Link | undefined): Promise<void> {
    const isPort = link?.master === bridge
    if (!isPort) await this.#run('ip', ['link', 'set', 'dev', this.name, 'master', bridge])
    // Else the bridge would learn remote MACs by itself, and know better than our rows after a move.
    const isLearning = !isPort || link.linkinfo?.info_slave_data?.learning !== false
    if (isLearning) await this.#run('bridge', ['link', 'set', 'dev', this.name, 'learning', 'off'])
  }

  #fits(link: Link): boolean {
    const { vni, vtep, port } = this.#options
    const data = link.linkinfo?.info_data ?? {}
    const local = data.local ?? data.local6
    return (
      data.id === vni &&
      local === vtep &&
      data.port === port &&
      data.learning === false &&
      data.proxy === true
    )
  }

  async #underlayMtu(): Promise<number> {
    const { vtep } = this.#options
    const links = JSON.parse(
      await this.#run('ip', ['-json', 'address', 'show', 'to', vtep]),
    ) as Partial<Link>[]
    const mtu = links.find((link) => link.mtu !== undefined)?.mtu
    if (mtu === undefined) throw new Error(`no device here has the VTEP address ${vtep}: see "ip address"`)
    return mtu
  }
}

/**
 * Lines for `ip -batch -` that make the device, large enough for what VXLAN leaves of the underlay's packets.
 */
export function creationBatch({ name, vni, vtep, port }: VxlanOptions, underlayMtu: number): string[] {
  const mtu = underlayMtu - (isIpv6(vtep) ? IPV6_OVERHEAD : IPV4_OVERHEAD)
  return [
    `link add name ${name} mtu ${mtu} type vxlan id ${vni} local ${vtep} dstport ${port} nolearning proxy`,
    `link set dev ${name} alias "${MARK}"`,
  ]
}
