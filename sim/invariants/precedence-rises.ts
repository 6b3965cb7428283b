import type { Cluster } from '../../src/cluster.ts'
import type { MemberSnapshot } from '../../src/events.ts'
import { compareEpochs, type EpochId } from '../../src/wire/epoch.ts'
import type { Simulation } from '../simulation.ts'
import type { Invariant } from './invariant.ts'

interface Precedence {
  readonly epoch: EpochId
  readonly incarnation: number
  readonly left: boolean
}

/** What one node was last seen to hold of others, by their hosts' numbers. */
interface Held {
  readonly cluster: Cluster
  readonly precedences: (Precedence | undefined)[]
}

/**
 * Of one member a node never holds a lower (epoch, incarnation, left) than it did before. Every event about members is looked at, and
 * a sample of what nodes show of all of them.
 */
export class PrecedenceRises implements Invariant {
  readonly name = 'stored precedence never falls'
  readonly #sim: Simulation
  readonly #held = new Map<string, Held>()
  /** What any node was last seen to hold of each host: one object for all who hold the same. */
  readonly #latest: (Precedence | undefined)[] = []
  readonly #found: string[] = []

  constructor(sim: Simulation) {
    this.#sim = sim
  }

  started(node: string, cluster: Cluster): void {
    const held: Held = { cluster, precedences: [] }
    this.#held.set(node, held)
    const look = (member: MemberSnapshot): void => this.#look(node, held, member)
    cluster.on('member-up', look)
    cluster.on('member-suspect', look)
    cluster.on('member-failed', look)
    cluster.on('member-left', look)
    cluster.on('member-updated', look)
  }

  stopped(node: string): void {
    this.#held.delete(node)
  }

  during(sample: readonly string[]): string[] {
    for (const node of sample) {
      const held = this.#held.get(node)
      // While a process stands still, events wait that tell of what was before.
      if (held === undefined || this.#sim.world.knownHost(node)?.process?.paused) continue
      for (const member of held.cluster.members()) this.#look(node, held, member)
    }
    return this.#found.splice(0)
  }

  atEnd(): string[] {
    return this.#found.splice(0)
  }

  #look(node: string, held: Held, { name, epoch, incarnation, status }: MemberSnapshot): void {
    // One that is not running any more has nothing to say.
    if (this.#held.get(node) !== held) return
    const index = this.#sim.world.knownHost(name)?.index
    if (index === undefined) return
    const { precedences } = held
    // One after another: an array with large holes would become a slow one.
    while (precedences.length <= index) precedences.push(undefined)
    const seen = { epoch, incarnation, left: status === 'left' }
    const before = precedences[index]
    if (before !== undefined) {
      const order = compare(seen, before)
      if (order === 0) return
      if (order < 0) {
        const at = this.#sim.now
        this.#found.push(`${node} held ${name} at ${text(before)}, and at ${at} ms at ${text(seen)}`)
      }
    }
    precedences[index] = this.#shared(index, seen)
  }

  #shared(index: number, seen: Precedence): Precedence {
    const latest = this.#latest[index]
    if (latest !== undefined && compare(seen, latest) === 0) return latest
    this.#latest[index] = seen
    return seen
  }
}

function compare(a: Precedence, b: Precedence): number {
  return compareEpochs(a.epoch, b.epoch) || a.incarnation - b.incarnation || Number(a.left) - Number(b.left)
}

function text({ epoch, incarnation, left }: Precedence): string {
  return `(${epoch.time}.${epoch.nonce}, ${incarnation}${left ? ', left' : ''})`
}
