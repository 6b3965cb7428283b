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
/** log(c + 1) / log(CONFIRMATIONS + 1) for fewer confirmations c: how much of the way from the longest to the shortest is gone. */
const PROGRESS = [0, 0.6309297535714574] as const

export interface SuspicionOptions {
  readonly probeIntervalMs: number
  /** Shortest suspicion, in probe intervals at up to ten members; grows with log10 n. */
  readonly suspicionMultiplier: number
  /** Longest suspicion, in shortest ones. */
  readonly suspicionMaxMultiplier: number
  /** Nobody is held failed before having been suspect for so long, whoever agrees. */
  readonly minSuspicionMs: number
  readonly probeTimeoutMs: number
  readonly indirectTimeoutMs: number
  readonly verifyTimeoutMs: number
  readonly isolationTimeoutMs: number
}

/** ms; what confirmed suspicions last on the slow path among `n` members. */
export function shortestSuspicionMs(options: SuspicionOptions, n: number): number {
  return options.suspicionMultiplier * Math.max(1, Math.log10(Math.max(1, n))) * options.probeIntervalMs
}

/** ms from the first accusation to the last check on the slow path, with `accusers` so far among `n` members. */
export function suspicionTimeoutMs(options: SuspicionOptions, n: number, accusers: number): number {
  const shortest = shortestSuspicionMs(options, n)
  if (n <= 2) return Math.max(options.minSuspicionMs, aloneTimeoutMs(options, shortest))
  const expected = Math.min(CONFIRMATIONS, n - 2)
  const longest = shortest * options.suspicionMaxMultiplier
  const confirmations = Math.max(0, accusers - 1)
  const progress = confirmations >= expected ? 1 : PROGRESS[confirmations]!
  return Math.max(options.minSuspicionMs, longest - (longest - shortest) * progress)
}

/**
 * Of two, nobody can confirm what the other sees, so waiting brings little: the last check ends after half the shortest time,
 * but not before a node would take itself for isolated.
 */
function aloneTimeoutMs(options: SuspicionOptions, shortestMs: number): number {
  const { probeTimeoutMs, indirectTimeoutMs, isolationTimeoutMs, verifyTimeoutMs } = options
  const isolatedMs = isolationTimeoutMs - probeTimeoutMs - indirectTimeoutMs
  return Math.max(0, Math.max(shortestMs / 2, isolatedMs) - verifyTimeoutMs)
}

/** A cluster that cries wolf waits longer: so much for each recent false alarm but the first, up to the shortest suspicion. */
const PER_FALSE_ALARM_MS = 500

/** ms that a member must have been suspect before even a quorum holds it failed. */
export function leastSuspicionMs(options: SuspicionOptions, n: number, falseAlarms: number): number {
  const caution = PER_FALSE_ALARM_MS * Math.max(0, falseAlarms - 1)
  return Math.max(options.minSuspicionMs, Math.min(shortestSuspicionMs(options, n), caution))
}
