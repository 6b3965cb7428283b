import { sameBytes } from '../../src/wire/bytes.ts'
import { EqualState } from '../invariants/equal-state.ts'
import type { Invariant } from '../invariants/invariant.ts'
import type { JoinedNetwork } from '../scenario.ts'
import type { Simulation } from '../simulation.ts'
import { type Agent, metadataOf } from './agent.ts'
import { TABLE, type Written } from './plan.ts'

export interface CoreOptions {
  readonly sim: Simulation
  readonly networks: readonly JoinedNetwork[]
  /** Names of the core. */
  readonly core: readonly string[]
  /** Applications that run, by node. */
  readonly agents: ReadonlyMap<string, Agent>
}

/**
 * In the end each of the core sees exactly the core as alive, and participants of a network hold what its owners of the core have claimed
 * and nothing else. Says more of the core than LiveNotFailed and CrashDetected do, which cannot hold for those that stay cut off from it.
 */
export class Convergence implements Invariant {
  readonly name = 'what has converged stays so'
  readonly #core: readonly string[]
  readonly #networks: readonly JoinedNetwork[]
  readonly #agents: ReadonlyMap<string, Agent>
  readonly #equalState: EqualState

  constructor({ sim, networks, core, agents }: CoreOptions) {
    this.#core = core
    this.#networks = networks
    this.#agents = agents
    this.#equalState = new EqualState(sim, networks, core)
  }

  get reached(): boolean {
    return this.atEnd().next().done === true
  }

  /** What the core does not agree on yet. */
  *atEnd(): Generator<string> {
    const agents: Agent[] = []
    for (const name of this.#core) {
      const agent = this.#agents.get(name)
      if (agent === undefined) yield `${name} does not run`
      else agents.push(agent)
    }
    for (const agent of agents) {
      if (!agent.settled) yield `${agent.name} has not joined all its networks`
      yield* this.#members(agent)
    }
    for (const { name } of this.#networks) yield* contents(name, agents)
    yield* this.#equalState.atEnd()
  }

  *#members({ name, cluster }: Agent): Generator<string> {
    for (const other of this.#core) {
      const metadata = this.#agents.get(other)?.metadata
      const member = cluster.member(other)
      if (member?.status !== 'alive') {
        yield `${name} takes ${other} of the core for ${member?.status ?? 'unknown'}`
      } else if (metadata !== undefined && !sameBytes(member.metadata, metadataOf(metadata))) {
        yield `${name} does not have the metadata ${metadata} of ${other}`
      }
    }
    for (const { name: other, status } of cluster.members()) {
      if (this.#core.includes(other) || status === 'failed' || status === 'left') continue
      yield `${name} takes ${other}, which is gone, for ${status}`
    }
    if (this.#core.length > 1 && cluster.isolated) yield `${name} takes itself for cut off`
  }
}

/** Where a participant's view of a network is not what the participants have claimed. */
function* contents(network: string, core: readonly Agent[]): Generator<string> {
  const claims = new Map<string, Map<string, number>>()
  const names: string[] = []
  for (const { name, sessions } of core) {
    const session = sessions.get(network)
    if (session === undefined) continue
    names.push(name)
    for (const [key, value] of session.own) claims.set(key, (claims.get(key) ?? new Map()).set(name, value))
  }
  for (const { name, sessions } of core) {
    const session = sessions.get(network)
    if (session === undefined) continue
    const at = `network "${network}" at ${name}`
    const participants = session.network.participants()
    if (!sameNames(participants, names)) yield `${at}: participants ${participants}, and not ${names}`
    const table = session.network.table<Written>(TABLE)
    for (const [key, { value, owner }] of table.entries()) {
      const claimed = claims.get(key)?.get(owner)
      if (claimed === value.value) continue
      yield `${at}: "${key}" is ${value.value} of ${owner}, who claims ${claimed ?? 'nothing'}`
    }
    for (const [key, claimants] of claims) {
      const seen = table.claims(key).filter(({ hidden }) => !hidden)
      const owners = seen.map(({ owner }) => owner)
      if (!sameNames(owners, [...claimants.keys()])) {
        yield `${at}: "${key}" is claimed by ${owners.join() || 'nobody'}, and not by ${[...claimants.keys()]}`
      }
    }
  }
}

function sameNames(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && [...some].sort().join() === [...others].sort().join()
}
