import type { Cluster } from '../../src/cluster.ts'
import type { MemberSnapshot } from '../../src/events.ts'
import { compareEpochs, type EpochId } from '../../src/wire/epoch.ts'
import type { Simulation } from '../simulation.ts'
import type { Invariant } from './invariant.ts'

/** What one node was last seen to hold of others, by their hosts' numbers. */
class Held {
  readonly cluster: Cluster
  readonly epochs: (EpochId | undefined)[] = []
  readonly incarnations: number[] = []
  readonly left: boolean[] = []

  constructor(cluster: Cluster) {
    this.cluster = cluster
  }
}

/**
 * Of one member a node never holds a lower (epoch, incarnation, left) than it did before. Every event about members is looked at, and
 * a sample of what nodes show of all of them.
 */
export class PrecedenceRises implements Invariant {
  readonly name = 'stored precedence never falls'
  readonly #sim: Simulation
  readonly #held = new Map<string, Held>()
  readonly #found: string[] = []

  constructor(sim: Simulation) {
    this.#sim = sim
  }

  started(node: string, cluster: Cluster): void {
    const held = new Held(cluster)
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
    const before = held.epochs[index]
    const incarnationBefore = held.incarnations[index] ?? 0
    const leftBefore = held.left[index] ?? false
    const left = status === 'left'
    const order =
      before === undefined
        ? 1
        : compareEpochs(epoch, before) || incarnation - incarnationBefore || Number(left) - Number(leftBefore)
    if (order < 0) {
      this.#found.push(
        `${node} held ${name} at ${precedence(before!, incarnationBefore, leftBefore)}, ` +
          `and at ${this.#sim.now} ms at ${precedence(epoch, incarnation, left)}`,
      )
    }
    held.epochs[index] = epoch
    held.incarnations[index] = incarnation
    held.left[index] = left
  }
}

function precedence({ time, nonce }: EpochId, incarnation: number, left: boolean): string {
  return `(${time}.${nonce}, ${incarnation}${left ? ', left' : ''})`
}
