import type { Digest } from '../dissemination/sync-session.ts'
import { NOTHING_SUPERSEDED } from '../wire/entry-event.ts'
import { compareEpochs, type EpochId, NO_EPOCH } from '../wire/epoch.ts'
import {
  type ApplyResult,
  type EntryListener,
  type Item,
  LOG_LIMITS,
  type LogLimits,
  OwnerLog,
} from './owner-log.ts'
import { NO_RANGES, type ReadonlyRanges } from './ranges.ts'

/** What a node knows of one owner's log, as it tells its peers in a sync. */
export interface VersionRow {
  readonly owner: string
  /** `NO_EPOCH` if it has no log of that owner but wants one. */
  readonly id: EpochId
  readonly contiguous: number
  /** The lowest of its ranges: a peer that sees fewer merely sends more. */
  readonly ranges: ReadonlyRanges
}

/** The logs of one network at one node, at most one for each owner: that of the highest epoch heard of. */
export class LogSet {
  readonly #logs = new Map<string, OwnerLog>()
  readonly #listener: EntryListener | undefined
  readonly #hashChanged: ((owner: string) => void) | undefined
  readonly #limits: LogLimits
  /** The owner as whom this node itself writes, once it does. What others say of that log never gets in. */
  own: string | undefined

  /**
   * The listener hears of every entry that may have changed in any log. When one log takes the place of another, it
   * hears of each entry once, with the new log; when a log is forgotten, with the log that is now empty. `hashChanged` is
   * told of an owner whose log has come, gone, or no longer has the hash that it was last asked for.
   */
  constructor(
    options: { limits?: LogLimits; listener?: EntryListener; hashChanged?: (owner: string) => void } = {},
  ) {
    this.#listener = options.listener
    this.#hashChanged = options.hashChanged
    this.#limits = options.limits ?? LOG_LIMITS
  }

  get size(): number {
    return this.#logs.size
  }

  get(owner: string): OwnerLog | undefined {
    return this.#logs.get(owner)
  }

  [Symbol.iterator](): Iterator<OwnerLog> {
    return this.#logs.values()
  }

  /**
   * The log for operations of this epoch, opened if it is new or higher than the present one; undefined if the epoch
   * is stale, or the owner this node itself.
   */
  logFor(owner: string, id: EpochId, base: number): OwnerLog | undefined {
    if (owner === this.own) return undefined
    const present = this.#logs.get(owner)
    const order = present === undefined ? 1 : compareEpochs(id, present.id)
    if (order === 0) return present
    return order > 0 ? this.open(owner, id, base) : undefined
  }

  /** Takes in an operation that came by gossip. Only what is `new` is worth passing on. */
  apply(
    owner: string,
    id: EpochId,
    base: number,
    item: Item,
    superseded: readonly number[] = NOTHING_SUPERSEDED,
  ): ApplyResult | 'stale' {
    return this.logFor(owner, id, base)?.applyLast(item, superseded) ?? 'stale'
  }

  /**
   * Puts an empty log in the place of the present one. If the epoch opens with a snapshot, the entries of the old log
   * stay visible until that is complete.
   */
  open(owner: string, id: EpochId, base: number): OwnerLog {
    const before = this.#logs.get(owner)?.retire() ?? new Map<string, Item>()
    const keys = this.#listener === undefined ? [] : [...before.keys()]
    const log = new OwnerLog(owner, id, base, {
      limits: this.#limits,
      listener: this.#listener,
      hashChanged: this.#hashChanged,
      shadow: before,
    })
    this.#logs.set(owner, log)
    this.#hashChanged?.(owner)
    for (const key of keys) this.#listener?.(log, key, 'presence')
    return log
  }

  /** Drops an owner's log and whatever is under way to it; whether there was one. The node's own log stays. */
  forget(owner: string): boolean {
    const log = this.#logs.get(owner)
    if (log === undefined || owner === this.own) return false
    this.#logs.delete(owner)
    this.#hashChanged?.(owner)
    const before = log.retire()
    if (this.#listener !== undefined) for (const key of before.keys()) this.#listener(log, key, 'presence')
    return true
  }

  /** Summary of the logs of the owners included: equal digests, equal state. Walks all logs; see `DigestSum`. */
  digest(included: (owner: string) => boolean): Digest {
    let high = 0
    let low = 0
    for (const log of this.#logs.values()) {
      if (!included(log.owner)) continue
      const hash = log.hash
      high = (high + hash.high) >>> 0
      low = (low + hash.low) >>> 0
    }
    return { high, low }
  }

  /** What to tell a peer: a row for every owner wanted. An owner that is not listed is not sent. */
  versionRows(owners: Iterable<string>): VersionRow[] {
    const rows: VersionRow[] = []
    for (const owner of owners) {
      const log = this.#logs.get(owner)
      if (log === undefined) rows.push({ owner, id: NO_EPOCH, contiguous: 0, ranges: NO_RANGES })
      else
        rows.push({
          owner,
          id: log.id,
          contiguous: log.contiguous,
          ranges: log.ranges.first(log.limits.rowRanges),
        })
    }
    return rows
  }
}
