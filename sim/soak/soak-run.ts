import type { Cluster } from '../../src/cluster.ts'
import { loadSodium } from '../../src/security/sodium.ts'
import type { Followed, FollowedOptions } from '../invariants/followed.ts'
import { Invariants } from '../invariants.ts'
import type { NetworkOptions } from '../network.ts'
import { Observer } from '../observer.ts'
import { type AppliedStep, runSchedule } from '../schedule.ts'
import { type NodeOptions, Simulation } from '../simulation.ts'
import { Agent, type AgentHost, type SoakedNetwork } from './agent.ts'
import { Convergence } from './convergence.ts'
import { isWritten, LIVENESS_MS, markerOf, type Operation, type SoakPlan, TABLE } from './plan.ts'
import { ReplaysDropped } from './replays-dropped.ts'
import { SoakKeys } from './soak-keys.ts'
import { addMetrics, emptyTally, type Tally } from './sometimes.ts'
import { ValuesRise } from './values-rise.ts'

export interface SoakResult {
  readonly seed: number
  /** What was violated, if anything; the run ended there. */
  readonly violations: readonly string[]
  readonly phase: 'safety' | 'liveness'
  readonly virtualMs: number
  readonly events: number
  readonly traceHash: string
  /** From the last fault until the core agreed. */
  readonly convergenceMs: number | undefined
  readonly tally: Readonly<Tally>
}

const CHECK_EVERY_MS = 500
const OFF_BEAT_MS = 0.5
/** After the core has agreed it has to stay so. */
const QUIET_MS = 20_000
const MOST_NAMED = 8
/** From the last fault until somebody looks after keys that differ. */
const OPERATOR_MS = 60_000

/** Carries a plan out: faults and operations under the rules that always hold, then the convergence of the core. */
export async function runSoak(plan: SoakPlan): Promise<SoakResult> {
  if (plan.sealed) await loadSodium()
  return new SoakRun(plan).run()
}

/** Ends what still goes on when a rule was violated. */
const OVER = new Error('the run is over')

class SoakRun implements AgentHost {
  readonly declares: boolean
  readonly #plan: SoakPlan
  readonly #sim: Simulation
  readonly #observer: Observer
  readonly #networks: ReadonlyMap<string, SoakedNetwork>
  readonly #invariants: Invariants
  readonly #convergence: Convergence
  readonly #agents = new Map<string, Agent>()
  readonly #wanted = new Map<string, Map<string, ReadonlyMap<string, number>>>()
  readonly #violations: string[] = []
  readonly #tally = emptyTally()
  readonly #keys: SoakKeys | undefined
  #sessions = 0
  #phase: SoakResult['phase'] = 'safety'
  #convergenceMs: number | undefined

  constructor(plan: SoakPlan) {
    this.#plan = plan
    this.declares = plan.declares
    this.#sim = new Simulation({ seed: plan.seed, network: networkOf(plan) })
    this.#observer = new Observer(this.#sim, plan.nodes.length)
    this.#keys = plan.sealed ? new SoakKeys() : undefined
    this.#networks = new Map(plan.networks.map((name) => [name, unjoined(name)]))
    const networks = [...this.#networks.values()]
    this.#convergence = new Convergence({ sim: this.#sim, networks, core: plan.core, agents: this.#agents })
    this.#invariants = new Invariants(this.#sim, {
      observer: this.#observer,
      networks,
      networksAt: (node) => this.#agents.get(node)?.networks ?? networks.length,
      mayRepeat: (network, owner, value) => !this.#isCurrent(network, owner, value),
      own: [
        this.#convergence,
        new ValuesRise((network, owner, written) => this.#isCurrent(network, owner, written)),
        ...(plan.sealed ? [new ReplaysDropped(this.#sim)] : []),
      ],
    })
  }

  async run(): Promise<SoakResult> {
    await this.#safety()
    if (!this.#over) await this.#liveness()
    for (const name of [...this.#agents.keys()]) this.#stop(name)
    return {
      seed: this.#plan.seed,
      violations: this.#violations,
      phase: this.#phase,
      virtualMs: this.#sim.now,
      events: this.#sim.world.events,
      traceHash: this.#sim.traceHash,
      convergenceMs: this.#convergenceMs,
      tally: this.#tally,
    }
  }

  // What agents need.

  nextSession(): number {
    return ++this.#sessions
  }

  network(name: string): SoakedNetwork {
    return this.#networks.get(name)!
  }

  follow(options: FollowedOptions): Followed {
    return this.#invariants.follow(options)
  }

  wanted(node: string): Map<string, ReadonlyMap<string, number>> {
    let wanted = this.#wanted.get(node)
    if (wanted === undefined) {
      wanted = new Map()
      this.#wanted.set(node, wanted)
    }
    return wanted
  }

  violated(what: string): void {
    this.#violations.push(`${what} (at ${this.#sim.now.toFixed(0)} ms)`)
  }

  happened(what: 'inherited' | 'contested'): void {
    this.#tally[what]++
  }

  /** Whether an owner still is in the session in which it wrote a value. */
  #isCurrent(network: string, owner: string, value: unknown): boolean {
    return isWritten(value) && this.#agents.get(owner)?.sessions.get(network)?.number === value.session
  }

  // The first phase.

  get #over(): boolean {
    return this.#violations.length > 0
  }

  async #safety(): Promise<void> {
    const { nodes, staggerMs, safetyMs, faults } = this.#plan
    const starts: Promise<void>[] = []
    for (const name of nodes) {
      this.#sim.world.host(name)
      starts.push(this.#started(name))
      if (staggerMs > 0) await this.#sim.advance(staggerMs)
    }
    await Promise.all(starts)
    const began = this.#sim.now
    const striking = runSchedule(this.#sim, faults, {
      start: (name) => this.#start(name),
      stopped: (name) => this.#ended(name),
      applied: (step) => this.#applied(step),
      startFailed: (name, error) => this.violated(`a node can be started: ${name}: ${String(error)}`),
    })
    const working = this.#work()
    const watching = this.#watch(began + safetyMs)
    const outcomes = await Promise.allSettled([striking, working, watching])
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected' && outcome.reason !== OVER) throw outcome.reason
    }
  }

  /** Checks what must hold at any time, until a time. */
  async #watch(until: number): Promise<void> {
    // Never in the instant of an operation: what it changes is told after it.
    await this.#sim.advance(OFF_BEAT_MS)
    while (!this.#over && this.#sim.now < until) {
      await this.#sim.advance(CHECK_EVERY_MS)
      this.#check()
    }
  }

  #check(): void {
    if (this.#over) return
    this.#invariants.check()
    for (const what of this.#invariants.violations) this.violated(what)
  }

  async #work(): Promise<void> {
    const began = this.#sim.now
    for (const operation of this.#plan.operations) {
      const wait = began + operation.at - this.#sim.now
      if (wait > 0) await this.#sim.advance(wait)
      if (this.#over) return
      this.#perform(operation)
    }
  }

  #perform(operation: Operation): void {
    const agent = this.#agents.get(operation.node)
    if (agent === undefined) return
    try {
      if (operation.kind === 'leave') this.#leave(agent)
      else agent.perform(operation)
    } catch (error) {
      this.violated(`no operation fails: ${operation.kind} at ${operation.node}: ${String(error)}`)
    }
  }

  #leave(agent: Agent): void {
    this.#ended(agent.name)
    const { process } = this.#sim.world.host(agent.name)
    void agent.cluster.leave().then(() => {
      if (this.#sim.world.host(agent.name).process === process) this.#sim.kill(agent.name)
    })
  }

  #applied({ step, outcome }: AppliedStep): void {
    if (this.#over) throw OVER
    if (outcome === 'applied' && step.kind === 'restart') this.wanted(step.node)
  }

  // Nodes.

  async #started(name: string): Promise<void> {
    try {
      await this.#start(name)
    } catch (error) {
      this.violated(`a node can be started: ${name}: ${String(error)}`)
    }
  }

  async #start(name: string): Promise<void> {
    const { options, nodes } = this.#plan
    const node: NodeOptions = {
      ...options,
      seeds: nodes.filter((other) => other !== name).map((other) => this.#sim.address(other)),
      ...(this.#keys && { keys: this.#keys.of(name) }),
    }
    const cluster = await this.#sim.start(name, node)
    if (this.#sim.world.host(name).process === undefined) return
    this.#agents.set(name, new Agent(name, cluster, this))
    this.#observer.watch(name, cluster)
    this.#listen(name, cluster)
  }

  #listen(name: string, cluster: Cluster): void {
    const failed = new Map<string, number>()
    cluster.on('keyring', (keys) => this.#keys?.keep(name, keys))
    cluster.on('isolated', () => {
      this.#tally.isolated++
    })
    cluster.on('member-failed', (member) => {
      failed.set(member.name, member.epoch.nonce)
      if (this.#calm)
        this.violated(`where nothing fails, nobody is failed: ${name} says so of ${member.name}`)
    })
    cluster.on('member-up', (member) => {
      if (failed.get(member.name) === member.epoch.nonce) this.#tally.returned++
      failed.delete(member.name)
    })
  }

  get #lossy(): boolean {
    const { faults, network } = this.#plan
    return network.loss > 0 || faults.some(({ kind }) => kind === 'loss')
  }

  get #calm(): boolean {
    const { faults, network } = this.#plan
    return this.#phase === 'safety' && faults.length === 0 && network.loss === 0 && network.corruption === 0
  }

  /** A node has stopped, or is about to. */
  #ended(name: string): void {
    const agent = this.#agents.get(name)
    if (agent === undefined) return
    const metrics = agent.cluster.metrics()
    addMetrics(this.#tally, metrics)
    if (this.#lossy) this.#tally.rotatedInLoss += metrics['keys.rotations'] ?? 0
    agent.end()
    this.#observer.crashed(name)
    this.#agents.delete(name)
  }

  #stop(name: string): void {
    this.#ended(name)
    if (this.#sim.world.host(name).process !== undefined) this.#sim.crash(name)
  }

  // The second phase.

  async #liveness(): Promise<void> {
    this.#phase = 'liveness'
    await this.#healCore()
    const healedAt = this.#sim.now
    const { core, options } = this.#plan
    const held = core.some((one) =>
      core.some((other) => this.#agents.get(one)?.cluster.member(other)?.status === 'failed'),
    )
    const bound = LIVENESS_MS[options.profile]
    while (!this.#over && !this.#agreed && this.#sim.now < healedAt + bound) {
      await this.#letIn(this.#sim.now > healedAt + OPERATOR_MS)
      await this.#sim.advance(CHECK_EVERY_MS)
      this.#check()
    }
    if (this.#over) return
    for (const what of [...this.#disagreements()].slice(0, MOST_NAMED)) {
      this.violated(`the core converges within ${bound} ms: ${what}`)
    }
    if (this.#over) return
    this.#convergenceMs = this.#sim.now - healedAt
    if (held) this.#tally.partitionsHealed++
    await this.#watch(this.#sim.now + QUIET_MS)
    if (this.#over) return
    for (const what of this.#invariants.finish().violations) this.violated(what)
  }

  get #agreed(): boolean {
    return this.#disagreements().next().done === true
  }

  *#disagreements(): Generator<string> {
    yield* this.#convergence.atEnd()
    if (this.#keys !== undefined) yield* this.#keys.disagreements(this.#plan.core)
  }

  /**
   * An operator's part: who has missed a rotation is started anew with the present keys, and so, some time later, is who still seals with
   * another one, since all who knew of a rotation were restarted in the middle of it.
   */
  async #letIn(others: boolean): Promise<void> {
    const { core } = this.#plan
    for (const name of this.#keys?.strangers(core, others) ?? []) {
      this.#keys?.give(name, core)
      this.#stop(name)
      await this.#started(name)
    }
  }

  /** The core runs and hears each other well; the others crash, or run on behind a partition. */
  async #healCore(): Promise<void> {
    const { core, nodes, cut } = this.#plan
    const { network } = this.#sim.world
    network.loss = 0
    network.duplication = 0
    network.corruption = 0
    network.streamBreaks = 0
    this.#sim.heal()
    for (const name of nodes) this.#sim.setLoss(name, {})
    for (const name of nodes) if (!core.includes(name) && !cut.includes(name)) this.#stop(name)
    if (cut.length > 0) this.#sim.partition(core, cut)
    // Who is just leaving does so before it is started again.
    while (core.some((name) => !this.#agents.has(name) && this.#sim.world.host(name).process !== undefined)) {
      await this.#sim.advance(CHECK_EVERY_MS)
    }
    await Promise.all(core.filter((name) => !this.#agents.has(name)).map((name) => this.#started(name)))
    for (const { sessions } of this.#agents.values()) {
      for (const { followers } of sessions.values()) for (const follower of followers) follower.hurry()
    }
  }
}

function unjoined(name: string): SoakedNetwork {
  return { name, tables: [TABLE], members: new Map(), insiders: new Set(), marker: markerOf(name) }
}

function networkOf({ network, nodes }: SoakPlan): NetworkOptions {
  const { regions, regionMs, ...options } = network
  const region = new Map(nodes.map((node, i) => [node, i % regions]))
  return {
    ...options,
    ...(regions > 1 && {
      distanceMs: (from: string, to: string): number => (region.get(from) === region.get(to) ? 0 : regionMs),
    }),
  }
}
