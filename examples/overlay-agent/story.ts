import type { MemberStatus } from '../../src/index.ts'
import { reachTool } from '../lab/reach.ts'
import type { AgentProcess } from './agent-process.ts'
import type { Narrator } from './narrator.ts'
import type { Stage, StageHost } from './stage.ts'

const PATIENCE_MS = 20_000
const LOOK_AGAIN_MS = 20

/**
 * Three agents meet, connect their containers, lose one of them and get it back. Each step waits for the
 * thing itself to be so, in the agents' own words and in the kernels, and rejects if it never is.
 */
export class Story {
  readonly #stage: Stage
  readonly #narrator: Narrator
  readonly #agents = new Map<StageHost, AgentProcess>()

  constructor(stage: Stage, narrator: Narrator) {
    this.#stage = stage
    this.#narrator = narrator
  }

  async tell(): Promise<void> {
    const [first, second, third] = this.#stage.hosts as [StageHost, StageHost, StageHost]
    this.#narrator.chapter('Three agents start. There is no server: each knows one other at most.')
    await this.#meet(first, [second, third])
    this.#narrator.chapter(
      'Each tells which container it has, and programs its own kernel to reach the others.',
    )
    await this.#connect(first)
    this.#narrator.chapter(
      'The agent on h3 is killed (SIGKILL). It tells nobody; the others have to find out.',
    )
    await this.#lose(third, [first, second])
    this.#narrator.chapter('The agent on h3 starts again: a new process under the old name.')
    await this.#regain(third, first)
    this.#narrator.chapter(
      'All agents are asked to stop. Each withdraws its entry, leaves, and removes its device.',
    )
    await Promise.all(this.#stage.hosts.map((host) => this.#agent(host).stop()))
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
    await this.#until('every agent knows every endpoint', () =>
      hosts.every((host) => this.#agent(host).endpoints.size === hosts.length),
    )
    this.#narrator.tell(`the table "endpoints", seen from ${viewer.name}:`, this.#endpoints(viewer))
    await this.#untilConnected()
    await this.#showKernel(viewer)
    for (const host of hosts) if (host !== viewer) await this.#reach(viewer, host)
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
      const counts = await Promise.all(survivors.map((host) => this.#rowsFor(host, victim)))
      return counts.every((count) => count === 0)
    })
    this.#narrator.tell(`its entry is withdrawn from their kernels, ${seconds(withdrawnMs)} later`)
    await this.#showKernel(viewer)
    await this.#reach(viewer, other)
    if (this.#stage.reach === undefined) return
    const isReached = (await this.#stage.reach(viewer, victim)) !== undefined
    if (isReached) throw new Error(`${victim.name} is still reached`)
    this.#narrator.tell(`${route(viewer, victim)}  no answer, as it should be`)
  }

  async #regain(host: StageHost, seed: StageHost): Promise<void> {
    await this.#start(host, seed)
    await this.#untilStatus(this.#stage.hosts, host, 'alive')
    this.#narrator.tell(`alive again for everyone; seen from ${seed.name}:`, this.#members(seed))
    await this.#untilConnected()
    await this.#showKernel(seed)
    await this.#reach(seed, host)
    await this.#reach(host, seed)
  }

  async #start(host: StageHost, seed?: StageHost): Promise<void> {
    const seedAddress = seed === undefined ? undefined : this.#agent(seed).address
    this.#agents.set(host, this.#stage.start(host, seedAddress))
    await this.#until(`${host.name} listens`, () => this.#agent(host).address !== undefined)
    this.#narrator.tell(`${host.name} listens on ${this.#agent(host).address}`)
  }

  async #reach(from: StageHost, to: StageHost): Promise<void> {
    if (this.#stage.reach === undefined) return
    const roundTripMs = await this.#stage.reach(from, to)
    this.#assertAlive()
    if (roundTripMs === undefined) throw new Error(`${route(from, to)} got no answer`)
    this.#narrator.tell(`${route(from, to)}  ${roundTripMs} ms`)
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
    const { hosts } = this.#stage
    return this.#until('every kernel leads to every other container', async () => {
      const pairs = hosts.flatMap((host) => hosts.map((target) => [host, target] as const))
      const others = pairs.filter(([host, target]) => host !== target)
      const counts = await Promise.all(others.map(([host, target]) => this.#rowsFor(host, target)))
      return counts.every((count) => count === 3)
    })
  }

  /** How many of the three rows that lead to another host's container are in a host's kernel. */
  async #rowsFor(host: StageHost, target: StageHost): Promise<number> {
    const { ip, mac } = target.container
    const rows = await this.#stage.rows(host)
    return rows.filter(
      (row) =>
        (row.table === 'fdb' && row.mac === mac && row.vtep === target.vtep) ||
        (row.table === 'port' && row.mac === mac) ||
        (row.table === 'neighbour' && row.ip === ip && row.mac === mac),
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

  #endpoints(viewer: StageHost): string[] {
    const entries = [...this.#agent(viewer).endpoints.values()]
    entries.sort((a, b) => (a.endpoint.ip < b.endpoint.ip ? -1 : 1))
    return entries.map(
      ({ endpoint, owner }) => `${endpoint.ip}  ${endpoint.mac}  at ${endpoint.vtep}  (${owner})`,
    )
  }
}

function route(from: StageHost, to: StageHost): string {
  return `${reachTool()} from ${from.container.ip} to ${to.container.ip}:`
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`
}
