import { type Reader, Writer } from '../wire/bytes.ts'
import type { EntryItem } from '../wire/entry-event.ts'
import { readEpoch, writeEpoch } from '../wire/epoch.ts'
import { MAX_NAME_BYTES } from '../wire/limits.ts'
import { LOG_BUCKETS } from './log-buckets.ts'
import { writeItems } from './log-items.ts'
import type { VersionRow } from './log-set.ts'
import type { StreamHeader } from './log-transfer.ts'
import { MAX_JOINED_RANGES, MAX_ROW_RANGES } from './owner-log.ts'
import { NO_RANGES, Ranges, type ReadonlyRanges } from './ranges.ts'

/** Frames of the exchange of one network's logs. Each begins with its type. */
export const LOG_FRAME = {
  /** A part of the version rows. */
  rows: 1,
  header: 2,
  items: 3,
  /** A part of the numbers of the live entries. */
  alive: 4,
  commit: 5,
  end: 6,
  /** A sum for each bucket of logs. */
  sums: 7,
} as const

const MAX_ROWS_PER_FRAME = 1_024
const ROW_BYTES_PER_FRAME = 16_000
const PAIRS_PER_FRAME = 4_096
/** A bound on what a peer can make this node hold while it listens. */
const MAX_ALIVE_PAIRS = 1 << 20

/** Frames are written here and copied out: most are small, and many are sent. */
const scratch = new Writer(20_000)
const part = new Writer(20_000)
const one = new Writer()

export function sumsFrame(sums: Uint32Array): Uint8Array {
  const writer = scratch.reset().u8(LOG_FRAME.sums)
  for (const sum of sums) writer.u32(sum)
  return writer.copy()
}

export function readSums(reader: Reader): Uint32Array | undefined {
  const sums = new Uint32Array(LOG_BUCKETS)
  for (let i = 0; i < LOG_BUCKETS; i++) sums[i] = reader.u32()
  return reader.failed ? undefined : sums
}

/** At least one frame, so that there is a last one. */
export function rowFrames(rows: readonly VersionRow[]): Uint8Array[] {
  const frames: Uint8Array[] = []
  const body = part.reset()
  let count = 0
  rows.forEach((row, index) => {
    writeEpoch(one.reset().string(row.owner), row.id).varint(row.contiguous)
    body.bytes(writeRanges(one, row.ranges.pairs, 0, row.ranges.pairs.length).view())
    if (++count < MAX_ROWS_PER_FRAME && body.length < ROW_BYTES_PER_FRAME) return
    if (index < rows.length - 1) flush(false)
  })
  flush(true)
  return frames

  function flush(last: boolean): void {
    const frame = scratch
      .reset()
      .u8(LOG_FRAME.rows)
      .u8(last ? 1 : 0)
    frames.push(frame.varint(count).raw(body.view()).copy())
    body.reset()
    count = 0
  }
}

/** The rows of one frame, and whether they were the last. */
export function readRows(reader: Reader): { rows: VersionRow[]; last: boolean } | undefined {
  const last = reader.u8() === 1
  const count = reader.varint()
  if (count > MAX_ROWS_PER_FRAME) return undefined
  const rows: VersionRow[] = []
  for (let i = 0; i < count && !reader.failed; i++) {
    // Each has its length, so that what a later version appends to it is skipped.
    const row = readRow(reader.slice(reader.varint()))
    if (row === undefined) return undefined
    rows.push(row)
  }
  return reader.failed ? undefined : { rows, last }
}

function readRow(reader: Reader): VersionRow | undefined {
  const owner = reader.string(MAX_NAME_BYTES)
  const id = readEpoch(reader)
  const contiguous = reader.varint()
  const ranges = readRanges(reader, MAX_ROW_RANGES)
  return ranges && { owner, id, contiguous, ranges }
}

export function headerFrame(header: StreamHeader): Uint8Array {
  const writer = scratch.reset().u8(LOG_FRAME.header).string(header.owner)
  return writeEpoch(writer, header.id).varint(header.base).varint(header.from).copy()
}

export function readHeader(reader: Reader): StreamHeader | undefined {
  const owner = reader.string(MAX_NAME_BYTES)
  const header = { owner, id: readEpoch(reader), base: reader.varint(), from: reader.varint() }
  return reader.failed || owner === '' ? undefined : header
}

/** A frame of as many items from `start` on as it holds, and where the next one begins. */
export function itemsFrame(items: readonly EntryItem[], start: number): { frame: Uint8Array; next: number } {
  const writer = scratch.reset().u8(LOG_FRAME.items)
  const next = writeItems(writer, items, start)
  return { frame: writer.copy(), next }
}

export function aliveFrames(alive: ReadonlyRanges): Uint8Array[] {
  const frames: Uint8Array[] = []
  const { pairs } = alive
  for (let i = 0; i < pairs.length; i += 2 * PAIRS_PER_FRAME) {
    const writer = scratch.reset().u8(LOG_FRAME.alive)
    frames.push(writeRanges(writer, pairs, i, Math.min(pairs.length, i + 2 * PAIRS_PER_FRAME)).copy())
  }
  return frames
}

/** Adds the pairs of a frame to those of the frames before it; false if they are ill-formed. */
export function readAlive(reader: Reader, pairs: number[]): boolean {
  const part = readRanges(reader, PAIRS_PER_FRAME)
  if (part === undefined || pairs.length + part.pairs.length > 2 * MAX_ALIVE_PAIRS) return false
  for (const bound of part.pairs) pairs.push(bound)
  return true
}

export function commitFrame(contiguous: number, ranges: ReadonlyRanges, hasAlive: boolean): Uint8Array {
  const writer = scratch
    .reset()
    .u8(LOG_FRAME.commit)
    .varint(contiguous)
    .u8(hasAlive ? 1 : 0)
  return writeRanges(writer, ranges.pairs, 0, ranges.pairs.length).copy()
}

export function readCommit(
  reader: Reader,
): { contiguous: number; ranges: ReadonlyRanges; hasAlive: boolean } | undefined {
  const contiguous = reader.varint()
  const hasAlive = reader.u8() === 1
  const ranges = readRanges(reader, MAX_JOINED_RANGES)
  return ranges && { contiguous, ranges, hasAlive }
}

/** Count of pairs, then each bound as the distance from the one before. */
function writeRanges(writer: Writer, pairs: readonly number[], start: number, end: number): Writer {
  writer.varint((end - start) / 2)
  let before = 0
  for (let i = start; i < end; i++) {
    writer.varint(pairs[i]! - before)
    before = pairs[i]!
  }
  return writer
}

function readRanges(reader: Reader, most: number): ReadonlyRanges | undefined {
  const count = reader.varint()
  if (count > most || reader.failed) return undefined
  if (count === 0) return NO_RANGES
  const pairs: number[] = []
  let before = 0
  for (let i = 0; i < 2 * count && !reader.failed; i++) {
    before += reader.varint()
    pairs.push(before)
  }
  return reader.failed ? undefined : Ranges.parse(pairs)
}
