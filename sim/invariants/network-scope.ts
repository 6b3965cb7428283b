import type { JoinedNetwork } from '../scenario.ts'
import type { Simulation } from '../simulation.ts'
import type { VirtualHost } from '../virtual-host.ts'
import type { Invariant } from './invariant.ts'

/**
 * Entries of a network reach only nodes that asked to join it. Each value of a network carries its marker, and everything that other
 * nodes are given by packet or stream is searched for it; with sealing on, nothing can be found.
 */
export class NetworkScope implements Invariant {
  readonly name = 'no node learns entries of a network that it did not join'
  readonly #sim: Simulation
  readonly #networks: readonly JoinedNetwork[]
  readonly #found = new Map<string, string>()

  constructor(sim: Simulation, networks: readonly JoinedNetwork[]) {
    this.#sim = sim
    this.#networks = networks
    const before = sim.world.tap
    sim.world.tap = (to, bytes) => {
      before?.(to, bytes)
      this.#look(to, bytes)
    }
  }

  during(): string[] {
    const found = [...this.#found.values()]
    this.#found.clear()
    return found
  }

  atEnd(): string[] {
    return this.during()
  }

  #look(to: VirtualHost, bytes: Uint8Array): void {
    for (const { name, marker, insiders } of this.#networks) {
      if (marker === undefined || insiders === undefined || insiders.has(to.name)) continue
      if (!contains(bytes, marker)) continue
      this.#found.set(
        `${to.name} ${name}`,
        `${to.name} was given an entry of "${name}" at ${this.#sim.now} ms`,
      )
    }
  }
}

function contains(bytes: Uint8Array, wanted: Uint8Array): boolean {
  for (let at = bytes.indexOf(wanted[0]!); at >= 0; at = bytes.indexOf(wanted[0]!, at + 1)) {
    let i = 1
    while (i < wanted.length && bytes[at + i] === wanted[i]) i++
    if (i === wanted.length) return true
  }
  return false
}
