/** Less than one socket's share of a poll: whoever got less was read until it was empty. */
const EMPTIED_BELOW = 16

/** Polls after which nobody waits on: at 32 packets each, more than a receive buffer of 4 MiB can have held. */
const MOST_TURNS = 512

interface Waiter {
  readonly turn: number
  readonly callback: () => void
}

/**
 * Knows when everything that had arrived at a moment has been delivered.
 *
 * libuv polls once a turn of the event loop, and then reads at most 32 packets of each socket and 32 pieces of each
 * stream. `setImmediate` alone therefore promises 32 packets at most, and fewer when asked in the middle of a poll.
 * Here turns go on until one whole poll, begun after the asking, has brought far less than one socket's share.
 */
export class PendingIo {
  #turn = 0
  #turning = false
  #arrivals = 0
  #waiting: Waiter[] = []

  /** To be told of every packet and every piece of a stream, when it is delivered. */
  arrived(): void {
    this.#arrivals++
  }

  /** To be told of every stream that opens: its first bytes may be here too, but are read a turn later. */
  opened(): void {
    this.#arrivals += EMPTIED_BELOW
  }

  whenDelivered(callback: () => void): void {
    this.#waiting.push({ turn: this.#turn, callback })
    if (!this.#turning) this.#scheduleTurn()
  }

  #scheduleTurn(): void {
    this.#turning = true
    setImmediate(() => this.#endTurn())
  }

  /** Runs after a poll. Who asked in this turn may have missed the first part of its poll, and waits for the next. */
  #endTurn(): void {
    const emptied = this.#arrivals < EMPTIED_BELOW
    const before = emptied ? this.#turn : this.#turn - MOST_TURNS
    this.#arrivals = 0
    this.#turn++
    try {
      while (this.#waiting.length > 0 && this.#waiting[0]!.turn < before) this.#waiting.shift()!.callback()
    } finally {
      this.#turning = false
      if (this.#waiting.length > 0) this.#scheduleTurn()
    }
  }
}
