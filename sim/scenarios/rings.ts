import type { Cluster } from '../../src/cluster.ts'
import type { CommonContext } from './common.ts'

type Keys = readonly Uint8Array[]

/** What is dropped for the sake of keys. */
const KEY_DROPS = ['unknown-key', 'forged', 'stream-forged']
/** Whom a stream finds dead it tries with each of its keys, and somebody may have come back with fewer: nothing is lost by that. */
const TRIED = 'stream-unknown-key'

/** The keys that the nodes of a scenario say they hold, as an application would keep them. */
export class Rings {
  readonly #context: CommonContext
  readonly #kept = new Map<string, Keys>()
  /** How many nodes hold just this key, by its bytes. */
  readonly #alone = new Map<string, number>()
  /** Every node that ever ran, dead ones too. */
  readonly #lives: Cluster[] = []
  #busy: ReadonlySet<string> = new Set()
  #suspected = 0

  constructor(context: CommonContext) {
    this.#context = context
  }

  /** Begins to listen to a node that has started with these keys, or with those that it had kept. */
  follow(node: string, keys: Keys = this.of(node)): void {
    const cluster = this.#context.sim.cluster(node)
    this.#lives.push(cluster)
    this.#keep(node, keys)
    cluster.on('keyring', (ring) => this.#keep(node, ring))
    cluster.on('member-suspect', ({ name }) => {
      if (!this.#busy.has(node) && !this.#busy.has(name)) this.#suspected++
    })
  }

  of(node: string): Keys {
    return this.#kept.get(node) ?? []
  }

  /** Whether so many nodes hold one of these keys and no other, all the same one. */
  agreed(nodes: number, keys: Keys): boolean {
    return keys.some((key) => this.#alone.get(key.join()) === nodes)
  }

  /** With these nodes something is the matter from now on, so that they may be suspected, and may suspect. */
  trouble(nodes: Iterable<string>): void {
    this.#busy = new Set(nodes)
  }

  /** How often a node with which nothing was the matter suspected another such. */
  get suspected(): number {
    return this.#suspected
  }

  /** Packets and streams that nodes have dropped for the sake of keys, by cause. */
  dropped(restarts: boolean): Map<string, number> {
    const causes = restarts ? KEY_DROPS : [...KEY_DROPS, TRIED]
    return new Map(causes.map((cause) => [cause, this.sum(`dropped.${cause}`)]))
  }

  sum(metric: string): number {
    return this.#lives.reduce((total, cluster) => total + (cluster.metrics()[metric] ?? 0), 0)
  }

  #keep(node: string, keys: Keys): void {
    const count = (ring: Keys, by: number): void => {
      const [key, ...others] = ring
      if (key === undefined || others.length > 0) return
      this.#alone.set(key.join(), (this.#alone.get(key.join()) ?? 0) + by)
    }
    count(this.of(node), -1)
    this.#kept.set(node, keys)
    count(keys, 1)
  }
}
