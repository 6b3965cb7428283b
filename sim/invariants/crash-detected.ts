import type { Cluster } from '../../src/cluster.ts'
import type { Simulation } from '../simulation.ts'
import type { VirtualHost } from '../virtual-host.ts'
import type { Invariant } from './invariant.ts'

interface Stop {
  readonly node: string
  readonly atMs: number
}

/**
 * A node that is gone is failed, or has left, at every survivor within a bound. A survivor's time begins when it started, or when it was
 * last seen paused, cut off or losing packets beyond what the whole network does.
 */
export class CrashDetected implements Invariant {
  readonly name = 'a crashed member is failed at every survivor'
  readonly #sim: Simulation
  readonly #boundMs: number
  readonly #clearSince = new Map<string, number>()
  #stops: Stop[] = []

  constructor(sim: Simulation, boundMs: number) {
    this.#sim = sim
    this.#boundMs = boundMs
  }

  started(node: string): void {
    this.#clearSince.set(node, this.#sim.now)
    this.#stops = this.#stops.filter((stop) => stop.node !== node)
  }

  stopped(node: string): void {
    this.#clearSince.delete(node)
    this.#stops.push({ node, atMs: this.#sim.now })
  }

  *during(): Generator<string> {
    const { now } = this.#sim
    for (const node of this.#clearSince.keys()) {
      if (impaired(this.#sim.world.host(node))) this.#clearSince.set(node, now)
    }
    const due = this.#stops.filter((stop) => now - stop.atMs > this.#boundMs)
    if (due.length === 0) return
    for (const observer of this.#sim.nodes) {
      const since = this.#clearSince.get(observer) ?? now
      if (now - since <= this.#boundMs) continue
      for (const { node, atMs } of due)
        yield* this.#judge(observer, this.#sim.cluster(observer), node, now - atMs)
    }
    // Survivors whose time was not up are looked at in the end.
    this.#stops = this.#stops.filter((stop) => !due.includes(stop))
  }

  *atEnd(): Generator<string> {
    const running = new Set(this.#sim.nodes)
    for (const observer of this.#sim.nodes) {
      const cluster = this.#sim.cluster(observer)
      for (const { name } of this.#sim.world.hosts) {
        if (!running.has(name)) yield* this.#judge(observer, cluster, name, undefined)
      }
    }
  }

  *#judge(observer: string, cluster: Cluster, node: string, afterMs: number | undefined): Generator<string> {
    const status = cluster.member(node)?.status
    if (status !== 'alive' && status !== 'suspect') return
    yield `${observer} takes the dead ${node} for ${status}${afterMs === undefined ? '' : ` after ${afterMs} ms`}`
  }
}

function impaired(host: VirtualHost): boolean {
  const { network } = host.world
  return (
    (host.process?.paused ?? false) ||
    host.frozen ||
    host.egressLoss + host.ingressLoss > 0 ||
    network.cuts(host)
  )
}
