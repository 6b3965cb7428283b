import type { VirtualRuntime } from '../../sim/virtual-runtime.ts'
import { VirtualWorld } from '../../sim/virtual-world.ts'
import type { Transport } from '../../src/runtime/runtime.ts'

const PROBE_MS = 100
const TIMEOUT_MS = 50

/** A node that pings random others, waits for their acks, and cancels its timeouts: the traffic of a failure detector, without one. */
export class ToyNode {
  pings = 0
  acks = 0
  timeouts = 0
  readonly #runtime: VirtualRuntime
  readonly #peers: readonly string[]
  #transport: Transport | undefined

  constructor(runtime: VirtualRuntime, peers: readonly string[]) {
    this.#runtime = runtime
    this.#peers = peers
  }

  start(): void {
    const handlers = {
      onPacket: (packet: Uint8Array, from: string) => this.#receive(packet, from),
      onStream: () => undefined,
      onFault: () => {},
    }
    void this.#runtime.listen('0.0.0.0:7946', handlers).then((transport) => {
      this.#transport = transport
      this.#runtime.setTimer(this.#runtime.randomUint32() % PROBE_MS, this.#probe)
    })
  }

  readonly #probe = (): void => {
    this.#runtime.setTimer(PROBE_MS, this.#probe)
    const packet = new Uint8Array(40)
    packet[0] = 1
    this.pings++
    this.#transport!.send(this.#peers[this.#runtime.randomUint32() % this.#peers.length]!, packet)
    const timeout = this.#runtime.setTimer(TIMEOUT_MS, () => {
      this.timeouts++
    })
    this.#runtime.setTimer(TIMEOUT_MS / 2, () => timeout.cancel())
  }

  #receive(packet: Uint8Array, from: string): void {
    if (packet[0] === 1) {
      const ack = new Uint8Array(20)
      ack[0] = 2
      this.#transport!.send(from, ack)
    } else {
      this.acks++
    }
  }
}

/** A world of such nodes that ping each other. */
export function toyGossip(nodes: number, seed: number): { world: VirtualWorld; nodes: ToyNode[] } {
  const world = new VirtualWorld({ seed })
  const hosts = Array.from({ length: nodes }, (_, i) => world.host(`n${i}`))
  const peers = hosts.map((host) => `${host.ip}:7946`)
  const toys = hosts.map((host) => new ToyNode(host.boot(), peers))
  for (const toy of toys) toy.start()
  return { world, nodes: toys }
}
