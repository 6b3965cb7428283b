import type { Profile } from '../../src/options.ts'
import type { FaultSchedule } from '../schedule.ts'

/** One thing that a node's application does. Values are numbers that no two operations of a plan share. */
export type Operation = { readonly at: number; readonly node: string } & (
  | { readonly kind: 'join' | 'part'; readonly network: string }
  | { readonly kind: 'set'; readonly network: string; readonly key: string; readonly value: number }
  | { readonly kind: 'delete'; readonly network: string; readonly key: string }
  | {
      readonly kind: 'replace-own'
      readonly network: string
      readonly entries: readonly (readonly [key: string, value: number])[]
    }
  /** Gives all entries up, then sets and deletes so many others: more than any memory of deletes holds. */
  | { readonly kind: 'churn'; readonly network: string; readonly count: number; readonly value: number }
  | { readonly kind: 'watch'; readonly network: string; readonly slow: boolean }
  | { readonly kind: 'metadata'; readonly value: number }
  | { readonly kind: 'leave' }
)

export interface SoakNetwork {
  readonly loss: number
  readonly duplication: number
  readonly reordering: number
  readonly corruption: number
  readonly streamBreaks: number
  readonly latencyMs: number
  readonly latencySigma: number
  readonly serviceMs: number
  /** Nodes lie in so many regions, round robin; what is between two of them adds `regionMs` one way. */
  readonly regions: number
  readonly regionMs: number
}

export interface SoakOptions {
  readonly profile: Profile
  readonly withdrawAfterMs: number
  readonly inheritMs: number
  readonly packetBytes: number
  readonly indirectProbes: number
}

/** Everything that one run of the soak does, as data: drawn from a seed, or shrunk from such a one. */
export interface SoakPlan {
  /** Of everything that the plan leaves to chance: latencies, losses, the nodes' own draws. */
  readonly seed: number
  readonly nodes: readonly string[]
  readonly networks: readonly string[]
  readonly network: SoakNetwork
  readonly options: SoakOptions
  /** With keys, so that the cryptography runs, too. */
  readonly sealed: boolean
  /** What an application does when its node has restarted: declares its entries anew, or nothing. */
  readonly declares: boolean
  readonly staggerMs: number
  /** Length of the first phase, in which faults strike and rules are checked. */
  readonly safetyMs: number
  readonly faults: FaultSchedule
  readonly operations: readonly Operation[]
  /** Nodes that are healed for the second phase, and must converge. */
  readonly core: readonly string[]
  /** Those of the others that run on, but are cut off from the core; the rest crashes. */
  readonly cut: readonly string[]
}

export const TABLE = 'peers'

/** Within which the core has to converge after the last fault. Detection, healing and syncs have to fit, several times over. */
export const LIVENESS_MS: Readonly<Record<Profile, number>> = {
  lan: 240_000,
  local: 180_000,
  vm: 240_000,
  wan: 900_000,
}

/** A value as applications of the soak write it. */
export interface Written {
  readonly value: number
  /** Number of the session, a node's taking part in a network, in which it was written. */
  readonly session: number
  /** Last, so that its marker ends the JSON. */
  readonly network: string
}

export function isWritten(value: unknown): value is Written {
  return typeof value === 'object' && value !== null && 'value' in value && 'session' in value
}

/** What each value of a network contains, and nothing else anywhere. */
export function markerOf(network: string): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ network }).slice(1))
}
