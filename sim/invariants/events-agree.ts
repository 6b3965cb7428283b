import type { Observer } from '../observer.ts'
import type { Simulation } from '../simulation.ts'
import type { Invariant } from './invariant.ts'

/** Who only listens to events knows what who asks is shown. */
export class EventsAgree implements Invariant {
  readonly name = 'events and snapshots of members agree'
  readonly #sim: Simulation
  readonly #observer: Observer

  constructor(sim: Simulation, observer: Observer) {
    this.#sim = sim
    this.#observer = observer
  }

  *atEnd(): Generator<string> {
    const { nodes } = this.#sim
    for (const one of nodes) {
      const cluster = this.#sim.cluster(one)
      for (const other of nodes) {
        const [told, shown] = [this.#observer.view(one, other), cluster.member(other)?.status]
        if (one !== other && told !== shown) {
          yield `${one} told of ${other} as ${told}, and shows it as ${shown}`
        }
      }
    }
  }
}
