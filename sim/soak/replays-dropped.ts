import { mixBytes } from '../../src/wire/mix.ts'
import type { Invariant } from '../invariants/invariant.ts'
import type { Simulation } from '../simulation.ts'
import type { VirtualHost } from '../virtual-host.ts'

/** What a sealed packet has at least: header, nonce and tag. */
const LEAST_SEALED = 40

interface Heard {
  /** The process that was given the packets. */
  readonly life: unknown
  readonly packets: Set<string>
  twice: number
}

/** Where packets are sealed, one that comes twice is dropped. Remembers every packet: for small worlds. */
export class ReplaysDropped implements Invariant {
  readonly name = 'a packet that comes twice is dropped'
  readonly #sim: Simulation
  readonly #heard = new Map<VirtualHost, Heard>()

  constructor(sim: Simulation) {
    this.#sim = sim
    const before = sim.world.tap
    sim.world.tap = (to, bytes) => {
      before?.(to, bytes)
      if (bytes.length >= LEAST_SEALED) this.#hear(to, bytes)
    }
  }

  *during(sample: readonly string[]): Generator<string> {
    for (const node of sample) {
      const host = this.#sim.world.host(node)
      const heard = this.#heard.get(host)
      if (heard === undefined || heard.life !== host.process) continue
      const metrics = this.#sim.cluster(node).metrics()
      // The key of one that comes late may have been rotated out.
      const dropped = (metrics['dropped.replayed'] ?? 0) + (metrics['dropped.unknown-key'] ?? 0)
      if (dropped < heard.twice) yield `${heard.twice} came twice to ${node}, which dropped ${dropped}`
    }
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
