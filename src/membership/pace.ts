/** A member gone for this many times the first interval is contacted less often than at first. */
const STEADY = 120
/** The longest interval, in first ones. */
const MOST = 12
/** How long a node waits for its next turn, in first intervals: at least, however much there is to do, and at most. */
const SHORTEST_WAIT = 0.5
const LONGEST_WAIT = 120

/**
 * The interval, ms, at which all nodes that know of somebody missing contact it together, `missingMs` after it was missed: `firstMs`
 * for a while (at 5 s: ten minutes), then in step with the time gone by, up to twelve times the first (a minute, after two hours).
 */
export function backedOff(firstMs: number, missingMs: number): number {
  return Math.min(Math.max(firstMs, missingMs / STEADY), MOST * firstMs)
}

/**
 * One node's part of a common interval that `nodes` of them share, ms. Bounded on both sides: a single node does not do the
 * work of many, and perhaps no other one knows.
 */
export function shareOf(intervalMs: number, nodes: number, firstMs: number): number {
  return Math.min(Math.max(intervalMs * nodes, SHORTEST_WAIT * firstMs), LONGEST_WAIT * firstMs)
}

/** Takes turns at an interval that may change from one look to the next, from a phase of its own. */
export class Pace {
  /** Share of the present interval that has gone by. */
  #elapsed: number

  /** `phase` in [0, 1): how far into the first interval it begins. */
  constructor(phase: number) {
    this.#elapsed = phase
  }

  /** Another `ms` have gone by, at an interval of `intervalMs`: whether it is time. Turns missed are not made up for. */
  due(ms: number, intervalMs: number): boolean {
    this.#elapsed += ms / intervalMs
    if (this.#elapsed < 1) return false
    this.#elapsed %= 1
    return true
  }
}
