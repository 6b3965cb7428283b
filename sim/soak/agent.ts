import type { Cluster } from '../../src/cluster.ts'
import type { Network } from '../../src/network-state/network.ts'
import type { Followed, FollowedOptions } from '../invariants/followed.ts'
import type { JoinedNetwork } from '../scenario.ts'
import { type Operation, TABLE, type Written } from './plan.ts'

/** A network as the run knows it. */
export interface SoakedNetwork extends JoinedNetwork {
  readonly insiders: Set<string>
}

/** What the agents of a run share. */
export interface AgentHost {
  /** Numbers the sessions of a run. */
  nextSession(): number
  network(name: string): SoakedNetwork
  /** Has a watch checked. */
  follow(options: FollowedOptions): Followed
  /** The networks that a node's application wants to be in, and the entries that it declares after a restart. */
  wanted(node: string): Map<string, ReadonlyMap<string, number>>
  readonly declares: boolean
  violated(what: string): void
  happened(what: 'inherited' | 'contested'): void
}

/** A node's taking part in one network. */
export interface Session {
  readonly number: number
  readonly network: Network
  /** What this node has claimed, by key: what everyone has to see in the end. */
  readonly own: Map<string, number>
  readonly followers: Followed[]
}

/** The application of one node, from a start of the node to its end. */
export class Agent {
  readonly name: string
  readonly cluster: Cluster
  readonly sessions: Map<string, Session> = new Map()
  metadata: number | undefined
  readonly #host: AgentHost
  /** Networks wanted, by the try to join them. */
  readonly #joining = new Map<string, AbortController>()
  #ended = false

  constructor(name: string, cluster: Cluster, host: AgentHost) {
    this.name = name
    this.cluster = cluster
    this.#host = host
    for (const [network, entries] of host.wanted(name))
      this.#join(network, host.declares ? entries : undefined)
  }

  /** Whether it has joined all networks that it wants to be in. */
  get settled(): boolean {
    return this.#joining.size === 0
  }

  /** How many networks it is in, or is about to be in. */
  get networks(): number {
    return this.sessions.size + this.#joining.size
  }

  /** Its node has stopped. */
  end(): void {
    this.#ended = true
    for (const name of this.sessions.keys()) this.#host.network(name).members.delete(this.name)
  }

  /** Does one operation, unless it makes no sense now. */
  perform(operation: Operation): void {
    if (this.#ended) return
    for (const { followers } of this.sessions.values()) for (const follower of followers) follower.take()
    if (operation.kind === 'metadata') {
      this.metadata = operation.value
      this.cluster.setMetadata(metadataOf(operation.value))
      return
    }
    if (operation.kind === 'leave') return
    if (operation.kind === 'join') {
      this.#join(operation.network, undefined)
      return
    }
    const session = this.sessions.get(operation.network)
    if (operation.kind === 'part') this.#part(operation.network, session)
    else if (session !== undefined) this.#change(session, operation)
  }

  #change(session: Session, operation: Operation): void {
    const table = session.network.table<Written>(TABLE)
    switch (operation.kind) {
      case 'set':
        this.#set(session, operation.key, operation.value)
        break
      case 'delete':
        table.delete(operation.key)
        session.own.delete(operation.key)
        break
      case 'replace-own':
        table.replaceOwn(operation.entries.map(([key, value]) => [key, this.#written(session, value)]))
        session.own.clear()
        for (const [key, value] of operation.entries) session.own.set(key, value)
        break
      case 'churn':
        table.replaceOwn([])
        session.own.clear()
        for (let i = 0; i < operation.count; i++) {
          table.set(`churn/${this.name}`, this.#written(session, operation.value + i / operation.count))
          table.delete(`churn/${this.name}`)
        }
        break
      case 'watch':
        this.#follow(session, operation.slow)
        break
    }
    this.#host.wanted(this.name).set(session.network.name, session.own)
  }

  #set(session: Session, key: string, value: number): void {
    const table = session.network.table<Written>(TABLE)
    const before = table.get(key)
    table.set(key, this.#written(session, value))
    session.own.set(key, value)
    const after = table.get(key)
    if (before !== undefined && before.owner !== this.name) this.#host.happened('contested')
    if (after?.owner !== this.name || after.value.value !== value) {
      this.#host.violated(
        `a set over a visible claim wins: ${this.name} set "${key}" to ${value} over ${before?.value.value} of ` +
          `${before?.owner}, and then read ${after?.value.value} of ${after?.owner}`,
      )
    }
  }

  #written(session: Session, value: number): Written {
    return { value, session: session.number, network: session.network.name }
  }

  #join(name: string, declared: ReadonlyMap<string, number> | undefined): void {
    if (this.sessions.has(name) || this.#joining.has(name)) return
    const wanted = this.#host.wanted(this.name)
    if (!wanted.has(name)) wanted.set(name, new Map())
    const abort = new AbortController()
    this.#joining.set(name, abort)
    this.#host.network(name).insiders.add(this.name)
    void this.cluster.joinNetwork(name, { signal: abort.signal }).then(
      (network) => {
        if (this.#joining.get(name) !== abort || this.#ended) return
        this.#joining.delete(name)
        this.#joined(network, declared)
      },
      (error: unknown) => {
        if (abort.signal.aborted || this.#ended) return
        this.#joining.delete(name)
        this.#host.violated(`a network can be joined: "${name}" at ${this.name}: ${String(error)}`)
      },
    )
  }

  #joined(network: Network, declared: ReadonlyMap<string, number> | undefined): void {
    const session: Session = { number: this.#host.nextSession(), network, own: new Map(), followers: [] }
    this.sessions.set(network.name, session)
    this.#host.network(network.name).members.set(this.name, network)
    const table = network.table<Written>(TABLE)
    for (const [, { owner }] of table.entries()) {
      if (owner !== this.name) continue
      this.#host.happened('inherited')
      break
    }
    if (declared !== undefined) {
      table.replaceOwn([...declared].map(([key, value]) => [key, this.#written(session, value)]))
      for (const [key, value] of declared) session.own.set(key, value)
    }
    this.#host.wanted(this.name).set(network.name, session.own)
    this.#follow(session, false)
  }

  #part(name: string, session: Session | undefined): void {
    this.#host.wanted(this.name).delete(name)
    this.#joining.get(name)?.abort()
    this.#joining.delete(name)
    this.sessions.delete(name)
    this.#host.network(name).members.delete(this.name)
    void session?.network.leave()
  }

  #follow({ network, followers }: Session, slow: boolean): void {
    followers.push(this.#host.follow({ node: this.name, network, table: TABLE, slow }))
  }
}

export function metadataOf(value: number): Uint8Array {
  return new TextEncoder().encode(String(value))
}
