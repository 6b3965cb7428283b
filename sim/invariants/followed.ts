import type { Network } from '../../src/network-state/network.ts'
import type { Table } from '../../src/network-state/table.ts'
import type { Change } from '../../src/network-state/watch.ts'
import { finish, mixBytes, mixString } from '../../src/wire/mix.ts'

export interface FollowedOptions {
  readonly node: string
  readonly network: Network
  readonly table: string
  /** Takes a change only when it is told to, so that changes are merged meanwhile. Default: takes all that come. */
  readonly slow?: boolean
}

/** A table at one node, watched for as long as the node takes part. */
export class Followed {
  readonly node: string
  readonly network: Network
  readonly table: Table<unknown>
  readonly #changed: (followed: Followed, change: Change<unknown>) => void
  readonly #changes: AsyncIterableIterator<Change<unknown>>
  readonly #stop = new AbortController()
  #slow: boolean
  #waiting = false
  #ended = false

  constructor(
    { node, network, table, slow }: FollowedOptions,
    changed: (followed: Followed, change: Change<unknown>) => void,
  ) {
    this.node = node
    this.network = network
    this.table = network.table(table)
    this.#slow = slow ?? false
    this.#changed = changed
    this.#changes = this.table.watch({ signal: this.#stop.signal })
    this.take()
  }

  /** As `table peers of blue at node-1`. */
  get label(): string {
    return `table "${this.table.name}" of "${this.network.name}" at ${this.node}`
  }

  /** The watch has ended: the node left or stopped. */
  get ended(): boolean {
    return this.#ended
  }

  /** Changes may wait to be taken for long. */
  get slow(): boolean {
    return this.#slow
  }

  /** Takes one change; unless it is slow, it goes on to take all that come. */
  take(): void {
    if (this.#waiting || this.#ended) return
    this.#waiting = true
    void this.#changes.next().then(({ done, value }) => {
      this.#waiting = false
      if (done) this.#ended = true
      if (this.#ended) return
      this.#changed(this, value)
      if (!this.#slow) this.take()
    })
  }

  /** Takes all that waits and all that comes. */
  hurry(): void {
    this.#slow = false
    this.take()
  }

  end(): void {
    this.#ended = true
    this.#stop.abort()
  }
}

/** 32 bits of hash of a value: of its bytes, or of the JSON that it is. */
export function valueHash(value: unknown): number {
  if (value instanceof Uint8Array) return finish(mixBytes(0, value))
  return finish(mixString(1, JSON.stringify(value) ?? 'undefined'))
}
