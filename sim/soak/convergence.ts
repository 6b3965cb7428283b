import { sameBytes } from '../../src/wire/bytes.ts'
import { type Agent, metadataOf } from './agent.ts'
import type { Written } from './follower.ts'
import { TABLE } from './plan.ts'

const MOST_NAMED = 6

/**
 * What the core does not agree on yet: each sees exactly the core as alive, and participants of a network hold what its owners
 * of the core have claimed and nothing else, with the same winners everywhere.
 */
export function disagreements(core: ReadonlyMap<string, Agent>): string[] {
  const found: string[] = []
  for (const agent of core.values()) {
    if (!agent.settled) found.push(`${agent.name} has not joined all its networks`)
    found.push(...membersOf(agent, core))
    if (found.length >= MOST_NAMED) return found
  }
  const networks = new Set([...core.values()].flatMap((agent) => [...agent.sessions.keys()]))
  for (const network of networks) found.push(...contentOf(network, core))
  return found.slice(0, MOST_NAMED)
}

function membersOf(agent: Agent, core: ReadonlyMap<string, Agent>): string[] {
  const found: string[] = []
  for (const [name, { metadata }] of core) {
    const member = agent.cluster.member(name)
    if (member?.status !== 'alive') {
      found.push(`${agent.name} takes ${name} of the core for ${member?.status ?? 'unknown'}`)
    } else if (metadata !== undefined && !sameBytes(member.metadata, metadataOf(metadata))) {
      found.push(`${agent.name} does not have the metadata ${metadata} of ${name}`)
    }
  }
  for (const { name, status } of agent.cluster.members()) {
    if (core.has(name) || status === 'failed' || status === 'left') continue
    found.push(`${agent.name} takes ${name}, which is gone, for ${status}`)
  }
  if (core.size > 1 && agent.cluster.isolated) found.push(`${agent.name} takes itself for cut off`)
  return found
}

function contentOf(network: string, core: ReadonlyMap<string, Agent>): string[] {
  const found: string[] = []
  const members = [...core.values()].filter((agent) => agent.sessions.has(network))
  const names = members.map(({ name }) => name).sort()
  const owners = new Map<string, string[]>()
  for (const { name, sessions } of members) {
    for (const key of sessions.get(network)!.own.keys()) owners.set(key, [...(owners.get(key) ?? []), name])
  }
  const winners = new Map<string, string>()
  for (const agent of members) {
    const session = agent.sessions.get(network)!
    const complain = (what: string): void => void found.push(`network "${network}" at ${agent.name}: ${what}`)
    const participants = session.network.participants()
    if (participants.join() !== names.join()) complain(`participants ${participants}, and not ${names}`)
    const table = session.network.table<Written>(TABLE)
    const entries = new Map(table.entries())
    for (const [key, { value, owner }] of entries) {
      const claimed = core.get(owner)?.sessions.get(network)?.own.get(key)
      if (claimed !== value.value) {
        complain(`"${key}" is ${value.value} of ${owner}, who claims ${claimed ?? 'nothing'}`)
      }
      const winner = winners.get(key) ?? owner
      winners.set(key, winner)
      if (winner !== owner) complain(`"${key}" is won by ${owner}, elsewhere by ${winner}`)
    }
    for (const [key, claimants] of owners) {
      const seen = table.claims(key).filter(({ hidden }) => !hidden)
      if (!entries.has(key)) complain(`"${key}" of ${claimants} is missing`)
      else if (
        seen
          .map(({ owner }) => owner)
          .sort()
          .join() !== [...claimants].sort().join()
      ) {
        complain(`"${key}" is claimed by ${seen.map(({ owner }) => owner)}, and not by ${claimants}`)
      }
    }
    if (found.length >= MOST_NAMED) break
  }
  return found
}
