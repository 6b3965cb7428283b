import type { Runtime } from '../runtime/runtime.ts'
import type { EntryItem } from '../wire/entry-event.ts'
import { StoredItem } from './stored-item.ts'
import type { Claim, View } from './view.ts'

/** A value and the member whose claim it is. */
export interface Owned<V> {
  readonly value: V
  readonly owner: string
}

/**
 * What happened to a table, as one watcher sees it: `previous` is what this very watcher last saw of the key, so that
 * replaying all changes gives exactly the table. Changes that come faster than they are taken are merged per key.
 */
export type Change<V> =
  | {
      readonly type: 'set'
      readonly key: string
      readonly value: V
      readonly owner: string
      readonly previous?: Owned<V>
    }
  | {
      readonly type: 'delete'
      readonly key: string
      readonly previous: Owned<V>
      /** Whether the entry was deleted, or hidden because its owner left or failed. */
      readonly reason: 'deleted' | 'left' | 'failed'
    }
  /** The entries that were there when the watch began have all been given. Comes once. */
  | { readonly type: 'synced' }

export interface WatchSource<V> {
  readonly table: string
  readonly view: View
  /** The value of a claim; nothing if it cannot be decoded, which has then been reported. */
  decode(claim: Claim): { readonly value: V } | undefined
  /** The entry's key within the table. */
  keyWithin(entryKey: string): string
  hiddenBecause(owner: string): 'left' | 'failed' | undefined
}

interface Seen<V> extends Owned<V> {
  readonly item: EntryItem
}

/**
 * A subscription to a table. Holds the keys that may have changed and what it last gave of each, never a queue of changes: a
 * slow consumer costs memory by the number of keys, and gets the last state of each.
 */
export class Watch<V> implements AsyncIterableIterator<Change<V>> {
  readonly #runtime: Runtime
  readonly #source: WatchSource<V>
  readonly #onEnd: (watch: Watch<V>) => void
  readonly #unsubscribe: () => void
  readonly #seen = new Map<string, Seen<V>>()
  readonly #dirty = new Set<string>()
  /** Where the walk through `dirty` is: one begun anew for each key would pass all that was taken out before. */
  #nextDirty = this.#dirty.values()
  readonly #waiting: ((result: IteratorResult<Change<V>>) => void)[] = []
  /** Keys still to be given before `synced`; undefined after it. */
  #snapshot: Iterator<string> | undefined
  #serving = false
  #ended = false

  constructor(runtime: Runtime, source: WatchSource<V>, onEnd: (watch: Watch<V>) => void) {
    this.#runtime = runtime
    this.#source = source
    this.#onEnd = onEnd
    this.#snapshot = [...source.view.keys(source.table)].values()
    this.#unsubscribe = source.view.watch(source.table, (key) => this.#noted(key))
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Change<V>>> {
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    if (this.#waiting.length === 0) {
      const change = this.#take()
      if (change !== undefined) return Promise.resolve({ done: false, value: change })
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  return(): Promise<IteratorResult<Change<V>>> {
    this.end()
    return Promise.resolve({ done: true, value: undefined })
  }

  /** Ends quietly; whoever waits is told that there is no more. Idempotent. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#unsubscribe()
    this.#seen.clear()
    this.#dirty.clear()
    for (const resolve of this.#waiting.splice(0)) resolve({ done: true, value: undefined })
    this.#onEnd(this)
  }

  #noted(key: string): void {
    // What came and went unseen is forgotten, so that keys that are gone cost no memory.
    if (!this.#seen.has(key) && this.#source.view.winner(key) === undefined) this.#dirty.delete(key)
    else this.#dirty.add(key)
    this.#serveSoon()
  }

  #serveSoon(): void {
    if (this.#serving || this.#waiting.length === 0) return
    this.#serving = true
    // What changes in one step is given as one.
    this.#runtime.defer(() => {
      this.#serving = false
      while (this.#waiting.length > 0) {
        const change = this.#take()
        if (change === undefined) return
        this.#waiting.shift()!({ done: false, value: change })
      }
    })
  }

  #take(): Change<V> | undefined {
    if (this.#snapshot !== undefined) {
      for (let next = this.#snapshot.next(); !next.done; next = this.#snapshot.next()) {
        this.#dirty.delete(next.value)
        const change = this.#changeOf(next.value)
        if (change !== undefined) return change
      }
      this.#snapshot = undefined
      return { type: 'synced' }
    }
    for (let next = this.#nextDirty.next(); !next.done; next = this.#nextDirty.next()) {
      this.#dirty.delete(next.value)
      const change = this.#changeOf(next.value)
      if (change !== undefined) return change
    }
    this.#nextDirty = this.#dirty.values()
    return undefined
  }

  #changeOf(entryKey: string): Change<V> | undefined {
    const claim = this.#source.view.winner(entryKey)
    const seen = this.#seen.get(entryKey)
    if (claim !== undefined && seen?.owner === claim.owner && isSame(seen.item, claim.item)) return undefined
    const decoded = claim && this.#source.decode(claim)
    const key = this.#source.keyWithin(entryKey)
    if (claim === undefined || decoded === undefined) {
      if (seen === undefined) return undefined
      this.#seen.delete(entryKey)
      const reason = this.#source.hiddenBecause(seen.owner) ?? 'deleted'
      return { type: 'delete', key, previous: { value: seen.value, owner: seen.owner }, reason }
    }
    const { owner } = claim
    const { value } = decoded
    this.#seen.set(entryKey, { value, owner, item: claim.item })
    if (seen === undefined) return { type: 'set', key, value, owner }
    return { type: 'set', key, value, owner, previous: { value: seen.value, owner: seen.owner } }
  }
}

function isSame(a: EntryItem, b: EntryItem): boolean {
  return a === b || StoredItem.sameValue(a, b)
}
