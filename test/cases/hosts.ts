import { expect } from 'vitest'
import { type NodeOptions, Simulation, type SimulationOptions } from '../../sim/index.ts'
import type { Change, Cluster, Network, Table } from '../../src/index.ts'

/** Long enough in virtual time for gossip, anti-entropy and detection to have done what they do. */
export const QUIET_MS = 60_000

/** By key and owner, the value. */
export type Claimed = Readonly<Record<string, Readonly<Record<string, string>>>>

/** Hosts in virtual time, with a node each, and what their tables hold; by default table `t` of network `blue`. */
export class Hosts {
  readonly sim: Simulation
  readonly #options: NodeOptions

  constructor(seed: number, options: NodeOptions = {}, simulation: Omit<SimulationOptions, 'seed'> = {}) {
    this.sim = new Simulation({ seed, ...simulation })
    this.#options = options
  }

  /** Hosts named `n0`, `n1` …, all of which know each other and take part in the network. */
  static async joined(count: number, seed: number, options: NodeOptions = {}): Promise<Hosts> {
    const hosts = new Hosts(seed, options)
    const names = namesOf(count)
    for (const name of names) await hosts.start(name)
    await hosts.join(names)
    return hosts
  }

  start(name: string, options: NodeOptions = {}): Promise<Cluster> {
    return this.sim.start(name, { ...this.#options, ...options })
  }

  /** Lets hosts join a network, and each of them know that all have. */
  async join(names: readonly string[], network = 'blue'): Promise<void> {
    const joining = Promise.all(names.map((name) => this.node(name).joinNetwork(network)))
    const joined = await this.sim.settled(joining)
    const members = names.map((name) => this.node(name).self.name)
    const knowsAll = (one: Network): boolean => members.every((name) => one.participants().includes(name))
    await this.sim.until(() => joined.every(knowsAll), QUIET_MS)
  }

  /** Lets a host leave a network and join it again in one breath. */
  async rejoin(name: string, network = 'blue'): Promise<void> {
    await this.sim.settled(this.node(name).network(network).leave())
    await this.sim.settled(this.node(name).joinNetwork(network))
  }

  node(name: string): Cluster {
    return this.sim.cluster(name)
  }

  table(name: string, network = 'blue'): Table<string> {
    return this.node(name).network(network).table<string>('t')
  }

  /** What a host shows: by key, value and owner. */
  shown(name: string, network = 'blue'): Record<string, string> {
    const entries = [...this.table(name, network).entries()]
    entries.sort(([a], [b]) => (a < b ? -1 : 1))
    return Object.fromEntries(entries.map(([key, { value, owner }]) => [key, `${value} of ${owner}`]))
  }

  /** All claims that a host can see: by key and owner, the value. */
  claimed(name: string, network = 'blue'): Claimed {
    const table = this.table(name, network)
    const claims = [...table.entries()].map(([key]) => {
      const visible = table.claims(key).filter(({ hidden }) => !hidden)
      return [key, Object.fromEntries(visible.map(({ owner, value }) => [owner, value]))] as const
    })
    return Object.fromEntries(claims)
  }

  /** Waits until all hosts named show this, and then sees that it lasts. */
  async allShow(
    expected: Readonly<Record<string, string>>,
    names: readonly string[] = this.sim.nodes,
    withinMs: number = QUIET_MS,
  ): Promise<void> {
    const wanted = JSON.stringify(expected)
    const shows = (name: string): boolean => JSON.stringify(this.shown(name)) === wanted
    await this.sim.until(() => names.every(shows), withinMs).catch(() => {})
    await this.sim.advance(QUIET_MS)
    for (const name of names) expect({ [name]: this.shown(name) }).toEqual({ [name]: expected })
  }

  /** Everything that a watch gives, as it comes. */
  watch(name: string, network = 'blue'): Change<string>[] {
    const changes: Change<string>[] = []
    void (async () => {
      for await (const change of this.table(name, network).watch()) changes.push(change)
    })()
    return changes
  }
}

export function namesOf(count: number, first = 0): string[] {
  return Array.from({ length: count }, (_, i) => `n${first + i}`)
}

export function networksOf(count: number): string[] {
  return ['blue', 'red', 'green', 'grey', 'black'].slice(0, count)
}
