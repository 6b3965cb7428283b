import type { Runtime, Timer } from '../runtime/runtime.ts'
import type { LocalHealth } from './local-health.ts'

/** How much longer something may still be waited for because this process itself stood still. */
export interface Grace {
  leftMs: number
}

/**
 * Timers whose end is a judgement about silence. They keep two rules:
 *
 * Awake clock: time in which this process stood still is nobody's silence, so it is added to the deadline, up to a bound. The
 * wait is lengthened, never begun anew: a detector that discards what a stall has tainted is blind on a busy host.
 *
 * Drain before judging: an answer that waits in the socket when the time is up counts.
 */
export class JudgingTimers {
  readonly #runtime: Runtime
  readonly #health: LocalHealth

  constructor(runtime: Runtime, health: LocalHealth) {
    this.#runtime = runtime
    this.#health = health
  }

  /** Calls back after so much time awake, `grace` permitting, and the reading of all that had arrived by then. */
  set(delayMs: number, grace: Grace, judge: () => void): Timer {
    return new JudgingTimer(this.#runtime, this.#health, delayMs, grace, judge)
  }
}

class JudgingTimer implements Timer {
  readonly #runtime: Runtime
  readonly #health: LocalHealth
  readonly #grace: Grace
  readonly #judge: () => void
  #timer: Timer
  #dueAt = 0
  /** The stall known when the wait, or its last extension, began. */
  #stalledMs = 0
  #cancelled = false

  constructor(runtime: Runtime, health: LocalHealth, delayMs: number, grace: Grace, judge: () => void) {
    this.#runtime = runtime
    this.#health = health
    this.#grace = grace
    this.#judge = judge
    this.#timer = this.#wait(delayMs)
  }

  cancel(): void {
    this.#cancelled = true
    this.#timer.cancel()
  }

  #wait(delayMs: number): Timer {
    this.#stalledMs = this.#health.stalledMs
    this.#dueAt = this.#runtime.now() + delayMs
    return this.#runtime.setTimer(delayMs, () => this.#due())
  }

  #due(): void {
    const now = this.#runtime.now()
    this.#health.noteLateness(now - this.#dueAt, now)
    const extensionMs = Math.min(this.#grace.leftMs, this.#health.stalledMs - this.#stalledMs)
    if (extensionMs > 0) {
      this.#grace.leftMs -= extensionMs
      this.#timer = this.#wait(extensionMs)
      return
    }
    this.#runtime.afterPendingIo(() => {
      if (!this.#cancelled) this.#judge()
    })
  }
}
