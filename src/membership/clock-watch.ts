import type { Runtime } from '../runtime/runtime.ts'

/** Wall clock and monotonic clock part by so much when a machine was suspended, cloned or set back, or its clock was set. */
const JUMP_MS = 2_000

/**
 * Notices when this process has stood still, however it came about: a loop that was blocked shows in the monotonic clock, a
 * machine that was suspended or cloned only in the wall clock. The clocks are compared; neither is taken for true.
 */
export class ClockWatch {
  readonly #runtime: Runtime
  #now: number
  /** What the wall clock is ahead of the monotonic one. */
  #offset: number
  jumps = 0

  constructor(runtime: Runtime) {
    this.#runtime = runtime
    this.#now = runtime.now()
    this.#offset = runtime.wallClock() - this.#now
  }

  /** Whether this process has stood still for more than `ms` since the last check, or its wall clock has jumped. */
  stoodStill(ms: number): boolean {
    const now = this.#runtime.now()
    return now - this.#now > ms || Math.abs(this.#runtime.wallClock() - now - this.#offset) > JUMP_MS
  }

  /** To be called every `intervalMs`. How long this process has stood still since, ms; `jumpMs` by the wall clock alone. */
  check(intervalMs: number): { readonly stalledMs: number; readonly jumpMs: number } {
    const now = this.#runtime.now()
    const offset = this.#runtime.wallClock() - now
    const lateMs = Math.max(0, now - this.#now - intervalMs)
    const jumpMs = Math.abs(offset - this.#offset)
    this.#now = now
    this.#offset = offset
    // Lesser ones are the ordinary corrections of a clock.
    if (jumpMs <= JUMP_MS) return { stalledMs: lateMs, jumpMs: 0 }
    this.jumps++
    return { stalledMs: Math.max(lateMs, jumpMs), jumpMs }
  }
}
