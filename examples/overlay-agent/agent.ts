import type { Kernel, OverlayRow } from '../../src/agent/index.ts'
import { Reconciler } from '../../src/agent/index.ts'
import type { Cluster, Network, Table } from '../../src/index.ts'
import { desiredRows } from './desired-state.ts'
import { type Endpoint, endpointCodec, type LocalEndpoint, parseEndpoint } from './endpoints.ts'
import type { AgentEvent } from './events.ts'

export interface OverlayAgentOptions {
  readonly cluster: Cluster
  readonly network: string
  /** The underlay address of this host. */
  readonly vtep: string
  /** Whether the VXLAN device is a port of a bridge. */
  readonly bridged: boolean
  readonly kernel: Kernel<OverlayRow>
  /** The containers on this host. */
  readonly endpoints: readonly LocalEndpoint[]
  readonly log?: (event: AgentEvent) => void
  readonly auditIntervalMs?: number
  /** Gives up starting. */
  readonly signal?: AbortSignal
}

/**
 * One host's agent in one overlay network: tells the others which containers are here, and keeps the kernel
 * able to reach theirs. The kernel is left as it was found until the network has been joined and its state is
 * known.
 */
export class OverlayAgent {
  readonly #options: OverlayAgentOptions
  readonly #network: Network
  readonly #table: Table<Endpoint>
  readonly #reconciler: Reconciler<OverlayRow>
  readonly #watching: Promise<void>
  readonly #stopping = new AbortController()

  static async start(options: OverlayAgentOptions): Promise<OverlayAgent> {
    const { cluster, network, signal } = options
    const joined = await cluster.joinNetwork(network, signal === undefined ? {} : { signal })
    return new OverlayAgent(options, joined)
  }

  private constructor(options: OverlayAgentOptions, network: Network) {
    const { cluster, vtep, bridged, kernel, auditIntervalMs } = options
    this.#options = options
    this.#network = network
    this.#table = network.table('endpoints', endpointCodec)
    this.#reconciler = new Reconciler({
      kernel,
      desired: () => desiredRows(this.#table.entries(), { name: cluster.self.name, vtep, bridged }),
      onPass: ({ put, removed, durationMs, error }) => {
        this.#log({ event: 'kernel', put, removed, durationMs: Math.round(durationMs) })
        if (error !== undefined) this.#log({ event: 'problem', message: describe(error) })
      },
      ...(auditIntervalMs === undefined ? {} : { auditIntervalMs }),
    })
    this.setEndpoints(options.endpoints)
    this.#watching = this.#watch()
  }

  /**
   * Declares the containers that are on this host from now on, all of them. Throws at an ill-formed address.
   */
  setEndpoints(endpoints: readonly LocalEndpoint[]): void {
    const { vtep } = this.#options
    const parsed = endpoints.map((endpoint) => parseEndpoint({ ...endpoint, vtep }))
    this.#table.replaceOwn(parsed.map((endpoint) => [endpoint.ip, endpoint]))
  }

  /**
   * Withdraws this host's containers from the network, then removes every row and device that it made here.
   */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#watching
    await this.#reconciler.stop()
    await this.#network.leave()
    await this.#options.kernel.remove()
  }

  async #watch(): Promise<void> {
    for await (const change of this.#table.watch({ signal: this.#stopping.signal })) {
      if (change.type === 'set') {
        this.#log({ event: 'endpoint-set', endpoint: change.value, owner: change.owner })
      } else if (change.type === 'delete') {
        const { value, owner } = change.previous
        this.#log({ event: 'endpoint-gone', endpoint: value, owner, reason: change.reason })
      }
      // The first pass comes with the first change, or with `synced` if there is none.
      this.#reconciler.trigger()
    }
  }

  #log(event: AgentEvent): void {
    this.#options.log?.(event)
  }
}

function describe(error: Error): string {
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}
