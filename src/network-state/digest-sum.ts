import type { Digest } from '../dissemination/sync-session.ts'
import { bucketOf, LOG_BUCKETS } from './log-buckets.ts'

/**
 * The sum of the hashes of the logs that count, as a whole and by buckets, kept at the cost of what has changed: of an owner that was
 * touched, the hash that is in the sum is taken out and the present one put in.
 */
export class DigestSum {
  readonly #hashOf: (owner: string) => Digest | undefined
  /** The hashes that are in the sum. */
  readonly #counted = new Map<string, Digest>()
  readonly #touched = new Set<string>()
  readonly #buckets = new Uint32Array(LOG_BUCKETS)
  #sum: Digest = { high: 0, low: 0 }

  /** `hashOf` gives the hash of an owner's log, nothing where there is none or it does not count. */
  constructor(hashOf: (owner: string) => Digest | undefined) {
    this.#hashOf = hashOf
  }

  /** An owner's log has changed, or whether it counts. */
  touch(owner: string): void {
    this.#touched.add(owner)
  }

  get value(): Digest {
    this.#settle()
    return this.#sum
  }

  /** For each bucket of owners the sum of the low halves alone. */
  get buckets(): Uint32Array {
    this.#settle()
    return this.#buckets.slice()
  }

  #settle(): void {
    if (this.#touched.size === 0) return
    let { high, low } = this.#sum
    for (const owner of this.#touched) {
      const before = this.#counted.get(owner)
      const hash = this.#hashOf(owner)
      // Zero counts for nothing, and most owners of a network have never written there.
      if (hash === undefined || (hash.high === 0 && hash.low === 0)) this.#counted.delete(owner)
      else this.#counted.set(owner, hash)
      high = (high - (before?.high ?? 0) + (hash?.high ?? 0)) >>> 0
      const change = (hash?.low ?? 0) - (before?.low ?? 0)
      low = (low + change) >>> 0
      this.#buckets[bucketOf(owner)]! += change
    }
    this.#touched.clear()
    this.#sum = { high, low }
  }
}
