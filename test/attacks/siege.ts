import { createSocket, type Socket } from 'node:dgram'
import { type Socket as Connection, connect } from 'node:net'
import { Cluster, type ClusterOptions, generateKey, type Table } from '../../src/index.ts'
import { parseAddress } from '../../src/runtime/address.ts'
import { until } from '../waiting.ts'
import { Tap } from './tap.ts'

/** Brisk probes that no scheduling delay of a busy machine turns into a suspicion. */
export const TIMING = {
  probeIntervalMs: 50,
  probeTimeoutMs: 800,
  indirectTimeoutMs: 4_000,
  gossipIntervalMs: 50,
  syncIntervalMs: 400,
  isolationTimeoutMs: 20_000,
  maxInboundStreams: 64,
} as const satisfies Partial<ClusterOptions>

const NETWORK = 'blue'
const TABLE = 't'
const EVENTS = [
  'member-up',
  'member-suspect',
  'member-failed',
  'member-left',
  'member-updated',
  'isolated',
] as const

export interface BesiegedNode {
  readonly cluster: Cluster
  readonly tap: Tap
  readonly table: Table<string>
}

export interface Attack {
  /** What the adversary does. */
  readonly name: string
  /** Causes under which the target counts it; none where it is to be taken and yet do nothing. */
  readonly causes: readonly string[]
  /** What comes of it where the target itself counts nothing. Default: it is taken as late or old, and nothing comes of it. */
  readonly elsewhere?: string
  /** Where not each attempt can be seen, as sockets lose what is too much: how many must be. */
  readonly least?: number
  /** For what takes its time: called long before all else. */
  begin?(siege: Siege): void
  /** Changes the cluster for it. */
  prepare?(siege: Siege): Promise<void>
  /** Resolves with how many attempts there were. */
  run(siege: Siege): Promise<number>
}

export interface Outcome {
  readonly attack: string
  readonly tried: number
  /** What the target has dropped, by cause. */
  readonly dropped: Readonly<Record<string, number>>
  /** Bytes that the adversary has put on the wire, and those that it was answered. */
  readonly said: number
  readonly heard: number
  /** Probes of all nodes meanwhile, and how many of them took help by others or by a stream. */
  readonly probes: { readonly sent: number; readonly helped: number }
  /** What was not as it was before, in words; empty if all is well. */
  readonly disturbed: readonly string[]
}

/** A small cluster on loopback sockets, all of its wires tapped, and an adversary without the key. */
export class Siege {
  readonly key: Uint8Array = generateKey()
  readonly label: string = 'besieged'
  readonly nodes: BesiegedNode[] = []
  readonly adversary: Adversary
  readonly #told: string[] = []
  readonly #guests: Cluster[] = []
  #round = 0

  static async begin(size = 3): Promise<Siege> {
    const siege = new Siege(await Adversary.begin())
    for (let i = 0; i < size; i++) await siege.start(`n${i}`)
    await until(() => siege.nodes.every(({ cluster }) => cluster.members().length === size))
    await siege.settle()
    return siege
  }

  private constructor(adversary: Adversary) {
    this.adversary = adversary
  }

  get target(): BesiegedNode {
    return this.nodes[0]!
  }

  get peer(): BesiegedNode {
    return this.nodes[1]!
  }

  /** A node of the cluster, from now on. */
  async start(name: string, bind = '127.0.0.1:0'): Promise<BesiegedNode> {
    const tap = new Tap()
    const seeds = this.nodes.map(({ cluster }) => cluster.self.address)
    const { key, label } = this
    const cluster = await Cluster.start({ name, bind, keys: [key], label, seeds, runtime: tap, ...TIMING })
    const table = (await cluster.joinNetwork(NETWORK)).table<string>(TABLE)
    table.set(name, 'here')
    for (const event of EVENTS) {
      const subject = (member?: { name: string }): string => `${name} was told ${event} ${member?.name ?? ''}`
      cluster.on(event, (member?: { name: string }) => this.#told.push(subject(member)))
    }
    const node = { cluster, tap, table }
    this.nodes.push(node)
    return node
  }

  /** A node that is none of the cluster's: other keys, another label, or none. */
  async guest(options: Partial<ClusterOptions>): Promise<Cluster> {
    const defaults = { name: 'guest', bind: '127.0.0.1:0', label: this.label, joinTimeoutMs: 1_000 }
    const guest = await Cluster.start({ ...defaults, ...TIMING, ...options })
    this.#guests.push(guest)
    return guest
  }

  /** Until all nodes have the same state, each has probed on, and nothing waits to be told. */
  async settle(): Promise<void> {
    const probes = this.nodes.map(({ cluster }) => cluster.metrics()['probe.direct']!)
    await until(() => {
      const quiet = this.nodes.every(({ cluster }, i) => {
        const metrics = cluster.metrics()
        const probed = metrics['probe.direct']! > (probes[i] ?? 0)
        return probed && metrics['members.queue'] === 0 && metrics['entries.queue'] === 0
      })
      return quiet && new Set(this.nodes.map((node) => sharedView(node))).size === 1
    })
  }

  /** The bytes of the latest stream that the peer opened to the target. */
  async recordedStream(): Promise<Uint8Array[]> {
    const { address } = this.target.cluster.self
    const find = (): Uint8Array[] | undefined =>
      this.peer.tap.streams.filter(({ to, chunks }) => to === address && chunks.length > 2).at(-1)?.chunks
    await until(() => find() !== undefined)
    return find()!
  }

  /** What the nodes were told of each other since this was last asked. */
  forgetTold(): string[] {
    return this.#told.splice(0)
  }

  /** Carries an attack out, and sees what has become of the cluster. */
  async suffer(attack: Attack): Promise<Outcome> {
    await attack.prepare?.(this)
    await this.settle()
    this.forgetTold()
    const before = this.nodes.map((node) => view(node))
    const dropsBefore = drops(this.target)
    const failedBefore = this.nodes.map(({ cluster }) => cluster.metrics()['probe.failed']!)
    const wire = this.#wire()

    const tried = await attack.run(this)
    const least = attack.causes.length === 0 ? 0 : (attack.least ?? tried)
    const dropped = (): Record<string, number> => difference(dropsBefore, drops(this.target))
    const noticed = (): number => attack.causes.reduce((sum, cause) => sum + (dropped()[cause] ?? 0), 0)
    const disturbed: string[] = []
    await until(() => noticed() >= least).catch(() => {
      disturbed.push(`${noticed()} of at least ${least} were noticed`)
    })
    await this.settle()

    disturbed.push(...this.forgetTold())
    this.nodes.forEach((node, i) => {
      const { name } = node.cluster.self
      if (view(node) !== before[i]) disturbed.push(`${name} sees ${view(node)} instead of ${before[i]}`)
      const failed = node.cluster.metrics()['probe.failed']! - failedBefore[i]!
      if (failed > 0) disturbed.push(`${failed} probes of ${name} failed`)
    })
    const { said, heard, sent, helped } = difference(wire, this.#wire())
    await this.#write().catch(() => disturbed.push('what was written afterwards did not reach everyone'))
    const probes = { sent: sent ?? 0, helped: helped ?? 0 }
    return {
      attack: attack.name,
      tried,
      dropped: dropped(),
      said: said ?? 0,
      heard: heard ?? 0,
      probes,
      disturbed,
    }
  }

  /** What the adversary has said and heard so far, and the probes of the nodes. */
  #wire(): Record<string, number> {
    const sum = (...names: string[]): number => {
      const each = this.nodes.flatMap(({ cluster }) => names.map((name) => cluster.metrics()[name]!))
      return each.reduce((total, count) => total + count, 0)
    }
    const injected = this.nodes.reduce((total, { tap }) => total + tap.injectedBytes, 0)
    return {
      said: this.adversary.said + injected,
      heard: this.adversary.heard,
      sent: sum('probe.sent'),
      helped: sum('probe.indirect', 'probe.stream'),
    }
  }

  async close(): Promise<void> {
    this.adversary.close()
    await Promise.all([
      ...this.nodes.map(({ cluster }) => cluster.close()),
      ...this.#guests.map((g) => g.close()),
    ])
  }

  async #write(): Promise<void> {
    const value = `round ${++this.#round}`
    this.peer.table.set('news', value)
    await until(() => this.nodes.every(({ table }) => table.get('news')?.value === value))
  }
}

/** Bytes on real sockets, from addresses of its own. */
export class Adversary {
  readonly #udp: Socket
  readonly #connections = new Set<Connection>()
  /** Bytes that it has sent, by packets and by streams. */
  said = 0
  /** Bytes that it was answered. */
  heard = 0

  static async begin(): Promise<Adversary> {
    const udp = createSocket('udp4')
    await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve))
    return new Adversary(udp)
  }

  private constructor(udp: Socket) {
    this.#udp = udp
    udp.on('message', (bytes) => {
      this.heard += bytes.length
    })
  }

  get address(): string {
    return `127.0.0.1:${this.#udp.address().port}`
  }

  send(packet: Uint8Array, to: string): void {
    this.said += packet.length
    this.#udp.send(packet, parseAddress(to).port, '127.0.0.1')
  }

  /** Connects and says something, piece by piece; tells what was answered and when the other side closes. */
  connect(to: string, pieces: readonly Uint8Array[] = []): Caller {
    const socket = connect(parseAddress(to).port, '127.0.0.1', () => {
      for (const piece of pieces) say(piece)
    })
    const say = (piece: Uint8Array): void => {
      this.said += piece.length
      socket.write(piece)
    }
    const caller: Caller = { heard: 0, closed: false, say }
    this.#connections.add(socket)
    socket.on('data', (bytes) => {
      caller.heard += bytes.length
      this.heard += bytes.length
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      caller.closed = true
      this.#connections.delete(socket)
    })
    return caller
  }

  /** Ends every connection that is still open. */
  hangUp(): void {
    for (const socket of this.#connections) socket.destroy()
  }

  close(): void {
    this.hangUp()
    this.#udp.close()
  }
}

export interface Caller {
  heard: number
  closed: boolean
  /** Says more. */
  say(piece: Uint8Array): void
}

function drops({ cluster }: BesiegedNode): Record<string, number> {
  const counts = Object.entries(cluster.metrics()).filter(([name]) => name.startsWith('dropped.'))
  return Object.fromEntries(counts.map(([name, count]) => [name.slice('dropped.'.length), count]))
}

function difference(before: Record<string, number>, after: Record<string, number>): Record<string, number> {
  const changed = Object.entries(after).filter(([name, count]) => count > before[name]!)
  return Object.fromEntries(changed.map(([name, count]) => [name, count - before[name]!]))
}

/** What a node knows and all nodes should agree on. */
function sharedView({ cluster, table }: BesiegedNode): string {
  const members = cluster.members().map((member) => ({ ...member, metadata: [...member.metadata] }))
  members.sort((a, b) => (a.name < b.name ? -1 : 1))
  const participants = cluster.network(NETWORK).participants()
  return JSON.stringify({ members, participants, entries: [...table.entries()].sort() })
}

/** With what can be seen of its inside: whatever a stranger could make it hold. */
function view(node: BesiegedNode): string {
  const metrics = node.cluster.metrics()
  const held = ['members.known', 'entries.parkedNow', 'entries.logs', 'dropped.malformed'].map(
    (name) => metrics[name],
  )
  return `${sharedView(node)} ${held}`
}
