import type { Runtime, Timer } from '../runtime/runtime.ts'
import { TokenBucket } from './token-bucket.ts'

/** When the rounds of an offer come, ms after it begins: with three peers a round, they leave hardly anybody out. */
const ROUNDS_MS = [10, 40, 100, 250]
/** Rounds of all offers of a node share this; what differs for other reasons is left to the slower ways. */
const ROUNDS_PER_SECOND = 4
const ROUNDS_BURST = 16

/**
 * Tells of state that is more than gossip carries well: a few peers at a time are told the digest, and whoever differs fetches
 * by stream what it lacks. It then offers in its turn, so that bulk spreads as an epidemic, and nobody connects in vain.
 */
export class Offers {
  readonly #runtime: Runtime
  readonly #tell: (domain: string) => void
  readonly #pending = new Map<string, { readonly round: number; readonly timer: Timer }>()
  readonly #budget = new TokenBucket(ROUNDS_PER_SECOND, ROUNDS_BURST)

  /** `tell` tells the digest of a domain to some random peers that share it. */
  constructor(runtime: Runtime, tell: (domain: string) => void) {
    this.#runtime = runtime
    this.#tell = tell
  }

  /**
   * Offers the state of a domain as it will be at each round; an offer that is under way begins anew. Beyond the budget there is none:
   * then gossip has to do.
   */
  begin(domain: string): void {
    if (this.#pending.get(domain)?.round === 0 || this.#budget.waitMs(this.#runtime.now()) > 0) return
    this.forget(domain)
    this.#arm(domain, 0)
  }

  /** Whether an offer is under way. */
  has(domain: string): boolean {
    return this.#pending.has(domain)
  }

  forget(domain: string): void {
    this.#pending.get(domain)?.timer.cancel()
    this.#pending.delete(domain)
  }

  stop(): void {
    for (const domain of [...this.#pending.keys()]) this.forget(domain)
  }

  #arm(domain: string, round: number): void {
    const sinceLastMs = ROUNDS_MS[round]! - (ROUNDS_MS[round - 1] ?? 0)
    const timer = this.#runtime.setTimer(sinceLastMs, () => {
      this.#pending.delete(domain)
      if (!this.#budget.take(this.#runtime.now())) return
      this.#tell(domain)
      if (round + 1 < ROUNDS_MS.length) this.#arm(domain, round + 1)
    })
    this.#pending.set(domain, { round, timer })
  }
}
