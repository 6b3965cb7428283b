import type { Simulation } from '../simulation.ts'
import type { Invariant } from './invariant.ts'

/** Of the library: capacities of its queues, of parking in each network, and of streams that come in. */
const QUEUE_CAPACITY = 16_384
const PARKED = 256
const STREAMS_IN = 1024
/** A node opens few streams by itself: syncs, witnesses, pings. */
const STREAMS_OUT = 256

/** What a node holds of its peers' doing stays within bounds, whatever they do. */
export class WithinBounds implements Invariant {
  readonly name = 'queues, parked entries and streams stay within their bounds'
  readonly #sim: Simulation
  readonly #networks: () => number

  /** `networks` says how many networks there are at most at a node, the built-in one left out. */
  constructor(sim: Simulation, networks: () => number) {
    this.#sim = sim
    this.#networks = networks
  }

  *during(sample: readonly string[]): Generator<string> {
    const replicas = this.#networks() + 1
    const bounds: Readonly<Record<string, number>> = {
      'members.queue': QUEUE_CAPACITY,
      'entries.queue': QUEUE_CAPACITY * replicas,
      'entries.parkedNow': PARKED * replicas,
      'traffic.streamsOpen': STREAMS_IN + STREAMS_OUT,
    }
    for (const node of sample) {
      const metrics = this.#sim.cluster(node).metrics()
      for (const [name, most] of Object.entries(bounds)) {
        const value = metrics[name]
        if (value === undefined) yield `${node} does not say what its ${name} is`
        else if (value > most)
          yield `${name} of ${node} is ${value} at ${this.#sim.now} ms, more than ${most}`
      }
    }
  }
}
