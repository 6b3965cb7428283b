import { Cluster } from '../src/cluster.ts'
import type { ClusterOptions } from '../src/options.ts'
import type { Runtime } from '../src/runtime/runtime.ts'
import { loadSodium } from '../src/security/sodium.ts'
import { Driver } from './driver.ts'
import type { NetworkOptions } from './network.ts'
import type { Traffic } from './traffic.ts'
import type { VirtualHost } from './virtual-host.ts'
import { type Fault, VirtualWorld } from './virtual-world.ts'

export interface SimulationOptions {
  /** Decides everything that is left to chance; an integer below 2^53. Default 1. */
  readonly seed?: number
  readonly network?: NetworkOptions
}

/**
 * Options of `Cluster.start`, with defaults for a simulation: the node's name, its own address on port 7946, no keys, and as seeds
 * the first three nodes that run. Host names in `seeds` are the names of nodes.
 */
export type NodeOptions = Partial<Omit<ClusterOptions, 'runtime'>>

const PORT = 7946
const DEFAULT_SEEDS = 3

/**
 * Clusters in virtual time, on hosts that can crash, stall and lose each other. The nodes run the very code that production
 * runs. Time passes only inside `start`, `advance`, `until` and `settled`; nothing happens between them, deferred listeners included.
 *
 *     const sim = new Simulation({ seed: 7 })
 *     const a = await sim.start('a')
 *     await sim.start('b')
 *     sim.crash('b')
 *     await sim.until(() => a.member('b')?.status === 'failed', 10_000)
 *
 * The same seed and the same calls give the same run, to the byte, as long as the calls await nothing but the simulation.
 */
export class Simulation {
  /** @internal */
  readonly world: VirtualWorld
  readonly #driver: Driver
  readonly #clusters = new Map<string, Cluster>()

  constructor(options: SimulationOptions = {}) {
    this.world = new VirtualWorld({
      seed: options.seed ?? 1,
      ...(options.network && { network: options.network }),
    })
    this.#driver = new Driver(this.world)
  }

  /** Virtual ms since the simulation began. */
  get now(): number {
    return this.world.now
  }

  /** Names of the nodes that run, in the order in which they started. */
  get nodes(): readonly string[] {
    return [...this.#clusters.keys()]
  }

  /** What escaped from the nodes' code; empty unless there is a bug. */
  get faults(): readonly Fault[] {
    return this.world.faults
  }

  /** A hash of everything that happened so far. */
  get traceHash(): string {
    return this.world.trace.hash
  }

  /**
   * Starts a node on the host of that name, and lets time pass until it has started. A host that crashed comes back with
   * its old address. With keys, await the first start before others: libsodium loads in real time.
   */
  async start(name: string, options: NodeOptions = {}): Promise<Cluster> {
    const insecure = options.keys === undefined && options.keyFile === undefined
    if (!insecure) await loadSodium()
    const host = this.world.host(name)
    const runtime = host.boot()
    const starting = Cluster.start({
      name,
      bind: this.address(name),
      insecure,
      seeds: this.nodes.slice(0, DEFAULT_SEEDS).map((node) => this.address(node)),
      ...options,
      runtime,
    })
    try {
      const cluster = await this.#driver.settled(starting, () => host.process !== runtime)
      if (host.process === runtime) this.#clusters.set(name, cluster)
      return cluster
    } catch (error) {
      if (host.process === runtime) host.kill()
      throw error
    }
  }

  /** The node that runs under this name. */
  cluster(name: string): Cluster {
    const cluster = this.#clusters.get(name)
    if (cluster === undefined) throw new Error(`no node "${name}" runs in this simulation`)
    return cluster
  }

  /** Time and chance of the process that runs under this name, for what runs beside the node. Its timers end with it. */
  runtime(name: string): Runtime {
    return this.#running(name).process!
  }

  /** Where the node of this name is or will be, unless its options say otherwise. */
  address(name: string): string {
    return `${this.world.host(name).ip}:${PORT}`
  }

  /** The files on the disk of a host, by path: what `keyFile` names is read and written there. They outlive crashes. */
  files(name: string): Map<string, Uint8Array> {
    return this.world.host(name).files
  }

  /** Lets virtual time pass. */
  async advance(ms: number): Promise<void> {
    await this.#driver.advance(ms)
  }

  /** Lets time pass until a promise settles that waits for nodes, and returns what it came to. */
  settled<T>(promise: Promise<T>): Promise<T> {
    return this.#driver.settled(promise)
  }

  /**
   * Lets time pass until the predicate holds; rejects if it does not within `timeoutMs`. It is looked at once every
   * virtual millisecond in which something happens.
   */
  async until(predicate: () => boolean, timeoutMs: number): Promise<void> {
    if (await this.#driver.until(predicate, timeoutMs)) return
    throw new Error(
      `still not so after ${timeoutMs} virtual ms, at ${this.now}: ${String(predicate).slice(0, 200)}`,
    )
  }

  /** The node's whole host falls silent. */
  crash(name: string): void {
    this.#running(name).crash()
    this.#clusters.delete(name)
  }

  /** The node's process dies; its host lives on, resets its streams and refuses new ones. */
  kill(name: string): void {
    this.#running(name).kill()
    this.#clusters.delete(name)
  }

  /**
   * Stalls a node's event loop. Packets wait, timers are late, but the kernel still accepts streams; with `wholeHost` it
   * does not, as when a virtual machine is frozen.
   */
  pause(name: string, ms: number, options: { readonly wholeHost?: boolean } = {}): void {
    this.#running(name).pause(ms, options.wholeHost ?? false)
  }

  /** Separates groups of nodes from each other; nodes in none of them reach everyone. Returns what ends it. */
  partition(...groups: readonly (readonly string[])[]): () => void {
    return this.world.network.partition(groups.map((group) => this.#hosts(group)))
  }

  /** Lets nothing through from the first to the second. Returns what ends it. */
  blockOneWay(from: string | readonly string[], to: string | readonly string[]): () => void {
    return this.world.network.blockOneWay(this.#hosts(from), this.#hosts(to))
  }

  /** Ends all partitions and blocks. */
  heal(): void {
    this.world.network.heal()
  }

  /** Probabilities with which a node's packets are lost on their way out and in, beyond the network's own loss. */
  setLoss(name: string, loss: { readonly egress?: number; readonly ingress?: number }): void {
    const host = this.#known(name)
    host.egressLoss = loss.egress ?? 0
    host.ingressLoss = loss.ingress ?? 0
  }

  /** Sets a host's wall clock this far ahead of the true time; the monotonic clock goes on. */
  setClock(name: string, offsetMs: number): void {
    this.#known(name).clockOffsetMs = offsetMs
  }

  /** What a node's host has sent and received since the simulation began. Live: the numbers go on. */
  traffic(name: string): Readonly<Traffic> {
    return this.#known(name).traffic
  }

  #known(name: string): VirtualHost {
    const host = this.world.knownHost(name)
    if (host === undefined) throw new Error(`no node "${name}" was ever started in this simulation`)
    return host
  }

  #running(name: string): VirtualHost {
    const host = this.#known(name)
    if (host.process === undefined) throw new Error(`node "${name}" does not run`)
    return host
  }

  #hosts(names: string | readonly string[]): VirtualHost[] {
    return (typeof names === 'string' ? [names] : names).map((name) => this.#known(name))
  }
}
