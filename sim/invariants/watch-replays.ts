import type { Change } from '../../src/network-state/watch.ts'
import { type Followed, valueHash } from './followed.ts'
import type { Invariant } from './invariant.ts'

interface Seen {
  readonly owner: string
  readonly hash: number
}

/** Whoever applies the changes that a watch gives has exactly the table, and each change says rightly what was there before. */
export class WatchReplays implements Invariant {
  readonly name = 'a watcher that replays its changes has exactly the table'
  readonly #tables = new Map<Followed, Map<string, Seen>>();

  *changed(followed: Followed, change: Change<unknown>): Generator<string> {
    if (change.type === 'synced') return
    let table = this.#tables.get(followed)
    if (table === undefined) {
      table = new Map()
      this.#tables.set(followed, table)
    }
    const { key, previous } = change
    const seen = table.get(key)
    const wanted = previous && { owner: previous.owner, hash: valueHash(previous.value) }
    if (!same(seen, wanted)) {
      yield `${followed.label} said of "${key}" that ${show(wanted)} was there, and had given ${show(seen)}`
    }
    if (change.type === 'delete') table.delete(key)
    else table.set(key, { owner: change.owner, hash: valueHash(change.value) })
  }

  *atEnd(): Generator<string> {
    for (const [followed, replayed] of this.#tables) {
      if (followed.ended) continue
      let count = 0
      for (const [key, { owner, value }] of followed.table.entries()) {
        count++
        const entry = { owner, hash: valueHash(value) }
        const seen = replayed.get(key)
        if (!same(seen, entry)) {
          yield `${followed.label} holds ${show(entry)} at "${key}", and its watch gave ${show(seen)}`
        }
      }
      if (count !== replayed.size) {
        yield `${followed.label} holds ${count} entries, and its watch gave ${replayed.size}`
      }
    }
  }
}

function same(one: Seen | undefined, other: Seen | undefined): boolean {
  return one?.owner === other?.owner && one?.hash === other?.hash
}

function show(seen: Seen | undefined): string {
  return seen === undefined ? 'nothing' : `${seen.hash.toString(16)} of ${seen.owner}`
}
