import { MAX_SESSIONS } from '../../src/security/replay-window.ts'
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
  readonly name = 'queues, parked entries, logs, streams and replay windows stay within their bounds'
  readonly #sim: Simulation
  readonly #networksAt: (node: string) => number

  /** `networksAt` says how many networks there are at most at a node, the built-in one left out. */
  constructor(sim: Simulation, networksAt: (node: string) => number) {
    this.#sim = sim
    this.#networksAt = networksAt
  }

  *during(sample: readonly string[]): Generator<string> {
    const names = this.#sim.world.hosts.length
    for (const node of sample) {
      const replicas = this.#networksAt(node) + 1
      const bounds: Readonly<Record<string, number>> = {
        'members.known': names,
        'members.queue': Math.min(names, QUEUE_CAPACITY),
        'entries.queue': QUEUE_CAPACITY * replicas,
        'entries.parkedNow': PARKED * replicas,
        'entries.logs': names * replicas,
        'traffic.streamsOpen': STREAMS_IN + STREAMS_OUT,
        'traffic.sessions': MAX_SESSIONS,
      }
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
