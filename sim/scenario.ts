import type { Network } from '../src/network-state/network.ts'
import type { Observer } from './observer.ts'
import type { Random } from './random.ts'
import type { Report } from './report-json.ts'
import type { Simulation } from './simulation.ts'
import type { Traffic } from './traffic.ts'

/** A number that can be set with `--set`. */
export interface Parameter {
  readonly default: number
  readonly min: number
  readonly max: number
  readonly docs: string
}

/** A story that is told to a cluster of any size, and what is measured in it. */
export interface Scenario<Name extends string = string> {
  readonly name: string
  /** One sentence, for `--list`. */
  readonly docs: string
  /** What happens, and what is measured: a paragraph, for `--list`. */
  readonly page: string
  readonly parameters: Readonly<Record<Name, Parameter>>
  /** About how long the measured part lasts in virtual time, for a progress bar. */
  lastsMs?(set: Readonly<Record<Name, number>>): number
  run(context: Context<Name>): Promise<void>
}

/** What a scenario has to work with, and where it puts what it measured. */
export interface Context<Name extends string = string> {
  readonly sim: Simulation
  readonly observer: Observer
  /** How many nodes are asked for. */
  readonly nodes: number
  /** Virtual minutes asked for, if any: the least duration of the measured part. */
  readonly minutes: number | undefined
  /** A stream of its own for the scenario's choices. */
  readonly random: Random
  readonly set: Readonly<Record<Name, number>>
  /** Names one step of the story, for whoever watches. */
  progress(text: string): void
  readonly measured: Measured
  /** Networks that nodes have joined, and their tables, to be compared at the end. */
  readonly networks: JoinedNetwork[]
}

export interface JoinedNetwork {
  readonly name: string
  readonly tables: readonly string[]
  /** By node; those that left or crashed may stay in it until they join anew. */
  readonly members: Map<string, Network>
  /** Every node that ever asked to join. */
  readonly insiders?: ReadonlySet<string>
  /** What each value of this network begins with, and nothing else anywhere contains. */
  readonly marker?: Uint8Array
}

/** Filled in by scenarios; what is missing was not measured. */
export interface Measured {
  /** From the start of the last node until everyone knew everyone. */
  joinMs?: number
  /** One time for each thing that was to reach everyone. */
  convergenceMs?: number[]
  /** Whether false positives could have been seen. */
  falsePositives?: boolean
  /** What had been sent, and for how long nodes had run in all, when the part began whose traffic counts. */
  trafficFrom?: { readonly atMs: number; readonly total: Traffic; readonly ranMs: number }
  /** What was sent in so many ms from each crash on, and for how long nodes ran in them in all. */
  afterCrash?: { readonly windowMs: number; readonly sent: Traffic; readonly ranMs: number }
  /** How nodes with which something was the matter looked to the healthy ones. */
  impaired?: Report['impaired']
  /** What changes of keys cost, and what came of the load meanwhile. */
  rotation?: Report['rotation']
  /** What went wrong beyond the invariants that hold for every scenario. */
  readonly violations: string[]
}

/** Checks that each key is known and each value in bounds, and adds the defaults. Throws a sentence. */
export function resolveParameters<Name extends string>(
  scenario: Scenario<Name>,
  given: Readonly<Record<string, number>>,
): Record<Name, number> {
  const parameters: Readonly<Record<string, Parameter>> = scenario.parameters
  const known = Object.keys(parameters)
  for (const [name, value] of Object.entries(given)) {
    const parameter = parameters[name]
    if (parameter === undefined) {
      throw new Error(`scenario "${scenario.name}" has no parameter "${name}"; it has ${known.join(', ')}`)
    }
    if (!(value >= parameter.min && value <= parameter.max)) {
      throw new Error(`"${name}" must be a number from ${parameter.min} to ${parameter.max}`)
    }
  }
  const entries = known.map((name) => [name, given[name] ?? parameters[name]!.default])
  return Object.fromEntries(entries) as Record<Name, number>
}
