import type { MemberStatus } from '../../src/index.ts'
import { reachTool } from '../lab/reach.ts'
import type { AgentProcess } from './agent-process.ts'
import type { Narrator } from './narrator.ts'
import type { Stage, StageContainer, StageHost } from './stage.ts'

const PATIENCE_MS = 20_000
const LOOK_AGAIN_MS = 20

/**
 * Three agents meet, connect their containers, follow one that moves, lose a host and get it back. Each
 * step waits for the thing itself to be so, in the agents' own words and in the kernels, and rejects if it
 * never is.
 */
export class Story {
  readonly #stage: Stage
  readonly #narrator: Narrator
  readonly #agents = new Map<StageHost, AgentProcess>()
  readonly #placeOf: Map<StageContainer, StageHost>

  constructor(stage: Stage, narrator: Narrator) {
    this.#stage = stage
    this.#narrator = narrator
    this.#placeOf = new Map(stage.hosts.map((host) => [host.container, host]))
  }

  async tell(): Promise<void> {
    const [first, second, third] = this.#stage.hosts as [StageHost, StageHost, StageHost]
    this.#narrator.chapter('Three agents start. There is no server: each knows one other at most.')
    await this.#meet(first, [second, third])
    this.#narrator.chapter(
      'Each is told to join a network and which container it has. All kernels are programmed to reach them.',
    )
    await this.#connect(first)
    this.#narrator.chapter(
      'The container of h2 moves to h3 with its addresses: attached there, detached here.',
    )
    await this.#move(second.container, third, first)
    await this.#move(second.container, second, first)
    this.#narrator.chapter(
      'The agent on h3 is killed (SIGKILL). It tells nobody; the others have to find out.',
    )
    await this.#lose(third, [first, second])
    this.#narrator.chapter(
      'The agent on h3 starts again under its old name, and finds its container in its state file.',
    )
    await this.#regain(third, first)
    this.#narrator.chapter('All agents go down. Each withdraws its entries, leaves, and removes its device.')
    await Promise.all(this.#stage.hosts.map((host) => this.#agent(host).down()))
    this.#narrator.tell('all have left in good order')
  }

  async #meet(first: StageHost, others: readonly StageHost[]): Promise<void> {
    await this.#start(first)
    await Promise.all(others.map((host) => this.#start(host, first)))
    for (const host of this.#stage.hosts) await this.#untilStatus(this.#stage.hosts, host, 'alive')
    this.#narrator.tell(
      `every agent knows every other; the members, seen from ${first.name}:`,
      this.#members(first),
    )
  }

  async #connect(viewer: StageHost): Promise<void> {
    const { hosts } = this.#stage
    await Promise.all(
      hosts.map(async (host) => {
        const { name, spec } = this.#stage.network(host)
        await this.#agent(host).client.join(name, spec)
        await this.#attach(host.container, host)
      }),
    )
    await this.#untilConnected()
    this.#narrator.tell(`the endpoints, seen from ${viewer.name}:`, await this.#endpoints(viewer))
    await this.#showKernel(viewer)
    for (const host of hosts) if (host !== viewer) await this.#reach(viewer.container, host.container)
  }

  async #move(container: StageContainer, target: StageHost, viewer: StageHost): Promise<void> {
    const former = this.#placeOf.get(container) as StageHost
    this.#stage.replug(container, target)
    const startedAt = performance.now()
    await this.#attach(container, target)
    this.#placeOf.set(container, target)
    await this.#untilConnected()
    const durationMs = Math.round(performance.now() - startedAt)
    const { name } = this.#stage.network(former)
    await this.#agent(former).client.detach(name, container.mac)
    await this.#untilConnected()
    this.#narrator.tell(
      `${container.ips[0]} moved from ${former.name} to ${target.name}; ${durationMs} ms later all kernels know`,
    )
    await this.#showKernel(viewer)
    await this.#reach(viewer.container, container)
  }

  async #lose(victim: StageHost, survivors: readonly StageHost[]): Promise<void> {
    const [viewer, other] = survivors as [StageHost, StageHost]
    await this.#agent(victim).crash()
    this.#narrator.tell('killed')
    const detectedMs = await this.#untilStatus(survivors, victim, 'failed')
    this.#narrator.tell(
      `the others agree that it failed, ${seconds(detectedMs)} after the kill; seen from ${viewer.name}:`,
      this.#members(viewer),
    )
    const withdrawnMs = await this.#until(`no kernel leads to ${victim.name}`, async () => {
      const counts = await Promise.all(survivors.map((host) => this.#rowsFor(host, victim.container)))
      return counts.every((count) => count === 0)
    })
    this.#narrator.tell(`its entries are withdrawn from their kernels, ${seconds(withdrawnMs)} later`)
    await this.#showKernel(viewer)
    await this.#reach(viewer.container, other.container)
    if (this.#stage.reach === undefined) return
    const ip = victim.container.ips[0] as string
    const isReached = (await this.#stage.reach(viewer.container, ip)) !== undefined
    if (isReached) throw new Error(`${victim.name} is still reached`)
    this.#narrator.tell(`${route(viewer.container, ip)}  no answer, as it should be`)
  }

  async #regain(host: StageHost, seed: StageHost): Promise<void> {
    await this.#start(host, seed)
    await this.#untilStatus(this.#stage.hosts, host, 'alive')
    this.#narrator.tell(`alive again for everyone; seen from ${seed.name}:`, this.#members(seed))
    await this.#untilConnected()
    await this.#showKernel(seed)
    await this.#reach(seed.container, host.container)
    await this.#reach(host.container, seed.container)
  }

  async #start(host: StageHost, seed?: StageHost): Promise<void> {
    const seedAddress = seed === undefined ? undefined : this.#agent(seed).address
    this.#agents.set(host, this.#stage.start(host, seedAddress))
    await this.#until(`${host.name} listens`, () => this.#agent(host).address !== undefined)
    this.#narrator.tell(`${host.name} listens on ${this.#agent(host).address}`)
  }

  async #attach({ mac, ips }: StageContainer, host: StageHost): Promise<void> {
    await this.#agent(host).client.attach(this.#stage.network(host).name, mac, ips)
  }

  /** By every address that it has. */
  async #reach(from: StageContainer, to: StageContainer): Promise<void> {
    if (this.#stage.reach === undefined) return
    for (const ip of to.ips) {
      const roundTripMs = await this.#stage.reach(from, ip)
      this.#assertAlive()
      if (roundTripMs === undefined) throw new Error(`${route(from, ip)} got no answer`)
      this.#narrator.tell(`${route(from, ip)}  ${roundTripMs} ms`)
    }
  }

  async #showKernel(host: StageHost): Promise<void> {
    for (const { title, lines } of await this.#stage.showKernel(host)) {
      this.#narrator.tell(`${host.name}: ${title}`, lines)
    }
  }

  #untilStatus(watchers: readonly StageHost[], subject: StageHost, status: MemberStatus): Promise<number> {
    return this.#until(`${subject.name} is ${status} for everyone`, () =>
      watchers.every((host) => this.#agent(host).members.get(subject.name)?.status === status),
    )
  }

  #untilConnected(): Promise<number> {
    return this.#until('every kernel leads to every container elsewhere, and to no other', async () => {
      const pairs = this.#stage.hosts.flatMap((host) =>
        [...this.#placeOf].map(async ([container, place]) => {
          const expected = place === host ? 0 : 2 + container.ips.length
          return (await this.#rowsFor(host, container, place)) === expected
        }),
      )
      return (await Promise.all(pairs)).every((isRight) => isRight)
    })
  }

  /**
   * How many of the rows that lead to a container are in a host's kernel: FDB, bridge, and one an address.
   */
  async #rowsFor(host: StageHost, { mac, ips }: StageContainer, place?: StageHost): Promise<number> {
    const rows = await this.#stage.rows(host)
    return rows.filter(
      (row) =>
        row.mac === mac &&
        ((row.table === 'fdb' && (place === undefined || place === host || row.vtep === place.vtep)) ||
          row.table === 'port' ||
          (row.table === 'neighbour' && ips.includes(row.ip))),
    ).length
  }

  /** Looks until something is so, and resolves with how long that took. */
  async #until(what: string, isSo: () => boolean | Promise<boolean>): Promise<number> {
    const startedAt = performance.now()
    while (!(await isSo())) {
      this.#assertAlive()
      if (performance.now() - startedAt > PATIENCE_MS) {
        const problems = [...this.#agents.values()].flatMap((agent) => agent.problems)
        throw new Error([`waited ${PATIENCE_MS / 1000} s in vain: ${what}`, ...problems].join('; '))
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
    }
    return performance.now() - startedAt
  }

  #assertAlive(): void {
    for (const agent of this.#agents.values()) agent.assertAlive()
  }

  #agent(host: StageHost): AgentProcess {
    const agent = this.#agents.get(host)
    if (agent === undefined) throw new Error(`${host.name} has no agent yet`)
    return agent
  }

  #members(viewer: StageHost): string[] {
    const members = [...this.#agent(viewer).members].sort(([a], [b]) => (a < b ? -1 : 1))
    return members.map(([name, { address, status }]) => `${name}  ${address.padEnd(17)}  ${status}`)
  }

  async #endpoints(viewer: StageHost): Promise<string[]> {
    const endpoints = [...(await this.#agent(viewer).client.endpoints())]
    endpoints.sort((a, b) => ((a.ip ?? '') < (b.ip ?? '') ? -1 : 1))
    return endpoints.map(({ ip = '', mac, vtep, owner }) => `${ip.padEnd(9)}  ${mac}  at ${vtep}  (${owner})`)
  }
}

function route(from: StageContainer, ip: string): string {
  return `${reachTool()} from ${from.ips[0]} to ${ip}:`
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`
}
