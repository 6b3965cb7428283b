import { expect } from 'vitest'
import { OverlayAgent, type OverlayAgentOptions } from '../../../examples/overlay-agent/agent.ts'
import type { AgentEvent } from '../../../examples/overlay-agent/events.ts'
import { MemoryKernel } from '../../../src/agent/memory-kernel.ts'
import { type OverlayRow, overlayRules, slotOf } from '../../../src/agent/overlay-rows.ts'
import { Cluster } from '../../../src/index.ts'

export interface Host {
  readonly name: string
  readonly vtep: string
  readonly cluster: Cluster
  readonly agent: OverlayAgent
  /** What the agent has told. */
  readonly log: readonly AgentEvent[]
}

export interface HostOptions extends Partial<OverlayAgentOptions> {
  /** Default: the first agent that was started. */
  readonly seeds?: readonly string[]
}

/** Agents of hosts h1, h2 … on real sockets of loopback, with remembered kernels that outlive them. */
export class Agents {
  readonly #hosts: Host[] = []
  /** A host has the same address whenever it is started. */
  readonly #addresses = new Map<string, string>()
  readonly #kernels = new Map<string, MemoryKernel<OverlayRow>>()

  /** Host `h<number>`, whose VTEP is 10.77.0.<number>. */
  async start(number: number, options: HostOptions = {}): Promise<Host> {
    const name = `h${number}`
    const vtep = `10.77.0.${number}`
    const { seeds = this.#hosts.slice(0, 1).map(({ cluster }) => cluster.self.address), ...changed } = options
    const cluster = await Cluster.start({
      name,
      bind: this.#addresses.get(name) ?? '127.0.0.1:0',
      seeds,
      insecure: true,
      profile: 'local',
      joinTimeoutMs: 300,
    })
    this.#addresses.set(name, cluster.self.address)
    const log: AgentEvent[] = []
    const agent = new OverlayAgent({
      cluster,
      vtep,
      expectsOthers: seeds.length > 0,
      openDataPath: ({ device, bridge }) => ({
        device,
        bridge,
        kernel: this.kernel(name, device),
        mtu: async () => 1450,
      }),
      log: (event) => log.push(event),
      ...changed,
    })
    const host = { name, vtep, cluster, agent, log }
    this.#hosts.push(host)
    return host
  }

  kernel(host: string, device = 'vx42'): MemoryKernel<OverlayRow> {
    const key = `${host} ${device}`
    const kernel = this.#kernels.get(key) ?? new MemoryKernel(overlayRules)
    this.#kernels.set(key, kernel)
    return kernel
  }

  /** The rows of a host's kernel, in the order of their slots. */
  rows(host: string, device?: string): OverlayRow[] {
    return sorted(this.kernel(host, device).rows())
  }

  async close(): Promise<void> {
    await Promise.all(this.#hosts.splice(0).map(({ agent }) => agent.stop().catch(() => {})))
    this.#addresses.clear()
    this.#kernels.clear()
  }
}

/** As `expect.poll`, with patience for a machine that has other things to do. */
export function eventually<T>(look: () => T): ReturnType<typeof expect.poll<T>> {
  return expect.poll(look, { timeout: 20_000 })
}

/** What leads to an endpoint elsewhere. */
export function rowsTo(vtep: string, mac: string, ips: readonly string[]): OverlayRow[] {
  return sorted([
    { table: 'fdb', mac, vtep },
    { table: 'port', mac },
    ...ips.map((ip): OverlayRow => ({ table: 'neighbour', ip, mac })),
  ])
}

export function sorted(rows: readonly OverlayRow[]): OverlayRow[] {
  return [...rows].sort((a, b) => (slotOf(a) < slotOf(b) ? -1 : 1))
}
