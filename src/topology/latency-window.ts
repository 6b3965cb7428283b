/** The median of a peer's last three round trips: one packet that met a queue says nothing about distance. */
export class LatencyWindow {
  #last: number | undefined
  #before: number | undefined

  /** Takes a round trip in; returns the median, of two the shorter, since delays only ever add. */
  add(roundTripMs: number): number {
    const last = this.#last
    const before = this.#before
    this.#before = last
    this.#last = roundTripMs
    if (last === undefined) return roundTripMs
    if (before === undefined) return Math.min(last, roundTripMs)
    const [low, high] = last < before ? [last, before] : [before, last]
    return Math.max(low, Math.min(high, roundTripMs))
  }
}
