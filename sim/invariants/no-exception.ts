import type { Simulation } from '../simulation.ts'
import type { Invariant } from './invariant.ts'

export class NoException implements Invariant {
  readonly name = 'no exception reaches the runtime'
  readonly #sim: Simulation
  #told = 0

  constructor(sim: Simulation) {
    this.#sim = sim
  }

  *during(): Generator<string> {
    const { faults } = this.#sim.world
    while (this.#told < faults.length) {
      const { node, atMs, error } = faults[this.#told++]!
      yield `${node} at ${atMs} ms: ${error instanceof Error ? error.stack : error}`
    }
  }

  *atEnd(): Generator<string> {
    yield* this.during()
  }
}
