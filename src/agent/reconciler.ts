import type { Timer } from '../runtime/runtime.ts'
import { BelievedRows, type Wishes } from './believed-rows.ts'
import type { Kernel } from './kernel.ts'
import { type Clock, nodeClock } from './node-clock.ts'
import { backoffMs, drawChance, lessUpToAQuarter, Ration } from './pacing.ts'
import type { Pass, ReconcilerStatus } from './reconciler-status.ts'
import { Settling, stoppedError } from './settling.ts'
import { StubbornRows } from './stubborn-rows.ts'

export interface ReconcilerOptions<Row> {
  readonly kernel: Kernel<Row>
  /**
   * The rows that should be there; asked anew in each pass, so it is never out of date. Undefined: not known yet,
   * so nothing is touched.
   */
  readonly desired: () => readonly Row[] | undefined
  /** Called after each pass that changed something or failed. */
  readonly onPass?: (pass: Pass) => void
  /** The longest time between two looks at the kernel; up to a quarter less, by chance. Default 10 s. */
  readonly auditIntervalMs?: number
  /**
   * The pause after a failure, doubled with each further one up to the maximum. Default 100 ms to 5 s. Rows that
   * do not take wait each for itself; when the kernel cannot be read, everything waits.
   */
  readonly retryMinMs?: number
  readonly retryMaxMs?: number
  /** How many rows are applied at once; in between, newer wishes are heard. Default 10,000. */
  readonly batchRows?: number
  /** Where time and chance come from; default: this process. */
  readonly clock?: Clock
}

/** What was applied is verified so long afterwards; what is reported meanwhile is verified along with it. */
const VERIFY_AFTER_MS = 50
/** The share of the time for which the kernel may be read. */
const LOOK_SHARE = 1 / 5
/** The share of the time for which rows may be compared, which keeps this thread from all else. */
const COMPARE_SHARE = 1 / 3
const SLOTS_SHOWN = 20

/**
 * Keeps a kernel equal to the desired state. It is level-triggered: it compares what is wanted with what is there
 * and applies the difference. Events only say when to compare, so a lost, doubled or reordered one does no
 * harm, and neither does a row that somebody else changed.
 *
 * A change is applied at once, against what the kernel is believed to hold since the last look. The next look
 * follows soon after and is what counts: neither an error nor success says what is really there.
 */
export class Reconciler<Row> {
  readonly #options: Required<ReconcilerOptions<Row>>
  readonly #believed: BelievedRows<Row>
  readonly #stubborn: StubbornRows<Row>
  readonly #looking: Ration
  readonly #comparing: Ration
  readonly #settling = new Settling()
  readonly #counts = { passes: 0, looks: 0, put: 0, removed: 0, failed: 0, drift: 0, tampered: 0 }
  /** When the kernel is to be looked at, if that is not too soon after the last look. */
  #lookAt = Number.POSITIVE_INFINITY
  /** Whether what is believed is what the last look showed, and nothing has happened since. */
  #verified = false
  #wanted = false
  #settled = false
  #applying = false
  #stopped = false
  #failuresInRow = 0
  #pausedUntil = Number.NEGATIVE_INFINITY
  #lookedAt: number | undefined
  #passStartedAt: number | undefined
  #lastPassMs = 0
  #desiredCount: number | undefined
  #applyError: unknown
  #lastError: Error | undefined
  #unwatch: (() => void) | undefined
  #timer: Timer | undefined
  #running: Promise<void> | undefined

  constructor(options: ReconcilerOptions<Row>) {
    const defaults = {
      onPass: () => {},
      auditIntervalMs: 10_000,
      retryMinMs: 100,
      retryMaxMs: 5_000,
      batchRows: 10_000,
      clock: nodeClock,
    }
    this.#options = { ...defaults, ...options }
    this.#believed = new BelievedRows(options.kernel)
    this.#stubborn = new StubbornRows(options.kernel, this.#backoff)
    this.#looking = new Ration(LOOK_SHARE, this.#options.auditIntervalMs)
    this.#comparing = new Ration(COMPARE_SHARE, this.#options.auditIntervalMs)
  }

  /** Whether the last look at the kernel showed it as desired, and nothing has asked for another since. */
  get settled(): boolean {
    return this.#settled
  }

  /** Resolves once `settled`. Rejects with the reason of the signal, or with `ERR_CLOSED` when it is stopped. */
  async whenSettled({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.#stopped) throw stoppedError()
    if (!this.#settled) await this.#settling.wait(signal)
  }

  status(): ReconcilerStatus {
    const now = this.#options.clock.now()
    return {
      settled: this.#settled,
      desired: this.#desiredCount,
      actual: this.#believed.size,
      stubborn: this.#stubborn.size,
      wrong: this.#stubborn.slots(SLOTS_SHOWN),
      ...this.#counts,
      lastPassMs: this.#lastPassMs,
      lastLookMs: this.#looking.lastMs,
      sinceLookMs: this.#lookedAt === undefined ? undefined : now - this.#lookedAt,
      runningMs: this.#passStartedAt === undefined ? undefined : now - this.#passStartedAt,
      lastError: this.#lastError,
    }
  }

  /**
   * Says that what is desired may have changed. The first call starts it all: nothing is touched before. Cheap, and
   * to be called rather too often: calls during a pass are answered by one more.
   */
  trigger(): void {
    if (this.#stopped) return
    this.#wanted = true
    this.#settled = false
    this.#unwatch ??= this.#options.kernel.watch?.(() => this.#onDrift()) ?? (() => {})
    if (!this.#believed.known) this.#lookBy(this.#options.clock.now())
    this.#wake()
  }

  /** No pass runs once this has resolved. Leaves the rows where they are. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#unwatch?.()
    this.#timer?.cancel()
    this.#settling.stopped()
    await this.#running
  }

  #onDrift(): void {
    if (this.#stopped) return
    this.#counts.drift++
    // A look follows every change of our own, which most likely caused the report.
    if (this.#applying) return
    this.#verified = false
    this.#settled = false
    this.#lookBy(this.#options.clock.now() + VERIFY_AFTER_MS)
    this.#wake()
  }

  #lookBy(atMs: number): void {
    this.#lookAt = Math.min(this.#lookAt, atMs)
  }

  get #backoff(): { minMs: number; maxMs: number } {
    return { minMs: this.#options.retryMinMs, maxMs: this.#options.retryMaxMs }
  }

  get #lookDueAt(): number {
    return Math.max(this.#lookAt, this.#looking.freeAt)
  }

  get #passDueAt(): number {
    const changeAt = this.#wanted ? Number.NEGATIVE_INFINITY : this.#stubborn.nextRetryAt
    const dueAt = this.#believed.known ? Math.min(this.#lookDueAt, changeAt) : this.#lookDueAt
    return Math.max(dueAt, this.#comparing.freeAt, this.#pausedUntil)
  }

  #wake(): void {
    if (this.#running === undefined) this.#schedule()
  }

  #schedule(): void {
    this.#timer?.cancel()
    const waitMs = this.#passDueAt - this.#options.clock.now()
    if (waitMs <= 0) this.#start()
    else if (waitMs < Number.POSITIVE_INFINITY)
      this.#timer = this.#options.clock.setTimer(waitMs, () => this.#wake())
  }

  #start(): void {
    this.#running = this.#runWhileDue().finally(() => {
      this.#running = undefined
      if (!this.#stopped) this.#schedule()
    })
  }

  async #runWhileDue(): Promise<void> {
    // What is asked for in the same breath is answered by one pass.
    await Promise.resolve()
    while (!this.#stopped && this.#passDueAt <= this.#options.clock.now()) await this.#pass()
  }

  async #pass(): Promise<void> {
    const { clock } = this.#options
    const startedAt = clock.now()
    const { put, removed } = this.#counts
    this.#passStartedAt = startedAt
    let error: Error | undefined
    try {
      const looked = this.#lookDueAt <= startedAt && (await this.#look(startedAt))
      error = await this.#compareAndApply(looked)
      this.#failuresInRow = 0
    } catch (cause) {
      error = asError(cause)
      this.#pause()
    }
    this.#passStartedAt = undefined
    this.#lastPassMs = clock.now() - startedAt
    this.#tell({
      put: this.#counts.put - put,
      removed: this.#counts.removed - removed,
      durationMs: this.#lastPassMs,
      ...(error && { error }),
    })
  }

  /** Reads what is there, but not before it is known what should be: reading prepares the tables. */
  async #look(startedAt: number): Promise<boolean> {
    const { clock, kernel, desired, auditIntervalMs } = this.#options
    this.#lookAt = startedAt + lessUpToAQuarter(auditIntervalMs, drawChance(clock))
    if (desired() === undefined) return false
    // What is reported from now on may be missing in the dump.
    this.#verified = true
    this.#counts.looks++
    try {
      this.#counts.tampered += this.#believed.learn(await kernel.dump())
      this.#lookedAt = clock.now()
      return true
    } finally {
      this.#looking.spent(startedAt, clock.now())
    }
  }

  /** Returns what is wrong, as far as a look has just shown it. */
  async #compareAndApply(looked: boolean): Promise<Error | undefined> {
    const { clock, desired, batchRows } = this.#options
    const startedAt = clock.now()
    this.#wanted = false
    const rows = desired()
    this.#desiredCount = rows?.length
    if (rows === undefined) this.#believed.forget()
    if (rows === undefined || !this.#believed.known || this.#stopped) return undefined
    const wishes = this.#believed.wishes(rows)
    const now = clock.now()
    this.#comparing.spent(startedAt, now)
    const error = looked ? this.#judge(wishes, now) : undefined
    const chosen = this.#stubborn.select(wishes, now, batchRows)
    // There may be more than fits.
    if (chosen.size === batchRows) this.#wanted = true
    if (chosen.size > 0) await this.#apply(chosen)
    else this.#settled = wishes.size === 0 && this.#verified && !this.#wanted
    return error
  }

  #judge(wishes: Wishes<Row>, now: number): Error | undefined {
    const failed = this.#stubborn.judge(wishes, this.#believed.tried, now, drawChance(this.#options.clock))
    this.#believed.judged()
    const cause = this.#applyError
    this.#applyError = undefined
    if (this.#stubborn.size === 0) this.#lastError = undefined
    if (failed === 0) return undefined
    const rows = this.#stubborn.size === 1 ? 'row is' : 'rows are'
    const message = `${this.#stubborn.size} ${rows} not as desired: ${this.#stubborn.slots(3).join(', ')}`
    return new Error(message, cause === undefined ? {} : { cause })
  }

  async #apply(wishes: Wishes<Row>): Promise<void> {
    const { clock, kernel } = this.#options
    const changes = this.#believed.changes(wishes)
    this.#counts.put += changes.put.length
    this.#counts.removed += changes.remove.length
    this.#believed.trying(wishes)
    this.#applying = true
    try {
      await kernel.apply(changes)
      this.#believed.amend(wishes)
      this.#lookBy(clock.now() + VERIFY_AFTER_MS)
    } catch (error) {
      this.#applyError = error
      this.#believed.forget()
      this.#lookBy(clock.now())
    } finally {
      this.#applying = false
      this.#verified = false
    }
  }

  /** Nothing is believed, and nothing done for a while. */
  #pause(): void {
    const { clock } = this.#options
    const now = clock.now()
    this.#failuresInRow++
    this.#pausedUntil = now + backoffMs(this.#backoff, this.#failuresInRow, drawChance(clock))
    this.#believed.forget()
    this.#verified = false
    this.#lookBy(now)
  }

  #tell(pass: Pass): void {
    this.#counts.passes++
    if (pass.error !== undefined) {
      this.#counts.failed++
      this.#lastError = pass.error
    }
    if (this.#settled) this.#settling.settled()
    if (pass.put + pass.removed === 0 && pass.error === undefined) return
    try {
      this.#options.onPass(pass)
    } catch (error) {
      // Of a listener that throws only this is seen: the kernel matters more.
      this.#lastError = asError(error)
    }
  }
}

function asError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value))
}
