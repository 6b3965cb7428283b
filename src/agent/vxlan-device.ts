import { HearsayError } from '../errors.ts'
import type { KernelEvent } from './kernel-monitor.ts'
import { CommandError, type Run } from './node-commands.ts'
import {
  asOwnDevice,
  canBeAdopted,
  checkedOptions,
  creationBatch,
  isLearning,
  isPortRight,
  type Link,
  MARK,
  type OwnDevice,
  overlayMtu,
  type VxlanOptions,
} from './vxlan-link.ts'

/** What one look at the device shows, its permanent neighbours included. */
export interface DeviceState {
  readonly link: Link
  readonly underlay: Underlay | undefined
  readonly neighbours: readonly Readonly<Record<string, unknown>>[]
}

/** The device that has the VTEP address. */
export interface Underlay {
  readonly device: string
  readonly mtu: number
}

/**
 * The VXLAN device of one network. It learns nothing by itself (`nolearning`: a stale row would drop inbound
 * frames of that MAC) and answers ARP and neighbour solicitations from its neighbour table (`proxy`), so nothing
 * is ever flooded between hosts. The bridge need not suppress any itself (`neigh_suppress`): it would look for
 * the answers in a table of its own.
 */
export class VxlanDevice {
  readonly name: string
  readonly #options: VxlanOptions
  readonly #run: Run
  #underlayDevice: string | undefined

  /** Throws `ERR_OPTION_INVALID` for anything that is not fit for a command line. */
  constructor(options: VxlanOptions, run: Run) {
    this.#options = checkedOptions(options)
    this.name = this.#options.name
    this.#run = run
  }

  /** Every VXLAN device of this host, or namespace, that carries our mark, whoever made it. */
  static async findOurs(run: Run): Promise<OwnDevice[]> {
    const links = await showLinks(run, 'type', 'vxlan')
    return links.map(asOwnDevice).filter((device) => device !== undefined)
  }

  /** Removes every such device, with its rows. Idempotent; returns what was removed. */
  static async removeOurs(run: Run): Promise<OwnDevice[]> {
    const devices = await VxlanDevice.findOurs(run)
    for (const { name } of devices) await removeLink(run, name)
    return devices
  }

  /** What there is, read at once by one command. Rejects if there is no device of this name. */
  async look(): Promise<DeviceState> {
    const lines = [
      `link show dev ${this.name}`,
      `address show to ${this.#options.vtep}`,
      `neigh show dev ${this.name} nud permanent`,
    ]
    const shown = await this.#run('ip', ['-json', '-details', '-batch', '-'], `${lines.join('\n')}\n`)
    const [links, addresses, neighbours] = shown.trim().split('\n')
    return {
      link: JSON.parse(links ?? '')[0],
      underlay: this.#underlayOf(JSON.parse(addresses || '[]')),
      neighbours: JSON.parse(neighbours || '[]'),
    }
  }

  /** Whether there is nothing that `ensure` would do, and nothing that it would complain of. */
  isRight({ link, underlay }: DeviceState): boolean {
    const { vtep, bridge } = this.#options
    return (
      link.ifalias === MARK &&
      canBeAdopted(link, this.#options) &&
      !isLearning(link) &&
      link.mtu === overlayMtu(underlay?.mtu ?? 0, vtep) &&
      link.flags.includes('UP') &&
      (bridge === undefined || (link.master === bridge && isPortRight(link)))
    )
  }

  /** Whether this event may mean that the device or its rows are not as they were. */
  isConcernedBy({ kind, device, text }: KernelEvent): boolean {
    const { vtep, bridge } = this.#options
    if (kind === 'neighbour') return device === this.name && !text.startsWith('ff')
    if (kind === 'link') return device === this.name || device === bridge || device === this.#underlayDevice
    return kind === 'address' && text.includes(` ${vtep}/`)
  }

  /**
   * Makes the device what it should be, creating it where it is missing. One left by an earlier process with
   * the same settings is adopted with all its rows, so that traffic flows on while an agent restarts.
   *
   * Rejects with `ERR_DEVICE_FOREIGN`, `ERR_VNI_IN_USE`, `ERR_VTEP_NOT_LOCAL` or `ERR_BRIDGE_MISSING`; each is
   * worth another try once somebody has seen to it.
   */
  async ensure(): Promise<void> {
    let link = await this.#find()
    if (link !== undefined && link.ifalias !== MARK) {
      const message = `device ${this.name} exists and is not ours: remove it or choose another --device`
      throw new HearsayError('ERR_DEVICE_FOREIGN', message)
    }
    const { mtu } = await this.#underlay()
    if (link !== undefined && !canBeAdopted(link, this.#options)) {
      await this.remove()
      link = undefined
    }
    if (link === undefined) await this.#create(mtu)
    else await this.#adjust(link, overlayMtu(mtu, this.#options.vtep))
    if (!link?.flags.includes('UP')) await this.#run('ip', ['link', 'set', 'dev', this.name, 'up'])
    if (this.#options.bridge !== undefined) await this.#attach(this.#options.bridge, link)
  }

  /** Idempotent; leaves a device that is not ours alone. */
  async remove(): Promise<void> {
    const link = await this.#find()
    if (link?.ifalias === MARK) await removeLink(this.#run, this.name)
  }

  async #find(): Promise<Link | undefined> {
    const [link] = await showLinks(this.#run, 'dev', this.name)
    return link
  }

  async #create(underlayMtu: number): Promise<void> {
    const lines = creationBatch(this.#options, underlayMtu)
    try {
      await this.#run('ip', ['-batch', '-'], `${lines.join('\n')}\n`)
    } catch (error) {
      throw (await this.#collision(error)) ?? error
    }
    // It needs no address of its own, nor does a kernel without IPv6 give it one.
    await this.#run('ip', ['link', 'set', 'dev', this.name, 'addrgenmode', 'none']).catch(() => {})
  }

  /** In which other device's way ours is, if that is why the kernel refused it. */
  async #collision(cause: unknown): Promise<HearsayError | undefined> {
    if (!(cause instanceof CommandError) || !/specified VNI already exists|File exists/.test(cause.stderr)) {
      return undefined
    }
    const { vni, port } = this.#options
    const links = await showLinks(this.#run, 'type', 'vxlan')
    const rival = links.find(({ linkinfo }) => {
      const data = linkinfo?.info_data ?? {}
      return data.id === vni && data.port === port
    })
    const message = `VNI ${vni} on UDP port ${port} is in use by device ${rival?.ifname ?? '(gone by now)'}`
    return new HearsayError('ERR_VNI_IN_USE', `${message}: remove it or choose another VNI`, { cause })
  }

  async #adjust(link: Link, mtu: number): Promise<void> {
    if (link.mtu !== mtu) await this.#run('ip', ['link', 'set', 'dev', this.name, 'mtu', String(mtu)])
    if (isLearning(link)) {
      const vxlan = ['type', 'vxlan', 'id', String(this.#options.vni), 'nolearning']
      await this.#run('ip', ['link', 'set', 'dev', this.name, ...vxlan])
    }
  }

  async #attach(bridge: string, link: Link | undefined): Promise<void> {
    const isPort = link?.master === bridge
    if (!isPort) {
      const [master] = await showLinks(this.#run, 'dev', bridge)
      if (master?.linkinfo?.info_kind !== 'bridge') {
        const message = `there is no bridge ${bridge} for ${this.name} to be a port of: see "ip link"`
        throw new HearsayError('ERR_BRIDGE_MISSING', message)
      }
      await this.#run('ip', ['link', 'set', 'dev', this.name, 'master', bridge])
    }
    if (isPort && isPortRight(link)) return
    await this.#run('bridge', ['link', 'set', 'dev', this.name, 'learning', 'off', 'mcast_router', '2'])
  }

  async #underlay(): Promise<Underlay> {
    const { vtep } = this.#options
    const shown = await this.#run('ip', ['-json', 'address', 'show', 'to', vtep])
    const underlay = this.#underlayOf(JSON.parse(shown))
    if (underlay !== undefined) return underlay
    const message = `no device here has the VTEP address ${vtep}: see "ip address"`
    throw new HearsayError('ERR_VTEP_NOT_LOCAL', message)
  }

  #underlayOf(addresses: readonly Partial<Link>[]): Underlay | undefined {
    // The list has empty objects in it, for the devices that it leaves out.
    for (const { ifname, mtu } of addresses) {
      if (ifname === undefined || mtu === undefined) continue
      this.#underlayDevice = ifname
      return { device: ifname, mtu }
    }
    return undefined
  }
}

async function showLinks(run: Run, ...which: readonly string[]): Promise<Link[]> {
  try {
    const links = JSON.parse(
      (await run('ip', ['-json', '-details', 'link', 'show', ...which])) || '[]',
    ) as Link[]
    return links.filter((link) => link.ifname !== undefined)
  } catch (error) {
    if (error instanceof CommandError && error.stderr.includes('does not exist')) return []
    throw error
  }
}

async function removeLink(run: Run, name: string): Promise<void> {
  try {
    await run('ip', ['link', 'del', 'dev', name])
  } catch (error) {
    if (!(error instanceof CommandError) || !error.stderr.includes('Cannot find device')) throw error
  }
}
