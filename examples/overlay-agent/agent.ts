import { type Cluster, HearsayError } from '../../src/index.ts'
import { ApiError } from '../shared/api-error.ts'
import { describeError } from '../shared/describe-error.ts'
import { peersToRemember } from '../shared/follow-members.ts'
import { metOthers } from '../shared/met-others.ts'
import { StateFile } from '../shared/state-file.ts'
import { type AgentState, type NetworkState, STATE_FILE_NAME } from './agent-state.ts'
import type {
  AttachAnswer,
  EndpointInfo,
  NetworkInfo,
  NetworkSpec,
  RemovedAnswer,
  StatusAnswer,
} from './control-api.ts'
import type { DataPath, DataPathSpec } from './data-path.ts'
import type { AgentEvent } from './events.ts'
import { OverlayNetwork } from './overlay-network.ts'

const MAX_NETWORKS = 256
const MAX_ENDPOINTS = 16_384

export interface OverlayAgentOptions {
  readonly cluster: Cluster
  /** The underlay address of this host. */
  readonly vtep: string
  readonly openDataPath: (spec: DataPathSpec) => DataPath
  /** Whether there are others who know what has happened: rows stay as they are until one of them is met. */
  readonly expectsOthers: boolean
  /** Where networks and endpoints are kept; default: nowhere. */
  readonly stateDirectory?: string
  /** What an earlier process has kept there. */
  readonly restored?: AgentState
  readonly log?: (event: AgentEvent) => void
  /** How often to look for rows that somebody else has changed. Default 10 s. */
  readonly auditIntervalMs?: number
  /** How long rows of an earlier process are kept until somebody speaks of them. Default 0. */
  readonly holdMs?: number
}

/**
 * One host's agent: all networks that the host takes part in, and the endpoints on it. Names and addresses
 * that it is given are canonical.
 */
export class OverlayAgent {
  readonly #options: OverlayAgentOptions
  readonly #networks = new Map<string, OverlayNetwork>()
  readonly #stateFile: StateFile<AgentState> | undefined
  readonly #metOthers: Promise<void>
  /** Networks come and go one after the other. */
  #turn: Promise<unknown> = Promise.resolve()
  #ended: Promise<void> | undefined
  #settleEnded: (ending: Promise<void>) => void = () => {}
  /**
   * Resolves once it has stopped or gone down; rejects if that went wrong, or if the cluster failed under
   * it.
   */
  readonly ended: Promise<void>

  constructor(options: OverlayAgentOptions) {
    const { stateDirectory, restored, cluster } = options
    this.#options = options
    const ending = new Promise<void>((resolve) => {
      this.#settleEnded = resolve
    })
    this.ended = Promise.race([ending, cluster.closed.then(() => ending)])
    // Nobody has to listen.
    this.ended.catch(() => {})
    this.#stateFile =
      stateDirectory === undefined
        ? undefined
        : new StateFile(stateDirectory, STATE_FILE_NAME, () => this.#state())
    this.#metOthers = options.expectsOthers ? metOthers(cluster) : Promise.resolve()
    for (const network of restored?.networks ?? []) this.#restore(network)
    this.#saveSoon()
    cluster.on('member-up', () => this.#saveSoon())
  }

  /** Its name, and where other members reach it. */
  get self(): { readonly name: string; readonly address: string } {
    const { name, address } = this.#options.cluster.self
    return { name, address }
  }

  status(): StatusAnswer {
    const { cluster, vtep } = this.#options
    const members = cluster.members().map(({ name, address, status }) => ({ name, address, status }))
    members.sort((a, b) => (a.name < b.name ? -1 : 1))
    return { ...this.self, vtep, isolated: cluster.isolated, members, networks: this.networks() }
  }

  networks(): NetworkInfo[] {
    return [...this.#networks.values()].map((network) => network.info())
  }

  endpoints(network?: string): EndpointInfo[] {
    if (network !== undefined) return this.#network(network).endpoints()
    return [...this.#networks.values()].flatMap((each) => each.endpoints())
  }

  /** Rejects with `ERR_CONFLICT`, `ERR_LIMIT` or `ERR_KERNEL`; then nothing has changed. */
  join(name: string, spec: NetworkSpec): Promise<NetworkInfo> {
    return this.#inTurn(async () => {
      const wanted = { name, vni: spec.vni, device: spec.device ?? `vx${spec.vni}`, ...bridgeOf(spec) }
      const present = this.#networks.get(name)
      if (present !== undefined) {
        this.#checkSame(present, wanted)
        return present.info()
      }
      this.#checkFree(wanted)
      const network = this.#make(wanted)
      await network.open().catch(async (cause: unknown) => {
        await network.stop()
        throw kernelError(cause)
      })
      this.#networks.set(name, network)
      network.start()
      await this.#save()
      return network.info()
    })
  }

  /** Withdraws this host's endpoints from a network and removes what was made for it. */
  part(name: string): Promise<RemovedAnswer> {
    return this.#inTurn(async () => {
      const network = this.#networks.get(name)
      if (network === undefined) return { removed: false }
      await network.remove().catch((cause: unknown) => {
        throw kernelError(cause)
      })
      this.#networks.delete(name)
      await this.#save()
      this.#log({ event: 'parted', network: name })
      return { removed: true }
    })
  }

  /** Says that an endpoint is on this host now; resolves once that is kept. */
  async attach(name: string, mac: string, ips: readonly string[]): Promise<AttachAnswer> {
    const network = this.#network(name)
    if (!network.local.hasStation(mac) && network.local.size >= MAX_ENDPOINTS) {
      throw new ApiError(
        409,
        'ERR_LIMIT',
        `network ${name} has ${MAX_ENDPOINTS} endpoints on this host already`,
      )
    }
    network.attach(mac, ips)
    await this.#save()
    const { bridge, mtu } = network
    const { vtep } = this.#options
    return { network: name, mac, ips, vtep, bridge, mtu }
  }

  async detach(name: string, mac: string): Promise<RemovedAnswer> {
    const removed = this.#network(name).detach(mac)
    if (removed) await this.#save()
    return { removed }
  }

  /** Ends, and leaves everything as it is: the next process goes on from there. */
  stop(): Promise<void> {
    return this.#end(async () => {
      await Promise.all([...this.#networks.values()].map((network) => network.stop()))
      await this.#options.cluster.close()
      await this.#stateFile?.flushed()
    })
  }

  /** Withdraws and removes everything, then leaves the cluster. Rejects, having done what it could. */
  down(): Promise<void> {
    return this.#end(async () => {
      const networks = [...this.#networks.values()]
      const outcomes = await Promise.allSettled(networks.map((network) => network.remove()))
      this.#networks.clear()
      await this.#stateFile?.remove()
      await this.#options.cluster.leave()
      const [failed] = outcomes.filter((outcome) => outcome.status === 'rejected')
      if (failed !== undefined) throw kernelError(failed.reason)
    })
  }

  #end(how: () => Promise<void>): Promise<void> {
    // Nothing new begins from here on, and what has begun is finished first.
    if (this.#ended === undefined) {
      this.#ended = this.#turn.then(how)
      this.#settleEnded(this.#ended)
    }
    return this.#ended
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(() => {
      this.#checkRunning()
      return action()
    })
    this.#turn = turn.catch(() => {})
    return turn
  }

  #make({ name, vni, device, bridge }: Omit<NetworkState, 'endpoints'>): OverlayNetwork {
    const { cluster, vtep, openDataPath, auditIntervalMs = 10_000, holdMs = 0 } = this.#options
    const ownsBridge = bridge === undefined
    return new OverlayNetwork({
      name,
      vni,
      cluster,
      vtep,
      ownsBridge,
      dataPath: openDataPath({ vni, device, bridge: bridge ?? `br${vni}`, ownsBridge }),
      metOthers: this.#metOthers,
      log: (event) => this.#log(event),
      auditIntervalMs,
      holdMs,
    })
  }

  #restore(state: NetworkState): void {
    const network = this.#make(state)
    this.#networks.set(state.name, network)
    for (const { mac, ips } of state.endpoints) network.local.put(mac, ips)
    network.start()
  }

  #network(name: string): OverlayNetwork {
    this.#checkRunning()
    const network = this.#networks.get(name)
    if (network !== undefined) return network
    throw new ApiError(
      404,
      'ERR_NETWORK_NOT_JOINED',
      `this host does not take part in the network ${name}: join it first`,
    )
  }

  #checkRunning(): void {
    if (this.#ended !== undefined) throw new ApiError(503, 'ERR_ENDING', 'this agent is about to end')
  }

  #checkSame(present: OverlayNetwork, { name, vni, device, bridge }: Omit<NetworkState, 'endpoints'>): void {
    const former = present.state()
    if (former.vni === vni && former.device === device && former.bridge === bridge) return
    throw new ApiError(
      409,
      'ERR_CONFLICT',
      `network ${name} was joined with ${settingsOf(present)}: part it first`,
    )
  }

  #checkFree({ vni, device, bridge = `br${vni}` }: Omit<NetworkState, 'endpoints'>): void {
    if (this.#networks.size >= MAX_NETWORKS) {
      throw new ApiError(409, 'ERR_LIMIT', `this host takes part in ${MAX_NETWORKS} networks already`)
    }
    for (const other of this.#networks.values()) {
      if (other.vni !== vni && other.device !== device && other.bridge !== bridge) continue
      const message = `network ${other.name} has ${settingsOf(other)} on this host: choose others`
      throw new ApiError(409, 'ERR_CONFLICT', message)
    }
  }

  #state(): AgentState {
    return {
      version: 1,
      peers: peersToRemember(this.#options.cluster),
      networks: [...this.#networks.values()].map((network) => network.state()),
    }
  }

  async #save(): Promise<void> {
    try {
      await this.#stateFile?.save()
    } catch (cause) {
      const { path } = this.#stateFile as StateFile<AgentState>
      throw new ApiError(500, 'ERR_STATE', `done, but not kept in ${path}: ${describeError(cause)}`, {
        cause,
      })
    }
  }

  #saveSoon(): void {
    if (this.#ended !== undefined) return
    this.#save().catch((error: unknown) => this.#log({ event: 'problem', message: describeError(error) }))
  }

  #log(event: AgentEvent): void {
    this.#options.log?.(event)
  }
}

/** With its own code, if it has one. */
function kernelError(cause: unknown): ApiError {
  if (cause instanceof ApiError) return cause
  const code = cause instanceof HearsayError ? cause.code : 'ERR_KERNEL'
  return new ApiError(409, code, describeError(cause), { cause })
}

function bridgeOf({ bridge }: NetworkSpec): { readonly bridge?: string } {
  return bridge === undefined ? {} : { bridge }
}

function settingsOf({ vni, device, bridge }: OverlayNetwork): string {
  return `VNI ${vni}, device ${device} and bridge ${bridge}`
}

/**
 * Resolves once another member is known to live. An agent that reaches none of those it was told of knows
 * nothing of the networks, which is no reason to tear down what an earlier process left in the kernel.
 */
