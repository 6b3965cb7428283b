import type { SyncExchange } from '../dissemination/sync-session.ts'
import type { Reader } from '../wire/bytes.ts'
import type { EpochId } from '../wire/epoch.ts'
import type { IntakeTurns } from './intake-turns.ts'
import { bucketOf, LOG_BUCKETS } from './log-buckets.ts'
import {
  aliveFrames,
  commitFrame,
  headerFrame,
  itemsFrame,
  LOG_FRAME,
  readAlive,
  readCommit,
  readHeader,
  readRows,
  readSums,
  rowFrames,
  sumsFrame,
} from './log-frames.ts'
import { readItems } from './log-items.ts'
import type { LogSet, VersionRow } from './log-set.ts'
import { buildStream, LogIntake, type LogReceiver, type LogStream } from './log-transfer.ts'
import type { Item } from './owner-log.ts'
import { Ranges } from './ranges.ts'

/** What an exchange needs of the network's state at its node. */
export interface LogExchangeHost {
  readonly logs: LogSet
  /** Shared by all exchanges of the network. */
  readonly turns: IntakeTurns
  /** Owners whose logs are to be exchanged: those that count in the digest. */
  wanted(): readonly string[]
  readonly wantedCount: number
  isWanted(owner: string): boolean
  /** Of the logs of all owners wanted, for each bucket the sum of the low halves of their hashes. */
  bucketSums(): Uint32Array
  /** Whether an owner may have opened this epoch. */
  believes(owner: string, epoch: EpochId): boolean
  /** A peer's row of this node's own log, before anything is built from it. */
  checkOwn(row: VersionRow): void
  /** An item came in that this node did not know. */
  received(item: Item): void
  /** All that the other side had is here. */
  tookOver(): void
}

/** A bound on what a peer can make this node hold. */
const MAX_ROWS = 65_536
/** With so many owners it pays to find out first in which buckets there is anything to tell. */
const SUMS_FROM = LOG_BUCKETS

/**
 * One side of the exchange of one network's logs; both sides do the same. Each tells by version rows what it has, then sends
 * the other what that lacks: log by log a header, items in slices, a commit. Only the commit moves the contiguous line,
 * so a session that is cut leaves a valid state, and nothing that arrived is wasted.
 *
 * A side that wants many logs first tells a sum for each bucket of them. If the other does so, too, both tell rows of those buckets
 * only in which the sums differ.
 */
export class LogExchange implements SyncExchange {
  readonly #host: LogExchangeHost
  readonly #wake: () => void
  readonly #outbox: Uint8Array[] = []
  #begun = false
  #sums: Uint32Array | undefined
  #theirSums: Uint32Array | undefined
  /** What the rows told of; nothing before that. */
  #intake: LogIntake | undefined
  readonly #theirRows: VersionRow[] = []
  #heardRows = false
  /** Rows of theirs that are still to be answered. */
  #answering = 0
  #stream: LogStream | undefined
  #nextItem = 0
  #receiver: LogReceiver | undefined
  #alive: number[] = []
  movedBytes = 0
  #sentEnd = false
  #heardEnd = false

  constructor(host: LogExchangeHost, wake: () => void) {
    this.#host = host
    this.#wake = wake
  }

  get done(): boolean {
    return this.#sentEnd && this.#heardEnd && this.#outbox.length === 0
  }

  close(): void {
    this.#host.turns.over(this)
    this.#stream = undefined
    this.#receiver = undefined
  }

  next(): Uint8Array | undefined {
    this.#begin()
    this.#tellRows()
    const waiting = this.#outbox.shift()
    if (waiting !== undefined || !this.#heardRows || this.#sentEnd) return waiting
    while (this.#stream === undefined) {
      const row = this.#theirRows[this.#answering++]
      if (row === undefined) {
        this.#sentEnd = true
        return Uint8Array.of(LOG_FRAME.end)
      }
      this.#openStream(row)
    }
    return this.#outbox.shift() ?? this.#nextOfStream(this.#stream)
  }

  receive(frame: Reader): boolean {
    const type = frame.u8()
    if (type === LOG_FRAME.sums) return this.#hearSums(frame)
    if (type === LOG_FRAME.rows) return this.#hearRows(frame)
    // All else answers our rows.
    if (this.#intake === undefined || this.#heardEnd) return false
    switch (type) {
      case LOG_FRAME.header:
        return this.#hearHeader(frame, this.#intake)
      case LOG_FRAME.items:
        return this.#hearItems(frame)
      case LOG_FRAME.alive:
        return readAlive(frame, this.#alive)
      case LOG_FRAME.commit:
        return this.#hearCommit(frame)
      case LOG_FRAME.end:
        this.#heardEnd = true
        this.#host.tookOver()
        this.#host.turns.over(this)
        return true
      default:
        return false
    }
  }

  #begin(): void {
    if (this.#begun) return
    this.#begun = true
    if (this.#host.wantedCount >= SUMS_FROM) {
      this.#sums = this.#host.bucketSums()
      this.#outbox.push(sumsFrame(this.#sums))
    }
  }

  /** Tells the rows once it is known which the other side needs, and it is this exchange's turn. Answers wait for no turn. */
  #tellRows(): void {
    if (!this.#begun || this.#intake !== undefined) return
    const theirs = this.#theirSums
    const sums = this.#sums
    // Whoever begins with rows tells all of them, and needs all.
    if (sums !== undefined && theirs === undefined && this.#theirRows.length === 0 && !this.#heardRows) return
    if (!this.#host.turns.mayAsk(this, this.#wake)) return
    const differs = (owner: string): boolean =>
      sums === undefined || theirs === undefined || sums[bucketOf(owner)] !== theirs[bucketOf(owner)]
    this.#intake = new LogIntake(this.#host.logs, this.#host.wanted().filter(differs))
    this.#outbox.push(...rowFrames(this.#intake.rows))
    this.#host.turns.tookIn(this)
  }

  #openStream(row: VersionRow): void {
    const log = this.#host.logs.get(row.owner)
    const stream = log && buildStream(log, row)
    if (stream === undefined || !this.#host.isWanted(row.owner)) return
    this.#stream = stream
    this.#nextItem = 0
    this.#outbox.push(headerFrame(stream))
  }

  #nextOfStream(stream: LogStream): Uint8Array {
    if (this.#nextItem < stream.items.length) {
      const { frame, next } = itemsFrame(stream.items, this.#nextItem)
      this.#nextItem = next
      this.movedBytes += frame.length
      return frame
    }
    const { contiguous, ranges, alive } = stream.commit
    if (alive !== undefined) this.#outbox.push(...aliveFrames(alive))
    this.#outbox.push(commitFrame(contiguous, ranges, alive !== undefined))
    this.#stream = undefined
    return this.#outbox.shift()!
  }

  #hearSums(frame: Reader): boolean {
    if (this.#theirSums !== undefined || this.#theirRows.length > 0 || this.#heardRows) return false
    this.#theirSums = readSums(frame)
    this.#tellRows()
    return this.#theirSums !== undefined
  }

  #hearRows(frame: Reader): boolean {
    if (this.#heardRows) return false
    const part = readRows(frame)
    if (part === undefined || this.#theirRows.length + part.rows.length > MAX_ROWS) return false
    this.#theirRows.push(...part.rows)
    this.#heardRows = part.last
    this.#tellRows()
    if (part.last) for (const row of this.#theirRows) this.#host.checkOwn(row)
    return true
  }

  #hearHeader(frame: Reader, intake: LogIntake): boolean {
    const header = readHeader(frame)
    if (header === undefined) return false
    this.#alive = []
    const taken = this.#host.isWanted(header.owner) && this.#host.believes(header.owner, header.id)
    this.#receiver = taken ? intake.open(header) : undefined
    if (this.#receiver !== undefined) this.#host.turns.tookIn(this)
    return true
  }

  #hearItems(frame: Reader): boolean {
    this.movedBytes += frame.remaining
    const items = readItems(frame)
    if (items === undefined) return false
    if (this.#receiver !== undefined) this.#host.turns.tookIn(this)
    for (const item of items) if (this.#receiver?.item(item) === 'new') this.#host.received(item)
    return true
  }

  #hearCommit(frame: Reader): boolean {
    const commit = readCommit(frame)
    if (commit === undefined) return false
    const alive = commit.hasAlive ? Ranges.parse(this.#alive) : undefined
    if (commit.hasAlive && alive === undefined) return false
    this.#receiver?.commit({ contiguous: commit.contiguous, ranges: commit.ranges, alive })
    this.#receiver = undefined
    return true
  }
}
