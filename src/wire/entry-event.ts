import type { Reader, Writer } from './bytes.ts'
import { utf8Length } from './bytes.ts'
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
}

/** Stamps from here on are undecodable, so that no clock can be dragged to the end of its range. */
export const STAMP_LIMIT: number = 2 ** 52

const SEPARATOR = '\u0000'
const MAX_ENTRY_KEY_BYTES = MAX_NAME_BYTES + 1 + MAX_KEY_BYTES

/** The key of a log: the table's name and the entry's key within it. Table names contain no NUL. */
export function entryKey(table: string, key: string): string {
  return table + SEPARATOR + key
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
  const key = reader.string(MAX_ENTRY_KEY_BYTES)
  const stamp = reader.varint()
  const length = reader.varint()
  if (seq === 0 || stamp >= STAMP_LIMIT || key.indexOf(SEPARATOR) < 1 || length > MAX_VALUE_BYTES + 1)
    reader.fail()
  const value = length === 0 || reader.failed ? undefined : reader.raw(length - 1).slice()
  return { seq, key, value, stamp }
}

export function writeEntryEvent(writer: Writer, event: EntryEvent): Writer {
  writer.string(event.network).string(event.owner)
  writeEpoch(writer, event.epoch).varint(event.base)
  return writeItem(writer, event.item)
}

/** Total. What is too large for some node to forward fails, too. */
export function readEntryEvent(reader: Reader): EntryEvent {
  const network = reader.string(MAX_NAME_BYTES)
  const owner = reader.string(MAX_NAME_BYTES)
  const epoch = readEpoch(reader)
  const base = reader.varint()
  const item = readItem(reader)
  const size = entryBytes(network, owner, item.key, item.value?.length ?? 0)
  if (owner === '' || size > MAX_ENTRY_BYTES) reader.fail()
  return { network, owner, epoch, base, item }
}

/** The most bytes that an entry can take on the wire, whatever its number and stamp will be. */
export function entryBytes(network: string, owner: string, key: string, valueBytes: number): number {
  const VARINTS = 8 + 8 + 8 + 2 // base, seq, stamp, and the length of the value
  const LENGTHS = 1 + 1 + 2 // of network, owner and key
  return utf8Length(network) + utf8Length(owner) + utf8Length(key) + valueBytes + 10 + VARINTS + LENGTHS
}
