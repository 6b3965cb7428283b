import { Simulation } from '../../sim/index.ts'
import { Cluster, type ClusterOptions } from '../../src/index.ts'

/** A place where a story can be told: virtual or real. Times are in ms, on a clock of its own. */
export interface Stage {
  now(): number
  /** Starts a node; it may listen wherever the stage likes. */
  start(name: string, seeds: readonly string[]): Promise<Cluster>
  /** Ends the process of a node, or what comes next to it, without a word to the others. */
  kill(name: string): void
  sleep(ms: number): Promise<void>
  /** Waits until it is so; false if it is not in time. */
  until(predicate: () => boolean, timeoutMs: number): Promise<boolean>
  close(): Promise<void>
}

/** The loopback interface as the simulator knows it: no distance, and packets that the one process handles in turn. */
const LOOPBACK = { latencyMs: 0.05, latencySigma: 0.5, bandwidthMbps: 10_000, serviceMs: 0.1 } as const

export class VirtualStage implements Stage {
  readonly #sim: Simulation

  constructor(seed: number) {
    this.#sim = new Simulation({ seed, network: LOOPBACK })
  }

  now(): number {
    return this.#sim.now
  }

  start(name: string, seeds: readonly string[]): Promise<Cluster> {
    return this.#sim.start(name, { seeds })
  }

  kill(name: string): void {
    this.#sim.kill(name)
  }

  sleep(ms: number): Promise<void> {
    return this.#sim.advance(ms)
  }

  async until(predicate: () => boolean, timeoutMs: number): Promise<boolean> {
    try {
      await this.#sim.until(predicate, timeoutMs)
      return true
    } catch {
      return predicate()
    }
  }

  async close(): Promise<void> {}
}

const POLL_MS = 2

/** Real sockets on 127.0.0.1, all nodes in this process. */
export class LoopbackStage implements Stage {
  readonly #keys: readonly Uint8Array[]
  readonly #tuning: Partial<ClusterOptions>
  readonly #running = new Map<string, Cluster>()
  readonly #closing: Promise<void>[] = []

  /** Without keys the nodes do not seal their traffic. */
  constructor(keys: readonly Uint8Array[] = [], tuning: Partial<ClusterOptions> = {}) {
    this.#keys = keys
    this.#tuning = tuning
  }

  now(): number {
    return performance.now()
  }

  async start(name: string, seeds: readonly string[], more: Partial<ClusterOptions> = {}): Promise<Cluster> {
    const options: ClusterOptions = {
      ...this.#tuning,
      ...more,
      name,
      seeds,
      bind: '127.0.0.1:0',
      keys: this.#keys,
      insecure: this.#keys.length === 0,
    }
    const cluster = await Cluster.start(options)
    this.#running.set(name, cluster)
    return cluster
  }

  kill(name: string): void {
    const cluster = this.#running.get(name)
    this.#running.delete(name)
    if (cluster !== undefined) this.#closing.push(cluster.close())
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms))
  }

  async until(predicate: () => boolean, timeoutMs: number): Promise<boolean> {
    const deadline = this.now() + timeoutMs
    while (!predicate()) {
      if (this.now() > deadline) return false
      await this.sleep(POLL_MS)
    }
    return true
  }

  async close(): Promise<void> {
    for (const name of [...this.#running.keys()]) this.kill(name)
    await Promise.all(this.#closing)
  }
}
