import { compareEpochs, type EpochId, epochAbove } from '../wire/epoch.ts'
import type { LogSet, VersionRow } from './log-set.ts'
import type { Item, OwnerLog } from './owner-log.ts'

/** The one log of a network that this node writes: its side of the bargain that nobody else numbers operations. */
export class OwnLog {
  readonly #logs: LogSet
  #log: OwnerLog

  /**
   * Opens an epoch of its own for `owner`. What the set already holds of that owner, left by an earlier life, is
   * rewritten as the opening snapshot if `inherit` says so, else dropped. The epoch is raised above that life's.
   */
  constructor(logs: LogSet, owner: string, id: EpochId, inherit: boolean) {
    const before = logs.get(owner)
    const raised =
      before === undefined || compareEpochs(id, before.id) > 0 ? id : (above(id, before.id) ?? id)
    this.#logs = logs
    logs.own = owner
    this.#log = this.#open(owner, raised, inherit && before !== undefined ? openingSnapshot(before) : [])
  }

  get log(): OwnerLog {
    return this.#log
  }

  get id(): EpochId {
    return this.#log.id
  }

  /** Numbers an operation and applies it; a value of undefined deletes. What is returned is to be spread. */
  write(key: string, value: Uint8Array | undefined, stamp: number): Item {
    const item: Item = { seq: this.#log.contiguous + 1, key, value, stamp }
    this.#log.apply(item)
    return item
  }

  /** Whether a peer knows of this log what was never written in it: an epoch above ours, or numbers not yet given. */
  conflict(row: Pick<VersionRow, 'id' | 'contiguous' | 'ranges'>): boolean {
    return this.conflictsWith(row.id, row.ranges.pairs.at(-1) ?? row.contiguous)
  }

  /** The same of a single operation. */
  conflictsWith(id: EpochId, seq: number): boolean {
    const order = compareEpochs(id, this.id)
    return order > 0 || (order === 0 && seq > this.#log.contiguous)
  }

  /**
   * Opens an epoch above both ours and `seen`, with all entries rewritten in their order. They keep their stamps: a
   * new one would win keys that others hold by right.
   */
  bump(seen: EpochId): void {
    const id = above(this.id, seen)
    if (id !== undefined) this.#log = this.#open(this.#log.owner, id, openingSnapshot(this.#log))
  }

  #open(owner: string, id: EpochId, snapshot: readonly Item[]): OwnerLog {
    const log = this.#logs.open(owner, id, snapshot.length)
    for (const item of snapshot) log.apply(item)
    return log
  }
}

/** A later life of the same writer, above both; undefined if there is none. */
function above(own: EpochId, seen: EpochId): EpochId | undefined {
  return epochAbove(compareEpochs(own, seen) > 0 ? own : seen, { time: 0, nonce: own.nonce })
}

/** The entries that count, oldest first, numbered anew. */
function openingSnapshot(log: OwnerLog): Item[] {
  const bySeq = (a: Item, b: Item): number => a.seq - b.seq
  const inherited = [...(log.shadow?.values() ?? [])].sort(bySeq)
  const written = [...log.live.values()].sort(bySeq)
  return [...inherited, ...written].map(({ key, value, stamp }, index) => ({
    seq: index + 1,
    key,
    value,
    stamp,
  }))
}
