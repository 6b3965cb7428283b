import { type Distribution, round } from './measure.ts'

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
  /** What was sent in the measured part of the run, by payload. */
  readonly traffic: {
    readonly packetsPerNodePerSecond: number
    readonly bytesPerNodePerSecond: number
    readonly streamBytesPerNodePerSecond: number
    readonly streamsPerNodePerSecond: number
    /** In all, dropped by full buffers. */
    readonly packetsOverflowed: number
  } | null
  /** From the start of the last node until everyone knew everyone. */
  readonly join: { readonly everyoneMs: number | null }
  /** From each crash to the first survivor that held the node failed, and to the last. */
  readonly detection: {
    readonly crashes: number
    readonly firstMs: Distribution | null
    readonly everyoneMs: Distribution | null
  }
  /** Verdicts `failed` about nodes that ran, each observer counted; and all verdicts `suspect` about such. */
  readonly falsePositives: {
    readonly healthy: number
    readonly anomalous: number
    /** Distinct (subject, epoch, incarnation) of those verdicts: how often it went wrong, however many believed it. */
    readonly episodes: number
    readonly suspicions: number
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
