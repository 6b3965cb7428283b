import { HostGatewayAgent, type HostGatewayAgentOptions } from '../../../examples/host-gateway/agent.ts'
import type { AgentEvent } from '../../../examples/host-gateway/events.ts'
import { SubnetPool } from '../../../examples/host-gateway/pool.ts'
import { type Prefix, parsePrefix } from '../../../examples/host-gateway/prefix.ts'
import { Simulation } from '../../../sim/index.ts'
import { MemoryKernel, type RouteRow, routeRules } from '../../../src/agent/index.ts'

export function poolOf(range: string, subnetLength: number): SubnetPool {
  return new SubnetPool(parsePrefix(range) as Prefix, subnetLength)
}

/** A machine: what outlives its agent. */
export interface Machine {
  readonly name: string
  readonly gateway: string
  readonly kernel: MemoryKernel<RouteRow>
  /** What the state file would hold. */
  remembered: string | undefined
  /** What the application of the present process was told last. */
  subnet: string | undefined
  agent: HostGatewayAgent | undefined
  readonly events: AgentEvent[]
}

/** Host gateway agents in virtual time, with remembered kernels. */
export class Fleet {
  readonly sim: Simulation
  readonly pool: SubnetPool
  readonly machines = new Map<string, Machine>()
  /** Every telling of an application, in order. */
  readonly diary: { readonly host: string; readonly subnet: string | undefined }[] = []

  constructor(seed: number, pool: SubnetPool = poolOf('10.42.0.0/16', 24)) {
    this.sim = new Simulation({ seed })
    this.pool = pool
  }

  machine(name: string): Machine {
    const known = this.machines.get(name)
    if (known !== undefined) return known
    const gateway = `10.77.0.${this.machines.size + 1}`
    const kernel = new MemoryKernel(routeRules)
    const machine = {
      name,
      gateway,
      kernel,
      remembered: undefined,
      subnet: undefined,
      agent: undefined,
      events: [],
    }
    this.machines.set(name, machine)
    return machine
  }

  /** The machines whose agents run. */
  get running(): Machine[] {
    return this.sim.nodes.map((name) => this.machine(name))
  }

  isRunning(name: string): boolean {
    return this.sim.nodes.includes(name)
  }

  async start(name: string, changed: Partial<HostGatewayAgentOptions> = {}): Promise<void> {
    const machine = this.machine(name)
    const seeds = ['h1', 'h2', 'h3'].map((seed) => this.sim.address(seed))
    const cluster = await this.sim.start(name, { seeds })
    const process = this.sim.world.host(name).process
    if (process === undefined) throw new Error(`${name} does not run`)
    const route = { prefix: parsePrefix('10.77.0.0/24') as Prefix, via: undefined }
    const agent = HostGatewayAgent.start({
      cluster,
      network: 'host-gateway',
      pool: this.pool,
      gateway: machine.gateway,
      routes: machine.kernel,
      host: {
        links: async () => ({ addresses: [{ device: 'eth0', ip: machine.gateway }], routes: [route] }),
        problems: async () => [],
      },
      preferred: machine.remembered,
      onSubnet: (subnet) => {
        machine.subnet = subnet
        machine.remembered = subnet ?? machine.remembered
        this.diary.push({ host: name, subnet })
      },
      log: (event) => machine.events.push(event),
      clock: process,
      ...changed,
    })
    machine.agent = await this.sim.settled(agent)
  }

  /** All at once, as when a rack gets its power. */
  async startAll(names: readonly string[], changed: Partial<HostGatewayAgentOptions> = {}): Promise<void> {
    await Promise.all(names.map((name) => this.start(name, changed)))
  }

  /** Told to go down. */
  async stop(name: string): Promise<void> {
    await this.sim.settled(this.machine(name).agent?.down() ?? Promise.resolve())
    await this.sim.settled(this.sim.cluster(name).leave())
    this.kill(name)
  }

  crash(name: string): void {
    this.sim.crash(name)
    this.#down(name)
  }

  kill(name: string): void {
    this.sim.kill(name)
    this.#down(name)
  }

  /** Separates groups of hosts, those included that have not started yet. Returns what heals it. */
  partition(...groups: readonly (readonly string[])[]): () => void {
    for (const name of groups.flat()) this.sim.world.host(name)
    return this.sim.partition(...groups)
  }

  /** What is not as it should be after quiet; empty if all is well. */
  wrongs(): string[] {
    const wrongs: string[] = []
    const owners = new Map<string, string>()
    for (const { name, subnet } of this.running) {
      const rival = subnet === undefined ? undefined : owners.get(subnet)
      if (subnet === undefined) wrongs.push(`${name} has no subnet`)
      else if (!this.pool.has(subnet)) wrongs.push(`${name} has ${subnet}, which is none of the range`)
      else if (rival !== undefined) wrongs.push(`${name} and ${rival} have ${subnet}`)
      if (subnet !== undefined) owners.set(subnet, name)
    }
    for (const { name, kernel } of this.running) {
      const routes = kernel.rows().map(({ destination, via }) => `${destination} via ${via}`)
      const others = this.running.filter((other) => other.name !== name)
      const wanted = others.map(({ subnet, gateway }) => `${subnet} via ${gateway}`)
      if (routes.sort().join() !== wanted.sort().join()) {
        wrongs.push(`${name} routes ${routes.join(', ')} instead of ${wanted.join(', ')}`)
      }
    }
    return [...wrongs, ...this.sim.faults.map(({ node, error }) => `${node}: ${String(error)}`)]
  }

  /** Lets time pass until all is well. */
  async untilWell(withinMs = 60_000): Promise<void> {
    await this.sim
      .until(() => this.wrongs().length === 0, withinMs)
      .catch(() => {
        throw new Error(`after ${withinMs} ms: ${this.wrongs().join('; ')}`)
      })
  }

  #down(name: string): void {
    const machine = this.machine(name)
    machine.subnet = undefined
    machine.agent = undefined
  }
}

/** How often applications were told that they have lost their subnet. */
export function losses(fleet: Fleet): number {
  return fleet.diary.filter(({ subnet }) => subnet === undefined).length
}

export function hosts(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `h${index + 1}`)
}
