import type { Timer } from '../runtime/runtime.ts'
import { type Changes, difference, type Kernel } from './kernel.ts'
import { type Clock, nodeClock } from './node-clock.ts'

export interface ReconcilerOptions<Row> {
  readonly kernel: Kernel<Row>
  /** The rows that should be there; asked anew in each pass, so it is never out of date. */
  readonly desired: () => readonly Row[]
  /** Called after each pass that changed something or failed. */
  readonly onPass?: (pass: Pass) => void
  /** How often to compare when nothing asks for it. Default 10 s. */
  readonly auditIntervalMs?: number
  /**
   * The pause after a failed pass, doubled with each further one up to the maximum. Default 100 ms to 5 s.
   */
  readonly retryMinMs?: number
  readonly retryMaxMs?: number
  /** Where time comes from; default: this process. */
  readonly clock?: Clock
}

/** What one pass did. */
export interface Pass {
  readonly put: number
  readonly removed: number
  readonly durationMs: number
  /** Why the kernel is not as desired after this pass. Another one will follow. */
  readonly error?: Error
}

/** Totals since the start. */
export interface ReconcilerCounts {
  passes: number
  put: number
  removed: number
  failed: number
}

/**
 * Keeps a kernel equal to the desired state. It is level-triggered: each pass reads what is wanted and what
 * is there, applies the difference, and reads again to see that it took. Events only say when to look, so a
 * lost, doubled or reordered one does no harm, and neither does a row that somebody else changed.
 */
export class Reconciler<Row> {
  readonly counts: ReconcilerCounts = { passes: 0, put: 0, removed: 0, failed: 0 }
  readonly #options: Required<ReconcilerOptions<Row>>
  #timer: Timer | undefined
  #running: Promise<void> | undefined
  #wanted = false
  #settled = false
  #stopped = false
  #failuresInRow = 0

  constructor(options: ReconcilerOptions<Row>) {
    const defaults = {
      onPass: () => {},
      auditIntervalMs: 10_000,
      retryMinMs: 100,
      retryMaxMs: 5_000,
      clock: nodeClock,
    }
    this.#options = { ...defaults, ...options }
  }

  /** Whether the last finished pass left the kernel as desired, and nothing has asked for another since. */
  get settled(): boolean {
    return this.#settled
  }

  /** Asks for a pass. Calls during a pass are answered by one more; calls during a backoff by the retry. */
  trigger(): void {
    this.#wanted = true
    this.#settled = false
    if (this.#failuresInRow === 0) this.#start()
  }

  /** No pass runs once this has resolved. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    await this.#running
  }

  #start(): void {
    if (this.#stopped || this.#running !== undefined) return
    this.#timer?.cancel()
    this.#running = this.#runWhileWanted().finally(() => {
      this.#running = undefined
      this.#schedule()
    })
  }

  async #runWhileWanted(): Promise<void> {
    do {
      this.#wanted = false
      const pass = await this.#pass()
      this.#count(pass)
      if (pass.put + pass.removed > 0 || pass.error !== undefined) this.#options.onPass(pass)
    } while (this.#wanted && this.#failuresInRow === 0 && !this.#stopped)
  }

  #schedule(): void {
    if (this.#stopped) return
    const { auditIntervalMs, retryMinMs, retryMaxMs } = this.#options
    const retryMs = Math.min(retryMinMs * 2 ** (this.#failuresInRow - 1), retryMaxMs)
    const delayMs = this.#failuresInRow > 0 ? retryMs : auditIntervalMs
    this.#timer = this.#options.clock.setTimer(delayMs, () => this.#start())
  }

  async #pass(): Promise<Pass> {
    const { clock } = this.#options
    const startedAt = clock.now()
    const durationMs = (): number => clock.now() - startedAt
    let put = 0
    let removed = 0
    try {
      const changes = await this.#compare()
      if (isEmpty(changes)) return { put, removed, durationMs: durationMs() }
      put = changes.put.length
      removed = changes.remove.length
      let failure: unknown
      await this.#options.kernel.apply(changes).catch((error) => {
        failure = error
      })
      // An error may be about a row that is right by now, and success may have changed nothing: only this
      // tells.
      const left = await this.#compare()
      const leftCount = left.put.length + left.remove.length
      const mayHaveChangedItsMind = this.#wanted && failure === undefined
      if (leftCount === 0 || mayHaveChangedItsMind) return { put, removed, durationMs: durationMs() }
      const error = new Error(`${leftCount} rows are not as desired`, { cause: failure })
      return { put, removed, durationMs: durationMs(), error }
    } catch (error) {
      return { put, removed, durationMs: durationMs(), error: asError(error) }
    }
  }

  async #compare(): Promise<Changes<Row>> {
    const actual = await this.#options.kernel.dump()
    return difference(this.#options.kernel, this.#options.desired(), actual)
  }

  #count(pass: Pass): void {
    this.counts.passes++
    this.counts.put += pass.put
    this.counts.removed += pass.removed
    if (pass.error !== undefined) this.counts.failed++
    this.#failuresInRow = pass.error === undefined ? 0 : this.#failuresInRow + 1
    this.#settled = pass.error === undefined && !this.#wanted
  }
}

function isEmpty(changes: Changes<unknown>): boolean {
  return changes.put.length === 0 && changes.remove.length === 0
}

function asError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value))
}
