import { compareEpochs, type EpochId, NO_EPOCH, sameEpoch } from '../wire/epoch.ts'
import type { LogSet, VersionRow } from './log-set.ts'
import type { ApplyResult, Item, LogCommit, LogState, OwnerLog } from './owner-log.ts'
import { Ranges, type ReadonlyRanges } from './ranges.ts'

export interface StreamHeader {
  readonly owner: string
  readonly id: EpochId
  readonly base: number
  /** The contiguous line of the receiver that the stream builds on. */
  readonly from: number
}

/** What a peer lacks of one log, as it was in the step that built it. Sent as header, items in slices, commit. */
export interface LogStream extends StreamHeader {
  /** Ascending by number. */
  readonly items: readonly Item[]
  readonly commit: LogCommit
}

/** What a peer with this row lacks of a log; undefined if nothing, if it is ahead, or if it did not ask. */
export function buildStream(log: LogState, peer: VersionRow | undefined): LogStream | undefined {
  if (peer === undefined) return undefined
  const order = compareEpochs(peer.id, log.id)
  if (order > 0) return undefined
  const from = order < 0 ? 0 : peer.contiguous
  const theirs = order < 0 ? Ranges.none() : peer.ranges
  // That an epoch has begun is news for whoever holds an older one, even if nothing was written in it.
  const supersedes = order < 0 && compareEpochs(peer.id, NO_EPOCH) > 0
  if (!supersedes && includes(from, theirs, log)) return undefined

  const items: Item[] = []
  const collect = (item: Item): void => {
    if (item.seq > from && !theirs.has(item.seq)) items.push(item)
  }
  for (const item of log.live.values()) collect(item)
  for (const item of log.tombs.values()) collect(item)
  const remembersAll = log.floor <= from + 1
  if (remembersAll) {
    for (const item of log.dels) if (!log.live.has(item.key) && !log.tombs.has(item.key)) collect(item)
  }
  items.sort((a, b) => a.seq - b.seq)
  const alive = remembersAll ? undefined : liveUpTo(log, log.contiguous)
  const commit: LogCommit = { contiguous: log.contiguous, ranges: log.ranges.copy(), alive }
  return { owner: log.owner, id: log.id, base: log.base, from, items, commit }
}

/** Whether 1..contiguous and `ranges` include all that the log knows. */
function includes(contiguous: number, ranges: ReadonlyRanges, log: LogState): boolean {
  if (log.contiguous > contiguous) return false
  const { pairs } = log.ranges
  for (let i = 0; i < pairs.length; i += 2) {
    const hi = pairs[i + 1]!
    if (hi > contiguous && !ranges.covers(pairs[i]!, hi)) return false
  }
  return true
}

function liveUpTo(log: LogState, line: number): Ranges {
  const seqs = new Float64Array(log.live.size)
  let count = 0
  for (const { seq } of log.live.values()) if (seq <= line) seqs[count++] = seq
  return Ranges.ofAscending(seqs.subarray(0, count).sort())
}

/**
 * The receiving side of a sync: what this node said that it has, and so what the peer's streams may build on.
 *
 * It is bound to the log objects that it described. A log that is forgotten or superseded meanwhile takes what streams
 * presume with it, even if a log of the same name and epoch stands in its place.
 */
export class LogIntake {
  readonly rows: readonly VersionRow[]
  readonly #logs: LogSet
  readonly #described = new Map<string, OwnerLog | undefined>()

  constructor(logs: LogSet, owners: Iterable<string>) {
    this.#logs = logs
    this.rows = logs.versionRows(owners)
    for (const { owner } of this.rows) this.#described.set(owner, logs.get(owner))
  }

  /** Begins to receive a stream; undefined if it was not asked for, or is of no use any more. */
  open(header: StreamHeader): LogReceiver | undefined {
    if (!this.#described.has(header.owner) || header.owner === this.#logs.own) return undefined
    const described = this.#described.get(header.owner)
    const log =
      described !== undefined && sameEpoch(described.id, header.id)
        ? described
        : this.#logs.logFor(header.owner, header.id, header.base)
    return log === undefined || log.retired ? undefined : new LogReceiver(log, header.from)
  }
}

/** Receives one stream. May be dropped at any point: what it brought until then stays, and stands by itself. */
export class LogReceiver {
  readonly #log: OwnerLog
  readonly #from: number
  #held: Item[] = []

  constructor(log: OwnerLog, from: number) {
    this.#log = log
    this.#from = from
  }

  /** How many items wait for the commit. */
  get held(): number {
    return this.#held.length
  }

  /**
   * Takes an item. It counts at once, unless so many gaps are open that the next version row could not tell of it:
   * then it waits for the commit, and leaves the ranges to gossip.
   */
  item(item: Item): Exclude<ApplyResult, 'refused'> | 'held' | 'discarded' {
    if (this.#log.retired) return 'discarded'
    const result = this.#log.apply(item, this.#log.limits.rowRanges)
    if (result !== 'refused') return result
    this.#held.push(item)
    return 'held'
  }

  /** Ends the stream. Only now does the contiguous line move over what the sender knew but had no need to send. */
  commit(commit: LogCommit): 'joined' | 'refused' | 'discarded' {
    const held = this.#held
    this.#held = []
    // A line below the one that the stream builds on cannot be ours; the peer errs.
    if (this.#log.retired || this.#log.contiguous < this.#from) return 'discarded'
    return this.#log.join(commit, held) ? 'joined' : 'refused'
  }
}
