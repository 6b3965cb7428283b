import { type Distribution, round } from './measure.ts'

/** What nodes sent, by payload. */
export interface TrafficRates {
  readonly packetsPerNodePerSecond: number
  readonly bytesPerNodePerSecond: number
  readonly streamBytesPerNodePerSecond: number
  readonly streamsPerNodePerSecond: number
}

/** The result of a run. `null` is what the scenario does not measure. */
export interface Report {
  readonly scenario: string
  readonly nodes: number
  readonly seed: number
  readonly parameters: Readonly<Record<string, number>>
  readonly virtualMs: number
  readonly wallMs: number
  /** Virtual time by real time. */
  readonly speedup: number
  readonly peakRssMb: number
  /** The steps of the story: how long each took, virtual and real. */
  readonly steps: readonly { readonly name: string; readonly virtualMs: number; readonly wallMs: number }[]
  readonly events: number
  /** Equal for equal runs. */
  readonly traceHash: string
  /** What was sent in the measured part of the run. */
  readonly traffic:
    | (TrafficRates & {
        /** In all, dropped by full buffers. */
        readonly packetsOverflowed: number
      })
    | null
  /** What was sent in the first so many ms after each crash. */
  readonly trafficAfterCrash: (TrafficRates & { readonly windowMs: number }) | null
  /** From the start of the last node until everyone knew everyone. */
  readonly join: { readonly everyoneMs: number | null }
  /** From each crash to the first survivor that held the node failed, and to the last. */
  readonly detection: {
    readonly crashes: number
    readonly firstMs: Distribution | null
    readonly everyoneMs: Distribution | null
    /** From each crash to each survivor. */
    readonly pairsMs: Distribution | null
    /** The times behind `firstMs` and `everyoneMs`, in the order of the crashes; those not found are missing. */
    readonly eachFirstMs: readonly number[]
    readonly eachEveryoneMs: readonly number[]
  }
  /** Verdicts `failed` about nodes that ran, each observer counted; and all verdicts `suspect` about such. */
  readonly falsePositives: {
    readonly healthy: number
    readonly anomalous: number
    /** Distinct (subject, epoch, incarnation) of those verdicts: how often it went wrong, however many believed it. */
    readonly episodes: number
    readonly suspicions: number
  } | null
  /** How nodes with which something was the matter looked to the healthy ones while it was. */
  readonly impaired: {
    readonly nodes: number
    /** How many of them some healthy node held failed. */
    readonly declaredFailed: number
    /** Share of time for which one was out of a healthy node's view: not alive, not suspect. */
    readonly outOfView: number
    /** Share of pairs of a healthy and an impaired node in which that was so when it ended. */
    readonly outOfViewAtEnd: number
    /** How often one went out of a healthy node's view or came back, for each pair. */
    readonly changes: number
  } | null
  /** What a change of keys cost, per node and rotation, and what came of the load meanwhile. */
  readonly rotation: {
    /** From its beginning to 5 s after its end, the load included. */
    readonly packetsPerNode: number
    readonly bytesPerNode: number
    readonly streamsPerNode: number
    readonly streamBytesPerNode: number
    /** Packets and streams dropped for the sake of keys, in all. */
    readonly dropped: number
    /** Probes that no member answered by any way, in all. */
    readonly probesFailed: number
    /** Verdicts `suspect` meanwhile, between nodes with which nothing was the matter. */
    readonly suspected: number
    /** How long entries took to be at every node. */
    readonly entriesMs: Distribution | null
  } | null
  /** For each thing that was to reach everyone, the time until it had. */
  readonly convergence: { readonly everyoneMs: Distribution | null }
  /** Warnings of all nodes, by code. */
  readonly warnings: Readonly<Record<string, number>>
  readonly invariants: { readonly checked: number; readonly violations: readonly string[] }
}

/** Numbers to three decimals, two spaces of indentation, a newline at the end. */
export function reportJson(report: Report): string {
  return `${JSON.stringify(report, (_, value: unknown) => (typeof value === 'number' ? round(value) : value), 2)}\n`
}
