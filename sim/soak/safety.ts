import type { MemberSnapshot } from '../../src/events.ts'
import { compareEpochs } from '../../src/wire/epoch.ts'
import { mixBytes } from '../../src/wire/mix.ts'
import type { VirtualHost } from '../virtual-host.ts'
import type { VirtualWorld } from '../virtual-world.ts'
import type { Agent } from './agent.ts'

const MAX_QUEUED_ENTRIES = 16_384
/** What a sealed packet has at least: header, nonce and tag. */
const LEAST_SEALED = 40

/** What must hold at any moment, whatever the faults. Remembers what it saw of each life of a node. */
export class SafetyRules {
  readonly #world: VirtualWorld
  readonly #nodes: number
  #stored = new WeakMap<Agent, Map<string, MemberSnapshot>>()
  /** By host, of its present life: packets that came, and how many came twice. */
  readonly #heard = new Map<VirtualHost, { life: unknown; packets: Set<string>; twice: number }>()

  constructor(world: VirtualWorld, nodes: number) {
    this.#world = world
    this.#nodes = nodes
  }

  /** Counts the packets that come twice, for runs with keys. */
  tapReplays(): void {
    const before = this.#world.tap
    this.#world.tap = (to, bytes) => {
      before?.(to, bytes)
      if (bytes.length >= LEAST_SEALED) this.#hear(to, bytes)
    }
  }

  check(agents: Iterable<Agent>): string[] {
    const found = this.#world.faults.map(
      ({ node, atMs, error }) =>
        `no exception reaches the runtime: ${node} at ${atMs} ms: ${error instanceof Error ? error.stack : error}`,
    )
    for (const agent of agents) {
      found.push(...this.#precedence(agent), ...this.#bounds(agent), ...this.#replays(agent))
      const paused = this.#world.knownHost(agent.name)?.process?.paused ?? true
      for (const { followers } of agent.sessions.values()) {
        for (const follower of followers) {
          if (!paused) follower.compare()
          found.push(
            ...follower.violations.map((what) => `a watcher has exactly the table: ${agent.name}: ${what}`),
          )
        }
      }
    }
    return found
  }

  #precedence(agent: Agent): string[] {
    const found: string[] = []
    const before = this.#stored.get(agent)
    const now = new Map(agent.cluster.members().map((member) => [member.name, member]))
    for (const [name, member] of now) {
      const old = before?.get(name)
      if (old === undefined || rank(old, member) <= 0) continue
      found.push(
        `stored precedence never falls: ${agent.name} had ${precedence(old)} of ${name}, and now ${precedence(member)}`,
      )
    }
    this.#stored.set(agent, now)
    return found
  }

  #bounds(agent: Agent): string[] {
    const metrics = agent.cluster.metrics()
    const most: Readonly<Record<string, number>> = {
      'members.known': this.#nodes,
      'members.queue': this.#nodes,
      'entries.queue': MAX_QUEUED_ENTRIES,
      // Nobody holds a log of a network that it is not in, or is about to be in.
      'entries.logs': this.#nodes * (1 + agent.networks),
    }
    return Object.entries(most)
      .filter(([name, bound]) => (metrics[name] ?? 0) > bound)
      .map(
        ([name, bound]) =>
          `everything is bounded: ${name} is ${metrics[name]} at ${agent.name}, more than ${bound}`,
      )
  }

  #replays(agent: Agent): string[] {
    const host = this.#world.knownHost(agent.name)
    const heard = host && this.#heard.get(host)
    if (heard === undefined || heard.life !== host?.process) return []
    const dropped = agent.cluster.metrics()['dropped.replayed'] ?? 0
    if (dropped >= heard.twice) return []
    return [
      `a packet that comes twice is dropped: ${heard.twice} came twice to ${agent.name}, which dropped ${dropped}`,
    ]
  }

  #hear(to: VirtualHost, bytes: Uint8Array): void {
    let heard = this.#heard.get(to)
    if (heard === undefined || heard.life !== to.process) {
      heard = { life: to.process, packets: new Set(), twice: 0 }
      this.#heard.set(to, heard)
    }
    const name = `${mixBytes(1, bytes)}.${mixBytes(2, bytes)}.${bytes.length}`
    if (heard.packets.has(name)) heard.twice++
    else heard.packets.add(name)
  }
}

function rank(one: MemberSnapshot, other: MemberSnapshot): number {
  return (
    compareEpochs(one.epoch, other.epoch) ||
    one.incarnation - other.incarnation ||
    Number(one.status === 'left') - Number(other.status === 'left')
  )
}

function precedence({ epoch, incarnation, status }: MemberSnapshot): string {
  return `(${epoch.time}.${epoch.nonce}, ${incarnation}${status === 'left' ? ', left' : ''})`
}
