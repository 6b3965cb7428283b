import type { Change, Owned, Table } from '../../src/index.ts'

/**
 * The winners of one table, decoded once and kept up to date by its watch. Keys that are not canonical are
 * passed over.
 */
export class WinnersOf<V> {
  readonly entries: Map<string, Owned<V>> = new Map()
  readonly #canonical: (key: string) => string | undefined
  readonly #onChange: (change: Change<V>) => void
  #isComplete = false

  /** `onChange` is called after each change has been taken in. */
  constructor(canonical: (key: string) => string | undefined, onChange: (change: Change<V>) => void) {
    this.#canonical = canonical
    this.#onChange = onChange
  }

  /** Whether everything that the table held at first has been taken in. */
  get isComplete(): boolean {
    return this.#isComplete
  }

  /** Resolves when the signal aborts or the network is left. */
  async follow(table: Table<V>, signal: AbortSignal): Promise<void> {
    for await (const change of table.watch({ signal })) {
      if (change.type === 'synced') this.#isComplete = true
      else if (this.#canonical(change.key) !== change.key) continue
      else if (change.type === 'delete') this.entries.delete(change.key)
      else this.entries.set(change.key, { value: change.value, owner: change.owner })
      this.#onChange(change)
    }
  }
}
