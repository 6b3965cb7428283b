import type { SyncExchange } from '../dissemination/sync-session.ts'
import type { Reader } from '../wire/bytes.ts'
import {
  aliveFrames,
  commitFrame,
  headerFrame,
  itemsFrame,
  LOG_FRAME,
  readAlive,
  readCommit,
  readHeader,
  readItems,
  readRows,
  rowFrames,
} from './log-frames.ts'
import type { LogSet, VersionRow } from './log-set.ts'
import { buildStream, LogIntake, type LogReceiver, type LogStream } from './log-transfer.ts'
import type { Item } from './owner-log.ts'
import { Ranges } from './ranges.ts'

/** What an exchange needs of the network's state at its node. */
export interface LogExchangeHost {
  readonly logs: LogSet
  /** Owners whose logs are to be exchanged: those that count in the digest. */
  wanted(): Iterable<string>
  isWanted(owner: string): boolean
  /** A peer's row of this node's own log, before anything is built from it. */
  checkOwn(row: VersionRow): void
  /** An item came in that this node did not know. */
  received(item: Item): void
  /** Logs have changed. */
  changed(): void
  /** All that the other side had is here. */
  tookOver(): void
}

/** A bound on what a peer can make this node hold. */
const MAX_ROWS = 65_536

/**
 * One side of the exchange of one network's logs; both sides do the same. Each tells by version rows what it has, then sends
 * the other what that lacks: log by log a header, items in slices, a commit. Only the commit moves the contiguous line,
 * so a session that is cut leaves a valid state, and nothing that arrived is wasted.
 */
export class LogExchange implements SyncExchange {
  readonly #host: LogExchangeHost
  readonly #intake: LogIntake
  readonly #outbox: Uint8Array[]
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

  constructor(host: LogExchangeHost) {
    this.#host = host
    this.#intake = new LogIntake(host.logs, host.wanted())
    this.#outbox = rowFrames(this.#intake.rows)
  }

  get done(): boolean {
    return this.#sentEnd && this.#heardEnd && this.#outbox.length === 0
  }

  close(): void {
    this.#stream = undefined
    this.#receiver = undefined
  }

  next(): Uint8Array | undefined {
    const waiting = this.#outbox.shift()
    if (waiting !== undefined || !this.#heardRows || this.#sentEnd) return waiting
    while (this.#stream === undefined) {
      const row = this.#theirRows[this.#answering++]
      if (row === undefined) {
        this.#sentEnd = true
        return Uint8Array.of(LOG_FRAME.end)
      }
      this.#begin(row)
    }
    return this.#outbox.shift() ?? this.#nextOfStream(this.#stream)
  }

  receive(frame: Reader): boolean {
    if (this.#heardEnd) return false
    const type = frame.u8()
    if (type === LOG_FRAME.rows) return this.#hearRows(frame)
    if (!this.#heardRows) return false
    switch (type) {
      case LOG_FRAME.header:
        return this.#hearHeader(frame)
      case LOG_FRAME.items:
        return this.#hearItems(frame)
      case LOG_FRAME.alive:
        return readAlive(frame, this.#alive)
      case LOG_FRAME.commit:
        return this.#hearCommit(frame)
      case LOG_FRAME.end:
        this.#heardEnd = true
        this.#host.tookOver()
        return true
      default:
        return false
    }
  }

  #begin(row: VersionRow): void {
    const log = this.#host.logs.get(row.owner)
    if (log === undefined || !this.#host.isWanted(row.owner)) return
    this.#stream = buildStream(log, row)
    this.#nextItem = 0
    if (this.#stream !== undefined) this.#outbox.push(headerFrame(this.#stream))
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

  #hearRows(frame: Reader): boolean {
    if (this.#heardRows) return false
    const part = readRows(frame)
    if (part === undefined || this.#theirRows.length + part.rows.length > MAX_ROWS) return false
    this.#theirRows.push(...part.rows)
    if (!part.last) return true
    this.#heardRows = true
    for (const row of this.#theirRows) this.#host.checkOwn(row)
    return true
  }

  #hearHeader(frame: Reader): boolean {
    const header = readHeader(frame)
    if (header === undefined) return false
    this.#alive = []
    this.#receiver = this.#host.isWanted(header.owner) ? this.#intake.open(header) : undefined
    return true
  }

  #hearItems(frame: Reader): boolean {
    this.movedBytes += frame.remaining
    const items = readItems(frame)
    if (items === undefined) return false
    for (const item of items) if (this.#receiver?.item(item) === 'new') this.#host.received(item)
    this.#host.changed()
    return true
  }

  #hearCommit(frame: Reader): boolean {
    const commit = readCommit(frame)
    if (commit === undefined) return false
    const alive = commit.hasAlive ? Ranges.parse(this.#alive) : undefined
    if (commit.hasAlive && alive === undefined) return false
    this.#receiver?.commit({ contiguous: commit.contiguous, ranges: commit.ranges, alive })
    this.#receiver = undefined
    this.#host.changed()
    return true
  }
}
