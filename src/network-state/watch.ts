import type { Runtime } from '../runtime/runtime.ts'
import { sameBytes } from '../wire/bytes.ts'
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
  readonly bytes: Uint8Array
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
  readonly #waiting: ((result: IteratorResult<Change<V>>) => void)[] = []
  /** Keys still to be given before `synced`; undefined after it. */
  #snapshot: Set<string> | undefined
  #serving = false
  #ended = false

  constructor(runtime: Runtime, source: WatchSource<V>, onEnd: (watch: Watch<V>) => void) {
    this.#runtime = runtime
    this.#source = source
    this.#onEnd = onEnd
    this.#snapshot = new Set(source.view.keys(source.table))
    this.#unsubscribe = source.view.watch(source.table, (key) => {
      this.#dirty.add(key)
      this.#serveSoon()
    })
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
      for (const key of this.#snapshot) {
        this.#snapshot.delete(key)
        this.#dirty.delete(key)
        const change = this.#changeOf(key)
        if (change !== undefined) return change
      }
      this.#snapshot = undefined
      return { type: 'synced' }
    }
    for (const key of this.#dirty) {
      this.#dirty.delete(key)
      const change = this.#changeOf(key)
      if (change !== undefined) return change
    }
    return undefined
  }

  #changeOf(entryKey: string): Change<V> | undefined {
    const claim = this.#source.view.winner(entryKey)
    const seen = this.#seen.get(entryKey)
    if (
      claim !== undefined &&
      seen !== undefined &&
      seen.owner === claim.owner &&
      sameBytes(seen.bytes, claim.item.value!)
    ) {
      return undefined
    }
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
    this.#seen.set(entryKey, { value, owner, bytes: claim.item.value! })
    if (seen === undefined) return { type: 'set', key, value, owner }
    return { type: 'set', key, value, owner, previous: { value: seen.value, owner: seen.owner } }
  }
}
