import type { Network } from '../../src/network-state/network.ts'
import type { Table } from '../../src/network-state/table.ts'
import { valueHash } from '../invariants/followed.ts'
import type { Random } from '../random.ts'
import type { JoinedNetwork } from '../scenario.ts'
import { type CommonContext, reached } from './common.ts'

const TABLE = 'peers'
const JOIN_TIMEOUT_MS = 300_000
const MARKER_BYTES = 8
/** Every value holds its network's marker and a number of its own. */
export const LEAST_VALUE_BYTES: number = MARKER_BYTES + 4

const RAW = {
  encode: (value: Uint8Array): Uint8Array => value,
  decode: (value: Uint8Array): Uint8Array => value,
}

/** A network with one table, and what the scenario knows of it. */
export class Workplace implements JoinedNetwork {
  readonly name: string
  readonly tables: readonly string[] = [TABLE]
  readonly members: Map<string, Network> = new Map()
  readonly insiders: Set<string> = new Set()
  readonly marker: Uint8Array = new Uint8Array(MARKER_BYTES)
  readonly #context: CommonContext
  readonly #random: Random
  #values = 0

  constructor(context: CommonContext, name: string) {
    this.name = name
    this.#context = context
    this.#random = context.random.fork(`network ${name}`)
    this.#random.fill(this.marker)
    context.networks.push(this)
  }

  /** Lets nodes join, and waits for them. */
  async join(nodes: readonly string[]): Promise<void> {
    const { sim } = this.#context
    let joined = 0
    const joins = nodes.map(async (node) => {
      this.insiders.add(node)
      const network = await sim.cluster(node).joinNetwork(this.name)
      network.table(TABLE, RAW)
      this.members.set(node, network)
      joined++
    })
    await reached(this.#context, () => joined === nodes.length, JOIN_TIMEOUT_MS)
    await Promise.all(joins)
  }

  table(node: string): Table<Uint8Array> {
    return this.members.get(node)!.table(TABLE, RAW)
  }

  /** A value that was never written before. */
  value(bytes: number): Uint8Array {
    const value = new Uint8Array(Math.max(bytes, LEAST_VALUE_BYTES))
    this.#random.fill(value)
    value.set(this.marker)
    new DataView(value.buffer).setUint32(MARKER_BYTES, ++this.#values)
    return value
  }
}

/** A value on its way to everyone. */
interface Pending {
  readonly hash: number
  readonly sinceMs: number
  readonly missing: Set<string>
}

/** Measures how long what is written takes to be at every node that follows. */
export class Spread {
  /** Times of what has arrived everywhere. */
  readonly arrivedMs: number[] = []
  readonly #context: CommonContext
  readonly #workplace: Workplace
  readonly #nodes = new Set<string>()
  readonly #pending = new Map<string, Pending>()

  constructor(context: CommonContext, workplace: Workplace, nodes: readonly string[]) {
    this.#context = context
    this.#workplace = workplace
    for (const node of nodes) void this.#follow(node)
  }

  /** How much is still on its way. */
  get outstanding(): number {
    return this.#pending.size
  }

  /** Writes at a node. What was on its way for the same key counts no more. */
  write(node: string, key: string, value: Uint8Array): void {
    this.#pending.set(key, {
      hash: valueHash(value),
      sinceMs: this.#context.sim.now,
      missing: new Set(this.#nodes),
    })
    this.#workplace.table(node).set(key, value)
  }

  /** A key is deleted: what was on its way for it counts no more. */
  drop(key: string): void {
    this.#pending.delete(key)
  }

  /** A node is gone: nothing has to arrive there any more, and what it wrote last may have gone with it. */
  forget(node: string): void {
    this.#nodes.delete(node)
    for (const [key, pending] of this.#pending) this.#arrived(key, pending, node)
  }

  /** Waits until everything has arrived; what has not in time is a violation. */
  async finish(timeoutMs: number): Promise<void> {
    if (await reached(this.#context, () => this.outstanding === 0, timeoutMs)) return
    this.#context.measured.violations.push(
      `${this.outstanding} entries were not at every node ${timeoutMs} ms after the last was written`,
    )
  }

  async #follow(node: string): Promise<void> {
    this.#nodes.add(node)
    for await (const change of this.#workplace.table(node).watch()) {
      if (change.type !== 'set') continue
      const pending = this.#pending.get(change.key)
      if (pending?.hash === valueHash(change.value)) this.#arrived(change.key, pending, node)
    }
  }

  #arrived(key: string, pending: Pending, node: string): void {
    if (!pending.missing.delete(node) || pending.missing.size > 0) return
    this.#pending.delete(key)
    this.arrivedMs.push(this.#context.sim.now - pending.sinceMs)
  }
}
