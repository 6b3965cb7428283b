import { randomBytes } from 'node:crypto'
import type { Cluster, Codec, Table } from '../../src/index.ts'
import { inTime, nodeName } from './crowd.ts'
import type { Stage } from './stages.ts'

export const NETWORK = 'net1'
export const TABLE = 'endpoint_table'
const SEEDS_OF_A_CLUSTER = 3
const TIMEOUT_MS = 120_000
/** Nodes started and joined at once, while the crowd is being built. */
const AT_ONCE = 10

export const RAW: Codec<Uint8Array> = { encode: (value) => value, decode: (value) => value }

/** A node, its table, and which of the entries that it was to have it has been told of. */
export interface Agent {
  readonly cluster: Cluster
  readonly table: Table<Uint8Array>
  readonly seen: Set<string>
}

/** Nodes that share one table of one network; an agent at each watches it, as it would to program a kernel. */
export class TableCrowd {
  readonly #stage: Stage
  readonly agents: Agent[] = []
  #complete = 0
  #wanted = 0
  #prefix = ''

  constructor(stage: Stage) {
    this.#stage = stage
  }

  /** Starts nodes and lets them join the network; resolves once all know all that take part. */
  async start(nodes: number): Promise<void> {
    const seeds: string[] = []
    for (let from = 0; from < nodes; ) {
      const count = from === 0 ? 1 : Math.min(AT_ONCE, nodes - from)
      const names = Array.from({ length: count }, (_, i) => nodeName(from + i))
      const clusters = await Promise.all(names.map((name) => this.#stage.start(name, [...seeds])))
      await Promise.all(clusters.map((cluster) => this.join(cluster)))
      for (const { self } of clusters) if (seeds.length < SEEDS_OF_A_CLUSTER) seeds.push(self.address)
      from += count
    }
    const agreed = (): boolean =>
      this.agents.every(({ cluster }) => cluster.network(NETWORK).participants().length === nodes)
    await inTime(this.#stage.until(agreed, TIMEOUT_MS), 'everyone knowing who takes part')
  }

  async join(cluster: Cluster): Promise<Agent> {
    const network = await cluster.joinNetwork(NETWORK)
    const agent: Agent = { cluster, table: network.table(TABLE, RAW), seen: new Set() }
    this.agents.push(agent)
    void this.#follow(agent)
    return agent
  }

  /** Writes entries at the first node; how long after the first everybody had been told of all, ms. */
  async spread(prefix: string, entries: number, valueBytes: number): Promise<number> {
    this.expect(prefix, entries)
    const began = this.#stage.now()
    write(this.agents[0]!, prefix, entries, valueBytes)
    await this.arrived()
    return this.#stage.now() - began
  }

  /** From now on agents count the changed entries whose keys begin so. */
  expect(prefix: string, entries: number): void {
    this.#prefix = prefix
    this.#wanted = entries
    this.#complete = 0
    for (const { seen } of this.agents) seen.clear()
  }

  /** All agents have been told of what was expected, or so many of them. */
  async arrived(agents: number = this.agents.length): Promise<void> {
    const complete = (): boolean => this.#complete >= agents
    await inTime(this.#stage.until(complete, TIMEOUT_MS), 'what everyone has to have')
  }

  /** The sum of a metric over all nodes. */
  total(metric: string): number {
    return this.agents.reduce((sum, { cluster }) => sum + (cluster.metrics()[metric] ?? 0), 0)
  }

  async #follow(agent: Agent): Promise<void> {
    for await (const change of agent.table.watch()) {
      if (change.type !== 'set' || !change.key.startsWith(this.#prefix)) continue
      agent.seen.add(change.key)
      if (agent.seen.size === this.#wanted) this.#complete++
    }
  }
}

/** Sets entries with keys of the form e000000 and random values, as the benchmark of NetworkDB does. */
export function write(agent: Agent, prefix: string, entries: number, valueBytes: number): void {
  const bytes = randomBytes(entries * valueBytes)
  for (let i = 0; i < entries; i++) {
    const key = `${prefix}${String(i).padStart(6, '0')}`
    agent.table.set(key, bytes.subarray(i * valueBytes, (i + 1) * valueBytes))
  }
}
