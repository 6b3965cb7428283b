import type { Network } from '../../src/network-state/network.ts'
import { finish, mix, mixString } from '../../src/wire/mix.ts'
import type { JoinedNetwork } from '../scenario.ts'
import type { Simulation } from '../simulation.ts'
import { valueHash } from './followed.ts'
import type { Invariant } from './invariant.ts'

/**
 * After quiet, members of a network agree on its participants, on each key's winner and on all claims that can be seen. Claims of
 * owners that are gone are left out: who came after them never learns those. `nodes` says who has to agree; by default all that run.
 */
export class EqualState implements Invariant {
  readonly name = 'participants of a network hold equal tables'
  readonly #sim: Simulation
  readonly #networks: readonly JoinedNetwork[]
  readonly #nodes: readonly string[] | undefined

  constructor(sim: Simulation, networks: readonly JoinedNetwork[], nodes?: readonly string[]) {
    this.#sim = sim
    this.#networks = networks
    this.#nodes = nodes
  }

  *atEnd(): Generator<string> {
    const wanted = new Set(this.#nodes ?? this.#sim.nodes)
    for (const network of this.#networks) {
      const nodesByContent = new Map<string, string[]>()
      for (const [node, joined] of network.members) {
        if (!wanted.has(node)) continue
        const content = contentOf(joined, network.tables)
        nodesByContent.set(content, [...(nodesByContent.get(content) ?? []), node])
      }
      if (nodesByContent.size <= 1) continue
      const found = [...nodesByContent].map(
        ([content, nodes]) => `${content} at ${nodes.length} nodes, as ${nodes[0]}`,
      )
      yield `network "${network.name}" has different contents: ${found.join('; ')}`
    }
  }
}

function contentOf(network: Network, tables: readonly string[]): string {
  const participants = [...network.participants()].sort()
  const names = participants.reduce((state, name) => mixString(state, name), participants.length)
  const content = tables.map((table) => summary(network, table)).join()
  return `${participants.length} participants (${finish(names).toString(16)}), ${content}`
}

/** How many keys, and 64 bits of hash of winners and claims, in any order of the keys. */
function summary(network: Network, name: string): string {
  const table = network.table(name)
  let count = 0
  let low = 0
  let high = 0
  for (const [key, winner] of table.entries()) {
    let hash = mixString(mixString(0, key), winner.owner)
    hash = mix(hash, valueHash(winner.value))
    for (const { owner, value, hidden } of table.claims(key)) {
      if (!hidden) hash = mix(mixString(hash, owner), valueHash(value))
    }
    count++
    low = (low + finish(hash)) >>> 0
    high = (high + finish(mix(hash, 1))) >>> 0
  }
  return `${count} entries (${high.toString(16)}.${low.toString(16)})`
}
