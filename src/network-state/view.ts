import { type EntryItem, entryKey, tableOf } from '../wire/entry-event.ts'

/** An owner's entry for a key. Several owners may claim one. */
export interface Claim {
  readonly owner: string
  readonly item: EntryItem
}

/** What the view is derived from. */
export interface ViewSource {
  /** The live entry that counts for a key in an owner's log. */
  entry(owner: string, key: string): EntryItem | undefined
  /** Keys of all live entries of an owner's log. */
  keysOf(owner: string): Iterable<string>
  /** Whether an owner's entries may be seen at all. */
  visible(owner: string): boolean
  reachable(owner: string): boolean
}

/**
 * What agents see: for each key the winner among the claims of visible owners, the maximum of (owner reachable, stamp,
 * owner name). A pure function of logs and members, derived when asked; all that is kept is who claims which key.
 */
export class View {
  readonly #source: ViewSource
  /** Per table and key the owners with an entry; one alone without a set, since that is nearly always so. */
  readonly #owners = new Map<string, Map<string, string | Set<string>>>()
  /** The table asked for last: what comes together is mostly of one. */
  #lastTable = ''
  #lastPrefix = ''
  readonly #watchers = new Map<string, Set<(key: string) => void>>()

  constructor(source: ViewSource) {
    this.#source = source
  }

  /** The entry that counts for a key in an owner's log may have changed. */
  entryChanged(owner: string, key: string): void {
    const table = this.#tableOf(key)
    if (this.#source.entry(owner, key) === undefined) this.#removeOwner(table, key, owner)
    else this.#addOwner(table, key, owner)
    this.#notify(table, key)
  }

  /** As `entryChanged`, where the owner had an entry of that key before and has one now. */
  valueChanged(key: string): void {
    if (this.#watchers.size > 0) this.#notify(this.#tableOf(key), key)
  }

  /** An owner's entries became visible, hidden, or of another rank. */
  ownerChanged(owner: string): void {
    if (this.#watchers.size === 0) return
    for (const key of this.#source.keysOf(owner)) this.#notify(this.#tableOf(key), key)
  }

  winner(key: string): Claim | undefined {
    const owners = this.#owners.get(this.#tableOf(key))?.get(key)
    if (owners === undefined) return undefined
    if (typeof owners === 'string') return this.#visibleClaim(owners, key)
    let best: Claim | undefined
    for (const owner of owners) {
      const claim = this.#visibleClaim(owner, key)
      if (claim !== undefined && (best === undefined || this.#compare(claim, best) > 0)) best = claim
    }
    return best
  }

  /** All claims to a key: visible ones first, the winner at the head, then those hidden. */
  claims(key: string): (Claim & { readonly hidden: boolean })[] {
    return this.owners(key)
      .flatMap((owner) => {
        const item = this.#source.entry(owner, key)
        return item === undefined ? [] : [{ owner, item, hidden: !this.#source.visible(owner) }]
      })
      .sort((a, b) => Number(a.hidden) - Number(b.hidden) || this.#compare(b, a))
  }

  /** Everyone with an entry for a key, visible or not. */
  owners(key: string): readonly string[] {
    const owners = this.#owners.get(this.#tableOf(key))?.get(key)
    if (owners === undefined) return []
    return typeof owners === 'string' ? [owners] : [...owners]
  }

  /** The keys of a table to which there is any claim, visible or not. */
  keys(table: string): Iterable<string> {
    return this.#owners.get(table)?.keys() ?? []
  }

  /** Tells of every key of a table whose winner may have changed. Returns what ends it. */
  watch(table: string, onChange: (key: string) => void): () => void {
    let watchers = this.#watchers.get(table)
    if (watchers === undefined) {
      watchers = new Set()
      this.#watchers.set(table, watchers)
    }
    watchers.add(onChange)
    return () => {
      watchers.delete(onChange)
      if (watchers.size === 0 && this.#watchers.get(table) === watchers) this.#watchers.delete(table)
    }
  }

  #visibleClaim(owner: string, key: string): Claim | undefined {
    if (!this.#source.visible(owner)) return undefined
    const item = this.#source.entry(owner, key)
    return item && { owner, item }
  }

  #compare(a: Claim, b: Claim): number {
    const reach = Number(this.#source.reachable(a.owner)) - Number(this.#source.reachable(b.owner))
    return reach || a.item.stamp - b.item.stamp || (a.owner < b.owner ? -1 : 1)
  }

  #addOwner(table: string, key: string, owner: string): void {
    let keys = this.#owners.get(table)
    if (keys === undefined) {
      keys = new Map()
      this.#owners.set(table, keys)
    }
    const owners = keys.get(key)
    if (owners === undefined) keys.set(key, owner)
    else if (typeof owners === 'string') {
      if (owners !== owner) keys.set(key, new Set([owners, owner]))
    } else owners.add(owner)
  }

  #removeOwner(table: string, key: string, owner: string): void {
    const keys = this.#owners.get(table)
    const owners = keys?.get(key)
    if (keys === undefined || owners === undefined) return
    if (owners === owner) {
      keys.delete(key)
      if (keys.size === 0) this.#owners.delete(table)
    } else if (typeof owners !== 'string' && owners.delete(owner) && owners.size === 1) {
      for (const last of owners) keys.set(key, last)
    }
  }

  #tableOf(key: string): string {
    if (this.#lastPrefix === '' || !key.startsWith(this.#lastPrefix)) {
      this.#lastTable = tableOf(key)
      this.#lastPrefix = entryKey(this.#lastTable, '')
    }
    return this.#lastTable
  }

  #notify(table: string, key: string): void {
    if (this.#watchers.size === 0) return
    const watchers = this.#watchers.get(table)
    if (watchers !== undefined) for (const watcher of watchers) watcher(key)
  }
}
