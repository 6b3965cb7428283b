import type { Network } from '../../src/network-state/network.ts'
import type { Table } from '../../src/network-state/table.ts'
import type { Change } from '../../src/network-state/watch.ts'
import { finish, mixBytes, mixString } from '../../src/wire/mix.ts'

/** A table at one node, watched for as long as the node takes part. */
export class Followed {
  readonly node: string
  readonly network: Network
  readonly table: Table<unknown>
  readonly #changed: (change: Change<unknown>) => void
  readonly #stop = new AbortController()
  /** The watch has ended: the node left or stopped. */
  ended = false

  constructor(
    node: string,
    network: Network,
    table: string,
    changed: (followed: Followed, change: Change<unknown>) => void,
  ) {
    this.node = node
    this.network = network
    this.table = network.table(table)
    this.#changed = (change) => changed(this, change)
    void this.#run()
  }

  /** As `table peers of blue at node-1`. */
  get label(): string {
    return `table "${this.table.name}" of "${this.network.name}" at ${this.node}`
  }

  end(): void {
    this.ended = true
    this.#stop.abort()
  }

  async #run(): Promise<void> {
    for await (const change of this.table.watch({ signal: this.#stop.signal })) {
      if (this.ended) return
      this.#changed(change)
    }
    this.ended = true
  }
}

/** 32 bits of hash of a value: of its bytes, or of the JSON that it is. */
export function valueHash(value: unknown): number {
  if (value instanceof Uint8Array) return finish(mixBytes(0, value))
  return finish(mixString(1, JSON.stringify(value) ?? 'undefined'))
}
