import type { Reader, Writer } from './bytes.ts'
import { utf8Length, varintLength } from './bytes.ts'
import { type EpochId, readEpoch, writeEpoch } from './epoch.ts'
import { MAX_ENTRY_BYTES, MAX_KEY_BYTES, MAX_NAME_BYTES, MAX_VALUE_BYTES } from './limits.ts'

/** One operation of an owner's log: a set, or a delete when there is no value. */
export interface EntryItem {
  /** Position in the owner's log, from 1. */
  readonly seq: number
  /** `table NUL key`, see `entryKey`. */
  readonly key: string
  readonly value: Uint8Array | undefined
  /** Hybrid logical stamp, below 2^52. */
  readonly stamp: number
}

/** An operation as it travels by gossip: with the log that it belongs to. */
export interface EntryEvent {
  readonly network: string
  readonly owner: string
  readonly epoch: EpochId
  /** How many operations the opening snapshot of the log's epoch has. */
  readonly base: number
  readonly item: EntryItem
  /**
   * Numbers of earlier operations on the item's key, which have no effect once it is known: ascending pairs of first
   * and last number, at most `MAX_SUPERSEDED_RANGES` of them.
   */
  readonly superseded: readonly number[]
}

export const MAX_SUPERSEDED_RANGES = 16
export const NOTHING_SUPERSEDED: readonly number[] = []

/** Stamps from here on are undecodable, so that no clock can be dragged to the end of its range. */
export const STAMP_LIMIT: number = 2 ** 52

const VARINT_BYTES: number = 8 + 8 + 8 + 2 // base, seq, stamp, and the length of the value
const LENGTH_BYTES: number = 1 + 1 + 2 // of network, owner and key
/** What an event takes besides names, key and value, at most. */
const REST_BYTES: number = 10 + VARINT_BYTES + LENGTH_BYTES

const SEPARATOR = '\u0000'
/** Of an entry's key, its table included. */
export const MAX_ENTRY_KEY_BYTES: number = MAX_NAME_BYTES + 1 + MAX_KEY_BYTES

/** The key of a log: the table's name and the entry's key within it. Table names contain no NUL. */
export function entryKey(table: string, key: string): string {
  return table + SEPARATOR + key
}

/** Whether this can be the key of a log: it names a table. */
export function isEntryKey(key: string): boolean {
  return key.indexOf(SEPARATOR) > 0
}

export function tableOf(entryKey: string): string {
  return entryKey.slice(0, entryKey.indexOf(SEPARATOR))
}

export function writeItem(writer: Writer, item: EntryItem): Writer {
  writer.varint(item.seq).string(item.key).varint(item.stamp)
  // 0 is a delete, so that an empty value stays a value.
  if (item.value === undefined) return writer.varint(0)
  return writer.varint(item.value.length + 1).raw(item.value)
}

/** Total: an ill-formed item fails the reader. The value is copied out of the packet. */
export function readItem(reader: Reader): EntryItem {
  const seq = reader.varint()
  const key = reader.name(MAX_ENTRY_KEY_BYTES)
  const stamp = reader.varint()
  const length = reader.varint()
  if (seq === 0 || stamp >= STAMP_LIMIT || !isEntryKey(key) || length > MAX_VALUE_BYTES + 1) reader.fail()
  const value = length === 0 || reader.failed ? undefined : reader.raw(length - 1).slice()
  return { seq, key, value, stamp }
}

export function writeEntryEvent(writer: Writer, event: EntryEvent): Writer {
  writer.string(event.network).string(event.owner)
  writeEpoch(writer, event.epoch).varint(event.base)
  writeItem(writer, event.item)
  return event.superseded.length === 0 ? writer : writeSuperseded(writer, event.item.seq, event.superseded)
}

/** Total. What is too large for some node to forward fails, too. */
export function readEntryEvent(reader: Reader): EntryEvent {
  const start = reader.position
  const network = reader.name(MAX_NAME_BYTES)
  const owner = reader.name(MAX_NAME_BYTES)
  const epoch = readEpoch(reader)
  const base = reader.varint()
  const item = readItem(reader)
  const superseded = reader.remaining === 0 ? NOTHING_SUPERSEDED : readSuperseded(reader, item.seq)
  const event = { network, owner, epoch, base, item, superseded }
  // Most are so short that they need not be measured.
  const fits = reader.position - start <= MAX_ENTRY_BYTES - REST_BYTES || fitsPackets(event)
  if (owner === '' || !fits) reader.fail()
  return event
}

function fitsPackets({ network, owner, item, superseded }: EntryEvent): boolean {
  const room = supersededRoom(network, owner, item)
  return room >= 0 && supersededBytes(item.seq, superseded) <= room
}

/** From the item's number downwards, each bound as the distance from the one before it. */
function writeSuperseded(writer: Writer, seq: number, pairs: readonly number[]): Writer {
  writer.varint(pairs.length / 2)
  let above = seq
  for (let i = pairs.length - 1; i >= 0; i--) {
    writer.varint(above - pairs[i]!)
    above = pairs[i]!
  }
  return writer
}

function readSuperseded(reader: Reader, seq: number): readonly number[] {
  const count = reader.varint()
  if (count > MAX_SUPERSEDED_RANGES) reader.fail()
  const pairs: number[] = []
  let above = seq
  for (let i = 0; i < count && !reader.failed; i++) {
    const hi = above - reader.varint()
    const lo = hi - reader.varint()
    // Ranges neither touch the item's number nor each other's.
    if (lo < 1 || hi > above - (i === 0 ? 1 : 2)) reader.fail()
    pairs.push(hi, lo)
    above = lo
  }
  return count === 0 || reader.failed ? NOTHING_SUPERSEDED : pairs.reverse()
}

/** What these numbers take on the wire. */
export function supersededBytes(seq: number, pairs: readonly number[]): number {
  if (pairs.length === 0) return 0
  let length = varintLength(pairs.length / 2)
  let above = seq
  for (let i = pairs.length - 1; i >= 0; i--) {
    length += varintLength(above - pairs[i]!)
    above = pairs[i]!
  }
  return length
}

/** How much of it fits, for every node that may have to pass the event on; negative if the item alone does not. */
export function supersededRoom(network: string, owner: string, item: EntryItem): number {
  return MAX_ENTRY_BYTES - entryBytes(network, owner, item.key, item.value?.length ?? 0)
}

/** The most bytes that an entry can take on the wire, whatever its number and stamp will be. */
export function entryBytes(network: string, owner: string, key: string, valueBytes: number): number {
  return utf8Length(network) + utf8Length(owner) + utf8Length(key) + valueBytes + REST_BYTES
}
