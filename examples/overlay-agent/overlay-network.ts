import { type OverlayRow, parseIp, parseMac, Reconciler } from '../../src/agent/index.ts'
import type { Change, Cluster, Network, Table } from '../../src/index.ts'
import { describeError } from '../shared/describe-error.ts'
import { aborted, pause } from '../shared/waiting.ts'
import type { NetworkState } from './agent-state.ts'
import type { EndpointInfo, KernelInfo, NetworkInfo } from './control-api.ts'
import type { DataPath } from './data-path.ts'
import { desiredRows, heldRows, type Winners } from './desired-state.ts'
import type { AgentEvent } from './events.ts'
import { LocalEndpoints } from './local-endpoints.ts'
import { OwnClaims } from './own-claims.ts'
import {
  type Address,
  addressCodec,
  SETTINGS,
  type Settings,
  type Station,
  settingsCodec,
  stationCodec,
} from './tables.ts'
import { WinnersOf } from './winners.ts'

const SYNC_POLL_MS = 20
const ADOPT_RETRY_MS = 1_000

export interface OverlayNetworkOptions {
  readonly name: string
  readonly vni: number
  readonly cluster: Cluster
  /** The underlay address of this host. */
  readonly vtep: string
  readonly dataPath: DataPath
  /** Whether the bridge was made for this network. */
  readonly ownsBridge: boolean
  /** Resolves once somebody can be asked what the network looks like, or nobody is expected. */
  readonly metOthers: Promise<void>
  readonly log: (event: AgentEvent) => void
  readonly auditIntervalMs: number
  /** How long rows of an earlier process are kept, once the network is known, until somebody speaks of them. */
  readonly holdMs: number
}

interface Joined {
  readonly network: Network
  readonly stations: OwnClaims<Station>
  readonly addresses: OwnClaims<Address>
  readonly settings: Table<Settings>
}

/**
 * One network on one host: tells the others which endpoints are here, and keeps the kernel able to reach
 * theirs. Rows that an earlier process left stay until the network's state is known, and for a while longer, but for
 * those that anything known contradicts.
 */
export class OverlayNetwork {
  readonly name: string
  readonly local: LocalEndpoints = new LocalEndpoints()
  readonly #options: OverlayNetworkOptions
  readonly #stations: WinnersOf<Station>
  readonly #addresses: WinnersOf<Address>
  readonly #reconciler: Reconciler<OverlayRow>
  readonly #stopping = new AbortController()
  /** Attached by this process before the network was joined: their claims are to be the latest ones. */
  readonly #attachedEarly = new Set<string>()
  #joined: Joined | undefined
  #running: Promise<void> = Promise.resolve()
  /** Rows of an earlier process of which nobody has spoken yet; undefined until the kernel could be read. */
  #adopted: readonly OverlayRow[] | undefined
  #isHolding = true
  #isReady = false
  #mtu: number | undefined

  constructor(options: OverlayNetworkOptions) {
    const { name, dataPath, auditIntervalMs } = options
    this.name = name
    this.#options = options
    this.#stations = new WinnersOf(parseMac, (change) => this.#changed('stations', change))
    this.#addresses = new WinnersOf(parseIp, (change) => this.#changed('addresses', change))
    this.#reconciler = new Reconciler({
      kernel: dataPath.kernel,
      desired: () => this.#desired(),
      auditIntervalMs,
      onPass: ({ put, removed, durationMs, error }) => {
        this.#log({ event: 'kernel', network: name, put, removed, durationMs: Math.round(durationMs) })
        if (error !== undefined) this.#problem(error)
      },
    })
  }

  get vni(): number {
    return this.#options.vni
  }

  get device(): string {
    return this.#options.dataPath.device
  }

  get bridge(): string {
    return this.#options.dataPath.bridge
  }

  get mtu(): number | undefined {
    return this.#mtu
  }

  /** Makes the device, or adopts it with all its rows. Rejects if that cannot be done. */
  async open(): Promise<void> {
    const { dataPath } = this.#options
    const adopted = await dataPath.kernel.dump()
    this.#mtu = await dataPath.mtu()
    this.#adopted = this.#isHolding ? adopted : []
  }

  /** Takes part as soon as others can be asked; `open` is repeated until it succeeds. */
  start(): void {
    this.#running = Promise.all([this.#opened(), this.#takePart()]).then(() => {})
  }

  /** Says that an endpoint is here now, with these addresses and no others. Addresses are canonical. */
  attach(mac: string, ips: readonly string[]): void {
    const dropped = this.local.put(mac, ips)
    if (this.#joined === undefined) this.#attachedEarly.add(mac)
    else this.#claim(this.#joined, mac, dropped)
    this.#reconciler.trigger()
  }

  /** Returns whether it was here. */
  detach(mac: string): boolean {
    const ips = this.local.delete(mac)
    if (ips === undefined) return false
    this.#attachedEarly.delete(mac)
    this.#joined?.stations.delete(mac)
    for (const ip of ips) this.#joined?.addresses.delete(ip)
    this.#reconciler.trigger()
    return true
  }

  /** What has to be known to make it anew. */
  state(): NetworkState {
    const { name, vni, device, bridge } = this
    const given = this.#options.ownsBridge ? {} : { bridge }
    return { name, vni, device, ...given, endpoints: this.local.toJSON() }
  }

  info(): NetworkInfo {
    const { name, vni, device, bridge } = this
    return {
      name,
      vni,
      device,
      bridge,
      mtu: this.#mtu,
      state: this.#isReady ? 'ready' : this.#joined === undefined ? 'waiting' : 'joining',
      participants: [...(this.#joined?.network.participants() ?? [])].sort(),
      strangers: this.#strangers(),
      endpoints: this.#stations.entries.size,
      attached: this.local.size,
      kernel: kernelInfo(this.#reconciler),
    }
  }

  /** What this host sees, each address by itself. */
  endpoints(): EndpointInfo[] {
    const [stations, addresses] = this.#joined === undefined ? this.#localEntries() : this.#knownEntries()
    const info = (mac: string, owner: string, ip?: string): EndpointInfo => ({
      network: this.name,
      ip,
      mac,
      vtep: stations.get(mac)?.value.vtep,
      owner,
      local: this.local.hasStation(mac),
    })
    const infos = [...addresses].map(([ip, { value, owner }]) => info(value.mac, owner, ip))
    const named = new Set(infos.map(({ mac }) => mac))
    for (const [mac, { owner }] of stations) if (!named.has(mac)) infos.push(info(mac, owner))
    return infos
  }

  /** Ends, and leaves everything as it is: a later process goes on from there. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    await this.#reconciler.stop()
  }

  /** Withdraws this host's endpoints, then removes every row and device that was made for the network. */
  async remove(): Promise<void> {
    await this.stop()
    await this.#joined?.network.leave()
    await this.#options.dataPath.kernel.remove()
  }

  #strangers(): string[] {
    const claims = this.#joined?.settings.claims(SETTINGS) ?? []
    const others = claims.filter(({ value, hidden }) => !hidden && value.vni !== this.vni)
    return others.map(({ owner }) => owner).sort()
  }

  #knownEntries(): [Winners<Station>, Winners<Address>] {
    return [this.#stations.entries, this.#addresses.entries]
  }

  /** What is here, while nobody knows of it yet. */
  #localEntries(): [Winners<Station>, Winners<Address>] {
    const { cluster, vtep } = this.#options
    const owner = cluster.self.name
    const stations = [...this.local.stations()].map((mac) => [mac, { value: { vtep }, owner }] as const)
    const addresses = [...this.local.addresses()].map(([ip, mac]) => [ip, { value: { mac }, owner }] as const)
    return [new Map(stations), new Map(addresses)]
  }

  async #opened(): Promise<void> {
    const { signal } = this.#stopping
    while (this.#adopted === undefined && !signal.aborted) {
      await this.open().catch(async (error: unknown) => {
        this.#problem(error)
        await pause(ADOPT_RETRY_MS, signal)
      })
    }
    this.#reconciler.trigger()
  }

  async #takePart(): Promise<void> {
    const { signal } = this.#stopping
    try {
      await Promise.race([this.#options.metOthers, aborted(signal)])
      if (signal.aborted) return
      const network = await this.#options.cluster.joinNetwork(this.name, { signal })
      const stations = network.table('stations', stationCodec)
      const addresses = network.table('addresses', addressCodec)
      const self = this.#options.cluster.self.name
      this.#joined = {
        network,
        stations: new OwnClaims(stations, self),
        addresses: new OwnClaims(addresses, self),
        settings: network.table('settings', settingsCodec),
      }
      this.#log({ event: 'joined', network: this.name })
      for (const mac of this.#attachedEarly) this.#claim(this.#joined, mac, [])
      this.#attachedEarly.clear()
      const following = [this.#stations.follow(stations, signal), this.#addresses.follow(addresses, signal)]
      await this.#getReady(this.#joined)
      await Promise.all(following)
    } catch (error) {
      if (!signal.aborted) this.#problem(error)
    }
  }

  async #getReady({ network, stations, addresses, settings }: Joined): Promise<void> {
    const { signal } = this.#stopping
    const isKnown = (): boolean => network.synced && this.#stations.isComplete && this.#addresses.isComplete
    while (!isKnown() && !signal.aborted) await pause(SYNC_POLL_MS, signal)
    if (signal.aborted) return
    const station: Station = { vtep: this.#options.vtep }
    stations.restore([...this.local.stations()].map((mac) => [mac, station]))
    addresses.restore([...this.local.addresses()].map(([ip, mac]) => [ip, { mac }]))
    settings.replaceOwn([[SETTINGS, { vni: this.vni }]])
    this.#isReady = true
    this.#reconciler.trigger()
    // Others may have been started anew as well, and have not yet said again what they have.
    await pause(this.#options.holdMs, signal)
    if (signal.aborted) return
    this.#isHolding = false
    if (this.#adopted !== undefined) this.#adopted = []
    this.#reconciler.trigger()
  }

  #claim({ stations, addresses }: Joined, mac: string, dropped: readonly string[]): void {
    stations.set(mac, { vtep: this.#options.vtep })
    for (const ip of this.local.ips(mac)) addresses.set(ip, { mac })
    for (const ip of dropped) addresses.delete(ip)
  }

  #desired(): readonly OverlayRow[] | undefined {
    if (this.#adopted === undefined) return undefined
    const { cluster, vtep } = this.#options
    const wanted = desiredRows(this.#stations.entries, this.#addresses.entries, {
      name: cluster.self.name,
      vtep,
    })
    // Once somebody has spoken of a row, the tables decide about it for good.
    this.#adopted = heldRows(wanted, this.#adopted, this.local)
    return [...wanted, ...this.#adopted]
  }

  #changed(table: 'stations' | 'addresses', change: Change<Station> | Change<Address>): void {
    const { name: network } = this
    if (change.type === 'set') {
      const { key, value, owner } = change
      this.#log({ event: 'entry-set', network, table, key, value, owner })
    } else if (change.type === 'delete') {
      const { key, previous, reason } = change
      const isOfKey = (row: OverlayRow): boolean =>
        row.table === 'neighbour' ? table === 'addresses' && row.ip === key : row.mac === key
      this.#adopted = this.#adopted?.filter((row) => !isOfKey(row))
      this.#log({ event: 'entry-gone', network, table, key, owner: previous.owner, reason })
      this.#takeUp(table, key)
    }
    this.#reconciler.trigger()
  }

  #takeUp(table: 'stations' | 'addresses', key: string): void {
    try {
      this.#joined?.[table].freed(key)
    } catch (error) {
      this.#problem(error)
    }
  }

  #problem(error: unknown): void {
    this.#log({ event: 'problem', network: this.name, message: describeError(error) })
  }

  #log(event: AgentEvent): void {
    this.#options.log(event)
  }
}

function kernelInfo(reconciler: Reconciler<OverlayRow>): KernelInfo {
  const { lastError, ...status } = reconciler.status()
  return { ...status, lastError: lastError && describeError(lastError) }
}
