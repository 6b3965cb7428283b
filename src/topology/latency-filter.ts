import { RecentMap } from './recent-map.ts'

/** Round trips remembered of each peer. */
const WINDOW = 3

/** The median of a peer's last round trips: one packet that met a queue says nothing about distance. */
export class LatencyFilter {
  readonly #recent: RecentMap<readonly number[]>

  constructor(mostPeers: number) {
    this.#recent = new RecentMap(mostPeers)
  }

  /** Takes a round trip in; returns the median, of two the shorter, since delays only ever add. */
  add(peer: string, roundTripMs: number): number {
    const recent = [...(this.#recent.get(peer) ?? []), roundTripMs].slice(-WINDOW)
    this.#recent.set(peer, recent)
    return recent.toSorted((a, b) => a - b)[(recent.length - 1) >> 1]!
  }

  forget(peer: string): void {
    this.#recent.delete(peer)
  }
}
