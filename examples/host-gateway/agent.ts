import { type Clock, type Kernel, nodeClock, Reconciler, type RouteRow } from '../../src/agent/index.ts'
import type { Cluster, Table } from '../../src/index.ts'
import { describeError } from '../shared/describe-error.ts'
import { metOthers } from '../shared/met-others.ts'
import { aborted } from '../shared/waiting.ts'
import { type BridgeAddress, bridgeAddressOf } from './bridge-address.ts'
import type { AgentEvent } from './events.ts'
import type { Host } from './host.ts'
import type { Links } from './links.ts'
import type { SubnetPool } from './pool.ts'
import { type Problem, StartError } from './problem.ts'
import { wantedRoutes } from './routes.ts'
import { type AgentStatus, kernelStatus } from './status.ts'
import { SubnetKeeper } from './subnet-keeper.ts'
import { type SubnetClaim, subnetCodec } from './subnets.ts'

export interface HostGatewayAgentOptions {
  readonly cluster: Cluster
  /** The network whose table `subnets` the hosts share. */
  readonly network: string
  readonly pool: SubnetPool
  /** The address of this host on the segment that all hosts share. */
  readonly gateway: string
  readonly host: Host
  readonly routes: Kernel<RouteRow>
  /**
   * The bridge of the containers, which is to have the first address of the subnet. Default: that is left to
   * others.
   */
  readonly bridge?: Kernel<BridgeAddress> | undefined
  /**
   * Whether there are others who know what has happened: nothing is done until one of them is met. Default:
   * no.
   */
  readonly expectsOthers?: boolean
  /** The subnet that this host had before. It is taken again unless somebody else has it. */
  readonly preferred?: string | undefined
  /**
   * The subnet that containers of this host may use from now on; undefined: none, and those that are there
   * have to be renumbered.
   */
  readonly onSubnet?: (subnet: string | undefined) => void
  readonly log?: (event: AgentEvent) => void
  /**
   * How long the table has to be quiet before a subnet is claimed, and a new claim unchallenged before it is
   * used. Default 500 ms.
   */
  readonly quietMs?: number
  /**
   * How long a host must have failed before its subnet is taken from it, which happens only where no other is
   * left. Default 10 min.
   */
  readonly reuseAfterMs?: number
  /** How often to look at the kernel when nothing asks for it. Default 10 s. */
  readonly auditIntervalMs?: number
  /** How long routes of an earlier process are kept until somebody speaks of their subnets, in ms. Default 0. */
  readonly holdMs?: number
  /** Where time comes from; default: this process. */
  readonly clock?: Clock
}

/** What there is once the network has been joined and its state is known. */
interface Joined {
  readonly table: Table<SubnetClaim>
  readonly keeper: SubnetKeeper
  leave(): Promise<void>
}

/**
 * One host of a routed network: claims a subnet for its containers, and keeps this kernel's routes to the
 * subnets of all others. The kernel is left as it was found until the network has been joined and its state
 * is known.
 */
export class HostGatewayAgent {
  /** Rejects if the cluster fails under the agent, or the network cannot be joined. */
  readonly failed: Promise<never>
  readonly #options: HostGatewayAgentOptions
  readonly #clock: Clock
  readonly #routes: Reconciler<RouteRow>
  readonly #bridge: Reconciler<BridgeAddress> | undefined
  readonly #running: Promise<void>
  readonly #stopping = new AbortController()
  #joined: Joined | undefined
  #links: Links
  #hostProblems: readonly Problem[] = []
  #peerProblems: readonly Problem[] = []
  #wanted: readonly RouteRow[] | undefined
  /** Routes of an earlier process of which nobody has spoken yet. */
  #adopted: readonly RouteRow[] = []
  #hold: { cancel(): void } | undefined
  /** Undefined until it is known whether this host still has the subnet that it had. */
  #bridgeAddress: BridgeAddress[] | undefined
  #audit: { cancel(): void } | undefined

  /**
   * Rejects with a `StartError` when this host does not have the address that it is to give to the others.
   */
  static async start(options: HostGatewayAgentOptions): Promise<HostGatewayAgent> {
    const links = await options.host.links()
    if (hasAddress(links, options.gateway)) return new HostGatewayAgent(options, links)
    throw new StartError(notLocal(options.gateway, links))
  }

  private constructor(options: HostGatewayAgentOptions, links: Links) {
    this.#options = options
    this.#clock = options.clock ?? nodeClock
    this.#links = links
    this.#routes = this.#reconciler(options.routes, () => this.#wanted, 'ERR_ROUTES_FAILED')
    if (options.bridge !== undefined) {
      this.#bridge = this.#reconciler(options.bridge, () => this.#bridgeAddress, 'ERR_BRIDGE_FAILED')
    }
    this.#running = this.#run()
    this.failed = this.#running.then(() => new Promise<never>(() => {}))
    // Nobody has to listen.
    this.failed.catch(() => {})
    void this.#refresh()
  }

  /** The subnet that containers of this host may use now. */
  get subnet(): string | undefined {
    return this.#joined?.keeper.subnet
  }

  status(): AgentStatus {
    const { cluster, pool, gateway } = this.#options
    const members = cluster.members().map(({ name, address, status }) => ({ name, address, status }))
    members.sort((a, b) => (a.name < b.name ? -1 : 1))
    return {
      name: cluster.self.name,
      address: cluster.self.address,
      isolated: cluster.isolated,
      members,
      range: pool.name,
      subnetLength: pool.subnetLength,
      gateway,
      subnet: this.subnet,
      claim: this.#joined?.keeper.state ?? 'waiting',
      routes: this.#wanted ?? [],
      kernel: kernelStatus(this.#routes),
      ...(this.#bridge === undefined ? {} : { bridge: kernelStatus(this.#bridge) }),
      problems: this.#problems,
    }
  }

  /** Ends, and leaves everything as it is: a later process goes on from there. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running.catch(() => {})
    await Promise.all([this.#routes.stop(), this.#bridge?.stop()])
  }

  /** Withdraws this host's subnet, then removes every route and address that it made here. */
  async down(): Promise<void> {
    await this.stop()
    await this.#joined?.leave()
    await Promise.all([this.#options.routes.remove(), this.#options.bridge?.remove()])
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    try {
      await this.#join(signal)
      if (this.#joined !== undefined) await this.#watch(this.#joined, signal)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      // Told to stop, or the network was left or its node closed: there is nothing left to look at.
      this.#stopping.abort()
      this.#audit?.cancel()
      this.#hold?.cancel()
      this.#joined?.keeper.stop()
    }
  }

  async #join(signal: AbortSignal): Promise<void> {
    const { cluster, network: name, expectsOthers = false } = this.#options
    if (expectsOthers) await Promise.race([metOthers(cluster), aborted(signal)])
    signal.throwIfAborted()
    const network = await cluster.joinNetwork(name, { signal })
    const table = network.table('subnets', subnetCodec)
    const keeper = new SubnetKeeper({
      ...this.#options,
      network,
      table,
      preferred: this.#options.preferred,
      quietMs: this.#options.quietMs ?? 500,
      reuseAfterMs: this.#options.reuseAfterMs ?? 600_000,
      clock: this.#clock,
      onSubnet: (subnet) => this.#subnetChanged(subnet),
      onProblem: (problem) => this.#report(problem),
    })
    this.#joined = { table, keeper, leave: () => network.leave() }
  }

  async #watch({ table, keeper }: Joined, signal: AbortSignal): Promise<void> {
    let isKnown = false
    for await (const change of table.watch({ signal })) {
      if (change.type === 'set') {
        const { key: subnet, value, owner } = change
        this.#log({ event: 'claim-set', subnet, gateway: value.gateway, owner })
      } else if (change.type === 'delete') {
        const { key: subnet, previous, reason } = change
        this.#log({ event: 'claim-gone', subnet, owner: previous.owner, reason })
      } else {
        isKnown = true
        await this.#holdAdopted()
      }
      if (!isKnown) continue
      keeper.changed()
      this.#evaluate()
    }
  }

  /** Other hosts may have been started anew as well, and have not yet said again what they have. */
  async #holdAdopted(): Promise<void> {
    const { routes, holdMs = 0 } = this.#options
    if (holdMs === 0) return
    this.#adopted = await routes.dump().catch(() => [])
    this.#hold = this.#clock.setTimer(holdMs, () => {
      this.#adopted = []
      this.#evaluate()
    })
  }

  #subnetChanged(subnet: string | undefined): void {
    this.#log({ event: 'subnet', ...(subnet === undefined ? {} : { subnet }) })
    this.#bridgeAddress = subnet === undefined ? [] : [{ address: bridgeAddressOf(subnet) }]
    this.#bridge?.trigger()
    this.#options.onSubnet?.(subnet)
    this.#evaluate()
  }

  /** Level-triggered: what is wanted follows from the whole table and the links of this host. */
  #evaluate(): void {
    if (this.#joined === undefined || this.#stopping.signal.aborted) return
    const { cluster, gateway, pool } = this.#options
    const viewpoint = { name: cluster.self.name, gateway, pool, links: this.#links }
    const { rows, problems } = wantedRoutes(this.#joined.table.entries(), viewpoint)
    this.#reportNew(problems)
    this.#peerProblems = problems
    // Once somebody has spoken of a subnet, the table decides about it for good, also where it gets no route.
    const spoken = new Set(Array.from(this.#joined.table.entries(), ([subnet]) => subnet))
    this.#adopted = this.#adopted.filter(({ destination }) => !spoken.has(destination))
    this.#wanted = [...rows, ...this.#adopted]
    this.#routes.trigger()
  }

  /** Links and settings of this host change without telling anybody. */
  async #refresh(): Promise<void> {
    const { auditIntervalMs = 10_000, host, gateway } = this.#options
    try {
      this.#links = await host.links()
      const lost = hasAddress(this.#links, gateway) ? [] : [notLocal(gateway, this.#links)]
      const problems = [...lost, ...(await host.problems())]
      this.#reportNew(problems)
      this.#hostProblems = problems
    } catch (error) {
      const message = `the settings of this host cannot be read: ${describeError(error)}`
      this.#report({ code: 'ERR_HOST_UNREADABLE', subject: 'host', message })
    }
    if (this.#stopping.signal.aborted) return
    this.#audit = this.#clock.setTimer(auditIntervalMs, () => void this.#refresh())
    if (this.#wanted !== undefined) this.#evaluate()
  }

  #reconciler<Row>(
    kernel: Kernel<Row>,
    desired: () => readonly Row[] | undefined,
    code: 'ERR_ROUTES_FAILED' | 'ERR_BRIDGE_FAILED',
  ): Reconciler<Row> {
    const { auditIntervalMs } = this.#options
    return new Reconciler({
      kernel,
      desired,
      clock: this.#clock,
      onPass: ({ put, removed, durationMs, error }) => {
        this.#log({ event: 'kernel', put, removed, durationMs: Math.round(durationMs) })
        if (error !== undefined) this.#report({ code, subject: 'kernel', message: describeError(error) })
      },
      ...(auditIntervalMs === undefined ? {} : { auditIntervalMs }),
    })
  }

  get #problems(): readonly Problem[] {
    return [...this.#hostProblems, ...this.#peerProblems, ...(this.#joined?.keeper.problems ?? [])]
  }

  #reportNew(problems: readonly Problem[]): void {
    const known = new Set(this.#problems.map(({ message }) => message))
    for (const problem of problems) if (!known.has(problem.message)) this.#report(problem)
  }

  #report(problem: Problem): void {
    this.#log({ event: 'problem', ...problem })
  }

  #log(event: AgentEvent): void {
    this.#options.log?.(event)
  }
}

function hasAddress({ addresses }: Links, wanted: string): boolean {
  return addresses.some(({ ip }) => ip === wanted)
}

function notLocal(gateway: string, { addresses }: Links): Problem {
  const known = addresses.map(({ ip, device }) => `${ip} (${device})`).join(', ')
  const message = `no device of this host has the address ${gateway}: give --gateway one of ${known}`
  return { code: 'ERR_GATEWAY_NOT_LOCAL', subject: gateway, message }
}
