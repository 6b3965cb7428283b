import type { Cluster, Network, Table } from '../../src/index.ts'

/** What a host needs to carry the address: on Linux `ip address add` and a gratuitous ARP, and `ip address del`. */
export interface Carrier {
  acquire(): void
  release(): void
}

interface Candidate {
  /** The lowest one carries the address; of equals, the host whose name is first. */
  readonly rank: number
}

/**
 * Keeps one address on one of the hosts that can carry it, and moves it when that host is gone.
 *
 * Every host declares itself a candidate; who carries the address follows from the candidates that a host can see, so that there is
 * nothing to agree on but the table. A cluster that is cut in two has one carrier on each side: this is failover, not a lock.
 */
export class FloatingAddress {
  readonly #name: string
  readonly #network: Network
  readonly #candidates: Table<Candidate>
  readonly #carrier: Carrier
  #carrying = false

  private constructor(name: string, network: Network, carrier: Carrier) {
    this.#name = name
    this.#network = network
    this.#candidates = network.table<Candidate>('candidates')
    this.#carrier = carrier
  }

  /** Joins the network named after the address, and becomes a candidate. */
  static async start(
    cluster: Cluster,
    address: string,
    rank: number,
    carrier: Carrier,
  ): Promise<FloatingAddress> {
    const { name } = cluster.self
    const keeper = new FloatingAddress(name, await cluster.joinNetwork(address), carrier)
    keeper.#candidates.set(name, { rank })
    void keeper.#follow()
    return keeper
  }

  get carrying(): boolean {
    return this.#carrying
  }

  /** Gives the address away, at once and for good. */
  async stop(): Promise<void> {
    this.#candidates.delete(this.#name)
    await this.#network.leave()
    this.#carry(false)
  }

  /** Level-triggered: a change only says that it is time to look. */
  async #follow(): Promise<void> {
    let synced = false
    for await (const change of this.#candidates.watch()) {
      synced ||= change.type === 'synced'
      if (synced) this.#carry(this.#chosen() === this.#name)
    }
  }

  #chosen(): string | undefined {
    const candidates = [...this.#candidates.entries()].map(([name, { value }]) => ({
      name,
      rank: value.rank,
    }))
    candidates.sort((a, b) => a.rank - b.rank || (a.name < b.name ? -1 : 1))
    return candidates[0]?.name
  }

  #carry(wanted: boolean): void {
    if (wanted === this.#carrying) return
    this.#carrying = wanted
    if (wanted) this.#carrier.acquire()
    else this.#carrier.release()
  }
}
