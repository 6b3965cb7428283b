import type { Simulation } from '../simulation.ts'
import type { Invariant } from './invariant.ts'

/** A verdict on a node that runs may be wrong for a while, but never for good. */
export class LiveNotFailed implements Invariant {
  readonly name = 'a live, reachable member is not failed'
  readonly #sim: Simulation

  constructor(sim: Simulation) {
    this.#sim = sim
  }

  *atEnd(): Generator<string> {
    const sim = this.#sim
    const { network } = sim.world
    const hosts = sim.nodes.map((node) => sim.world.host(node))
    for (const one of hosts) {
      const cluster = sim.cluster(one.name)
      for (const other of hosts) {
        if (one === other) continue
        const status = cluster.member(other.name)?.status
        if (status === 'alive' || status === 'suspect') continue
        if (network.blocked(one, other) || network.blocked(other, one)) continue
        yield `${one.name} takes ${other.name} for ${status}`
      }
    }
  }
}
