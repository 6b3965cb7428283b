import type { Cluster } from '../src/cluster.ts'
import type { Change } from '../src/network-state/watch.ts'
import { QueuedCallback } from './event-queue.ts'
import { CrashDetected } from './invariants/crash-detected.ts'
import { DeletionsLast, type MayRepeat } from './invariants/deletions-last.ts'
import { EqualState } from './invariants/equal-state.ts'
import { EventsAgree } from './invariants/events-agree.ts'
import { Followed, type FollowedOptions } from './invariants/followed.ts'
import type { Invariant } from './invariants/invariant.ts'
import { LiveNotFailed } from './invariants/live-not-failed.ts'
import { NetworkScope } from './invariants/network-scope.ts'
import { NoException } from './invariants/no-exception.ts'
import { PrecedenceRises } from './invariants/precedence-rises.ts'
import { WatchReplays } from './invariants/watch-replays.ts'
import { WithinBounds } from './invariants/within-bounds.ts'
import type { Observer } from './observer.ts'
import type { JoinedNetwork } from './scenario.ts'
import type { Simulation } from './simulation.ts'

const CHECK_MS = 1000
const MOST_NAMED = 5
/** Nodes of each network whose tables are watched. */
const MOST_FOLLOWED = 3
/** Members looked at in each check; a check looks at one node at least. */
const MEMBERS_A_CHECK = 1024
const DETECTION_BOUND_MS = 120_000

export interface InvariantOptions {
  /** To be checked against what nodes show of members. */
  readonly observer?: Observer
  /** Live: networks that are joined later are checked, too. Default: none. */
  readonly networks?: readonly JoinedNetwork[]
  /** How long a crash may go unnoticed by a survivor with which nothing is the matter. Default 120,000. */
  readonly detectionBoundMs?: number
  /** How many networks a node is in, or is about to be in, at most. Default: all. */
  readonly networksAt?: (node: string) => number
  /** Default: only a node that was started anew may. */
  readonly mayRepeat?: MayRepeat
  /** The run's own rules, in place of those that hold only where every fault ends: who lives, who crashed, equal tables. */
  readonly own?: readonly Invariant[]
}

/**
 * What must hold in every run. `begin` has it checked each virtual second from then on, `finish` checks what must hold after quiet. Checks
 * change nothing: a run that is checked has the same trace as one that is not.
 */
export class Invariants {
  readonly #sim: Simulation
  readonly #networks: readonly JoinedNetwork[]
  readonly #invariants: readonly Invariant[]
  readonly #clusters = new Map<string, Cluster>()
  readonly #followed = new Set<Followed>()
  readonly #violations = new Map<string, string[]>()
  #next = 0
  #over = false

  constructor(sim: Simulation, options: InvariantOptions = {}) {
    const networks = options.networks ?? []
    this.#sim = sim
    this.#networks = networks
    this.#invariants = [
      ...(options.own ?? [
        new LiveNotFailed(sim),
        new CrashDetected(sim, options.detectionBoundMs ?? DETECTION_BOUND_MS),
        new EqualState(sim, networks),
      ]),
      new PrecedenceRises(sim),
      new DeletionsLast(sim, options.mayRepeat),
      new NetworkScope(sim, networks),
      new WithinBounds(sim, options.networksAt ?? (() => networks.length)),
      new WatchReplays(sim),
      new NoException(sim),
      ...(options.observer === undefined ? [] : [new EventsAgree(sim, options.observer)]),
    ]
  }

  /** Sentences about what was violated so far, a few for each invariant. */
  get violations(): string[] {
    return [...this.#violations].flatMap(([name, found]) => {
      const more = found.length - MOST_NAMED
      const named = found.slice(0, MOST_NAMED).map((violation) => `${name}: ${violation}`)
      return more > 0 ? [...named, `${name}: ... and ${more} more`] : named
    })
  }

  begin(): void {
    const { world } = this.#sim
    const settle = new QueuedCallback(() => {
      // By the time of the check watches have given all that they had to give.
      world.yieldWanted = true
      world.schedule(world.now, new QueuedCallback(() => this.#tick()))
    })
    world.schedule(world.now + CHECK_MS, settle)
  }

  /** Has one more watch checked, beside those of a few nodes. */
  follow(options: FollowedOptions): Followed {
    const followed = new Followed(options, this.#changed)
    this.#followed.add(followed)
    for (const invariant of this.#invariants) invariant.followed?.(followed)
    return followed
  }

  /** Checks what must hold at any time. */
  check(): void {
    this.#followNodes()
    this.#followTables()
    const sample = this.#sample()
    for (const invariant of this.#invariants) this.#note(invariant, invariant.during?.(sample))
  }

  /** Checks what must hold at any time and what must hold after quiet, for the last time. */
  finish(): { readonly checked: number; readonly violations: string[] } {
    this.check()
    for (const invariant of this.#invariants) this.#note(invariant, invariant.atEnd?.())
    this.#over = true
    for (const followed of this.#followed) followed.end()
    return { checked: this.#invariants.length, violations: this.violations }
  }

  #tick(): void {
    if (this.#over) return
    this.check()
    this.begin()
  }

  #note(invariant: Invariant, violations: Iterable<string> | undefined): void {
    for (const violation of violations ?? []) {
      const found = this.#violations.get(invariant.name)
      if (found === undefined) this.#violations.set(invariant.name, [violation])
      else found.push(violation)
    }
  }

  /** Finds who has started or stopped since the last check. */
  #followNodes(): void {
    const running = new Set(this.#sim.nodes)
    for (const [node, cluster] of this.#clusters) {
      if (running.has(node) && this.#sim.cluster(node) === cluster) continue
      this.#clusters.delete(node)
      for (const invariant of this.#invariants) invariant.stopped?.(node)
    }
    for (const node of running) {
      if (this.#clusters.has(node)) continue
      const cluster = this.#sim.cluster(node)
      this.#clusters.set(node, cluster)
      for (const invariant of this.#invariants) invariant.started?.(node, cluster)
    }
  }

  /** Watches the tables of a few nodes of each network, of others when those are gone. */
  #followTables(): void {
    for (const { name, tables, members } of this.#networks) {
      const here = [...this.#followed].filter(({ network }) => network.name === name)
      for (const followed of here) {
        if (members.get(followed.node) === followed.network && this.#clusters.has(followed.node)) continue
        followed.end()
        this.#followed.delete(followed)
      }
      const nodes = new Set(here.filter(({ ended }) => !ended).map(({ node }) => node))
      for (const [node, network] of members) {
        if (nodes.size >= MOST_FOLLOWED) break
        if (nodes.has(node) || !this.#clusters.has(node)) continue
        nodes.add(node)
        for (const table of tables) this.follow({ node, network, table })
      }
    }
  }

  readonly #changed = (followed: Followed, change: Change<unknown>): void => {
    for (const invariant of this.#invariants) this.#note(invariant, invariant.changed?.(followed, change))
  }

  /** Other nodes at each check, so that all of them get their turn. */
  #sample(): string[] {
    const { nodes } = this.#sim
    if (nodes.length === 0) return []
    const count = Math.min(nodes.length, Math.max(1, Math.floor(MEMBERS_A_CHECK / nodes.length)))
    const sample = Array.from({ length: count }, (_, i) => nodes[(this.#next + i) % nodes.length]!)
    this.#next = (this.#next + count) % nodes.length
    return sample
  }
}
