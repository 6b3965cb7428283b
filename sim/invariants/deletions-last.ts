import type { Change } from '../../src/network-state/watch.ts'
import type { Simulation } from '../simulation.ts'
import { type Followed, valueHash } from './followed.ts'
import type { Invariant } from './invariant.ts'

/** Whether the workload lets an owner say a value again that it had given up: it takes part in the network anew. */
export type MayRepeat = (network: string, owner: string, value: unknown) => boolean

/** Values that are over, and in which life of their owner, by key and owner. */
type Over = Map<string, Map<number, number>>

/**
 * What its owner has deleted, or written over, never comes back at a node that had got past it. An owner that started anew may say again
 * what it had deleted: it knows of its former life only what others had heard. Rests on workloads that never write one value twice.
 */
export class DeletionsLast implements Invariant {
  readonly name = 'what its owner deleted never comes back'
  readonly #sim: Simulation
  readonly #mayRepeat: MayRepeat
  readonly #over = new WeakMap<Followed, Over>()

  constructor(sim: Simulation, mayRepeat: MayRepeat = () => false) {
    this.#sim = sim
    this.#mayRepeat = mayRepeat
  }

  *changed(followed: Followed, change: Change<unknown>): Generator<string> {
    if (change.type === 'synced') return
    const over = this.#overAt(followed)
    if (change.type === 'delete') {
      const { owner, value } = change.previous
      if (change.reason === 'deleted') this.#end(over, change.key, owner, value)
      return
    }
    const { key, owner, value, previous } = change
    const life = over.get(place(key, owner))?.get(valueHash(value))
    const back = life !== undefined && life === this.#life(owner)
    if (back && !this.#mayRepeat(followed.network.name, owner, value)) {
      yield `${owner} had deleted or replaced a value of "${key}", and it is back in ${followed.label} at ${this.#sim.now} ms`
    }
    if (previous !== undefined && previous.owner === owner) this.#end(over, key, owner, previous.value)
  }

  #end(over: Over, key: string, owner: string, value: unknown): void {
    const at = place(key, owner)
    let values = over.get(at)
    if (values === undefined) {
      values = new Map()
      over.set(at, values)
    }
    values.set(valueHash(value), this.#life(owner))
  }

  #life(owner: string): number {
    return this.#sim.world.knownHost(owner)?.boots ?? 0
  }

  #overAt(followed: Followed): Over {
    let over = this.#over.get(followed)
    if (over === undefined) {
      over = new Map()
      this.#over.set(followed, over)
    }
    return over
  }
}

function place(key: string, owner: string): string {
  return `${owner}\n${key}`
}
