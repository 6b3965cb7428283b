/** So many peers in a row that know all that this node knows stand for everyone. */
const ENOUGH = 5

/** Keeps account of who has told of the very state that this node has. */
export class Agreement {
  readonly #peers = new Set<string>()
  #digest: number | undefined

  /**
   * Takes note of a peer's digest, beside this node's own; whether so many of `peers` have agreed in a row that what waits to be
   * told is no news any more.
   */
  heard(own: number, theirs: number, peer: string, peers: number): boolean {
    if (own !== theirs || own !== this.#digest) this.#peers.clear()
    this.#digest = own
    if (own === theirs) this.#peers.add(peer)
    return this.#peers.size > 0 && this.#peers.size >= Math.min(ENOUGH, peers)
  }
}
