import { type Reader, Writer } from '../wire/bytes.ts'
import { type EntryItem, readItem, writeItem } from '../wire/entry-event.ts'
import { readEpoch, writeEpoch } from '../wire/epoch.ts'
import { MAX_NAME_BYTES } from '../wire/limits.ts'
import type { VersionRow } from './log-set.ts'
import type { StreamHeader } from './log-transfer.ts'
import { MAX_JOINED_RANGES, MAX_ROW_RANGES } from './owner-log.ts'
import { Ranges, type ReadonlyRanges } from './ranges.ts'

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
} as const

const ROWS_PER_FRAME = 256
const ITEM_BYTES_PER_FRAME = 16_000
const PAIRS_PER_FRAME = 4_096
/** Bounds on what a peer can make this node hold while it listens. */
const MAX_ITEMS_PER_FRAME = 4_096
const MAX_ALIVE_PAIRS = 1 << 20

export function rowFrames(rows: readonly VersionRow[]): Uint8Array[] {
  const frames: Uint8Array[] = []
  for (let i = 0; i === 0 || i < rows.length; i += ROWS_PER_FRAME) {
    const part = rows.slice(i, i + ROWS_PER_FRAME)
    const last = i + ROWS_PER_FRAME >= rows.length
    const writer = new Writer(part.length * 32 + 16)
      .u8(LOG_FRAME.rows)
      .u8(last ? 1 : 0)
      .varint(part.length)
    for (const row of part) {
      writeEpoch(writer.string(row.owner), row.id).varint(row.contiguous)
      writeRanges(writer, row.ranges.pairs, 0, row.ranges.pairs.length)
    }
    frames.push(writer.copy())
  }
  return frames
}

/** The rows of one frame, and whether they were the last. */
export function readRows(reader: Reader): { rows: VersionRow[]; last: boolean } | undefined {
  const last = reader.u8() === 1
  const count = reader.varint()
  if (count > ROWS_PER_FRAME) return undefined
  const rows: VersionRow[] = []
  for (let i = 0; i < count && !reader.failed; i++) {
    const owner = reader.string(MAX_NAME_BYTES)
    const id = readEpoch(reader)
    const contiguous = reader.varint()
    const ranges = readRanges(reader, MAX_ROW_RANGES)
    if (ranges === undefined) return undefined
    rows.push({ owner, id, contiguous, ranges })
  }
  return reader.failed ? undefined : { rows, last }
}

export function headerFrame(header: StreamHeader): Uint8Array {
  const writer = new Writer(96).u8(LOG_FRAME.header).string(header.owner)
  return writeEpoch(writer, header.id).varint(header.base).varint(header.from).copy()
}

export function readHeader(reader: Reader): StreamHeader | undefined {
  const owner = reader.string(MAX_NAME_BYTES)
  const header = { owner, id: readEpoch(reader), base: reader.varint(), from: reader.varint() }
  return reader.failed || owner === '' ? undefined : header
}

/** A frame of as many items from `start` on as it holds, and where the next one begins. */
export function itemsFrame(items: readonly EntryItem[], start: number): { frame: Uint8Array; next: number } {
  const body = new Writer(ITEM_BYTES_PER_FRAME + 2_048)
  let next = start
  while (next < items.length && next - start < MAX_ITEMS_PER_FRAME && body.length < ITEM_BYTES_PER_FRAME) {
    writeItem(body, items[next++]!)
  }
  const frame = new Writer(body.length + 8)
    .u8(LOG_FRAME.items)
    .varint(next - start)
    .raw(body.view())
    .copy()
  return { frame, next }
}

export function readItems(reader: Reader): EntryItem[] | undefined {
  const count = reader.varint()
  if (count > MAX_ITEMS_PER_FRAME) return undefined
  const items: EntryItem[] = []
  for (let i = 0; i < count && !reader.failed; i++) items.push(readItem(reader))
  return reader.failed ? undefined : items
}

export function aliveFrames(alive: ReadonlyRanges): Uint8Array[] {
  const frames: Uint8Array[] = []
  const { pairs } = alive
  for (let i = 0; i < pairs.length; i += 2 * PAIRS_PER_FRAME) {
    const writer = new Writer(PAIRS_PER_FRAME).u8(LOG_FRAME.alive)
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
  const writer = new Writer(64)
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

function readRanges(reader: Reader, most: number): Ranges | undefined {
  const count = reader.varint()
  if (count > most) return undefined
  const pairs: number[] = []
  let before = 0
  for (let i = 0; i < 2 * count && !reader.failed; i++) {
    before += reader.varint()
    pairs.push(before)
  }
  return reader.failed ? undefined : Ranges.parse(pairs)
}
