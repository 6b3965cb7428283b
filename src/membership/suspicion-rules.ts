/**
 * How many must agree, and how long to wait for them. The fast path is a quorum of hard accusers; the slow path is the
 * decaying timeout of Lifeguard (Dadgar, Phillips, Currey: "Lifeguard: Local Health Awareness for More Accurate
 * Failure Detection", 2018).
 */

/** Hard accusers needed to hold a member failed at once, of `n` members not failed, this node included. */
export function accusersNeeded(n: number): number {
  return Math.min(4, 1 + Math.floor((n - 1) / 2))
}

/** Members chosen to verify a suspicion. */
export const VERIFIERS = 6

/** Confirmations after which the slow path is as short as it gets. */
const CONFIRMATIONS = 2

export interface SuspicionOptions {
  readonly probeIntervalMs: number
  /** Shortest suspicion, in probe intervals at up to ten members; grows with log10 n. */
  readonly suspicionMultiplier: number
  /** Longest suspicion, in shortest ones. */
  readonly suspicionMaxMultiplier: number
}

/** ms from the first accusation to the verdict on the slow path, with `accusers` so far among `n` members. */
export function suspicionTimeoutMs(options: SuspicionOptions, n: number, accusers: number): number {
  const shortest =
    options.suspicionMultiplier * Math.max(1, Math.log10(Math.max(1, n))) * options.probeIntervalMs
  // Whoever has nobody to confirm gains nothing by waiting.
  const expected = Math.min(CONFIRMATIONS, n - 2)
  if (expected < 1) return shortest
  const longest = shortest * options.suspicionMaxMultiplier
  const confirmations = Math.max(0, accusers - 1)
  const decay = Math.log(confirmations + 1) / Math.log(expected + 1)
  return Math.max(shortest, longest - (longest - shortest) * decay)
}
