import { readAddress, writeAddress } from './address-codec.ts'
import type { Reader, Writer } from './bytes.ts'
import { type EpochId, readEpoch, writeEpoch } from './epoch.ts'
import { Interned } from './interned.ts'
import { MAX_METADATA_BYTES, MAX_NAME_BYTES } from './limits.ts'

/**
 * What the cluster knows of one member: the state that merges and travels. Whether the member is alive, suspect or
 * failed is not in it; that is each node's own verdict.
 */
export interface MemberRecord {
  readonly name: string
  /** Where its packets and streams go: `ip:port`. */
  readonly address: string
  readonly epoch: EpochId
  /** Raised by the member alone: to refute an accusation, or with new metadata. */
  readonly incarnation: number
  readonly left: boolean
  readonly metadata: Uint8Array
  /** The protocol versions that the member speaks, both included. */
  readonly minVersion: number
  readonly maxVersion: number
  /**
   * Who accuses this incarnation of being gone: ids of accusers, ascending. Hard accusers had a working control of
   * their own; soft ones had none, or saw the host's kernel still answer.
   */
  readonly hard: readonly number[]
  readonly soft: readonly number[]
  /** Ids of the keys that the member holds, the one that it seals with first; none where it holds none. */
  readonly keys: readonly number[]
}

/** More accusers than a verdict needs would only make rumours longer: H + 1 hard ones, and three soft ones. */
export const MAX_HARD_ACCUSERS = 5
export const MAX_SOFT_ACCUSERS = 3

/** Keys beyond these are not told; whoever needs more has never finished a rotation. */
export const MAX_LISTED_KEYS = 8

const LEFT = 1
const HAS_KEYS = 2

/** Records that are remembered, in each of two generations, and the longest that are: longer ones hold junk. */
const REMEMBERED = 8_192
const MAX_REMEMBERED_BYTES = 900
const decoded = new Interned<MemberRecord>(REMEMBERED)
const encodings = new WeakMap<MemberRecord, Uint8Array>()

/** A record that was read is written as it came, with whatever later versions had appended to it. */
export function writeMemberRecord(writer: Writer, record: MemberRecord): Writer {
  const encoding = encodings.get(record)
  if (encoding !== undefined) return writer.raw(encoding)
  writer.string(record.name)
  writeAddress(writer, record.address)
  writeEpoch(writer, record.epoch)
  writer
    .varint(record.incarnation)
    .u8((record.left ? LEFT : 0) | (record.keys.length > 0 ? HAS_KEYS : 0))
    .u8(record.minVersion)
    .u8(record.maxVersion)
    .bytes(record.metadata)
  writeIds(writer, record.hard)
  writeIds(writer, record.soft)
  return record.keys.length > 0 ? writeIds(writer, record.keys) : writer
}

/**
 * Reads a record that fills the rest of the reader. Total: an ill-formed one fails the reader. Most records that arrive repeat what
 * arrived before: the same bytes give the very same object, undecoded, to all nodes of a process. Treat it as immutable.
 */
export function readMemberRecord(reader: Reader): MemberRecord {
  if (reader.remaining > MAX_REMEMBERED_BYTES) return decode(reader)
  return decoded.read(reader, decode, remember)
}

function remember(bytes: Uint8Array, record: MemberRecord): void {
  encodings.set(record, bytes)
}

const NO_METADATA = new Uint8Array(0)

function decode(reader: Reader): MemberRecord {
  const name = reader.string(MAX_NAME_BYTES)
  const address = readAddress(reader)
  const epoch = readEpoch(reader)
  const incarnation = reader.varint()
  const flags = reader.u8()
  const minVersion = reader.u8()
  const maxVersion = reader.u8()
  const bytes = reader.bytes(MAX_METADATA_BYTES)
  const metadata = bytes.length === 0 ? NO_METADATA : bytes.slice()
  const hard = readIds(reader, MAX_HARD_ACCUSERS)
  const soft = readIds(reader, MAX_SOFT_ACCUSERS)
  const keys = (flags & HAS_KEYS) === 0 ? NO_IDS : readKeyIds(reader)
  if (name === '' || epoch.time === 0 || minVersion > maxVersion) reader.fail()
  const left = (flags & LEFT) !== 0
  return { name, address, epoch, incarnation, left, metadata, minVersion, maxVersion, hard, soft, keys }
}

function writeIds(writer: Writer, ids: readonly number[]): Writer {
  writer.u8(ids.length)
  for (const id of ids) writer.u32(id)
  return writer
}

const NO_IDS: readonly number[] = []

function readIds(reader: Reader, most: number): readonly number[] {
  const count = reader.u8()
  if (count === 0) return NO_IDS
  if (count > most) reader.fail()
  const ids: number[] = []
  for (let i = 0; i < count && !reader.failed; i++) {
    const id = reader.u32()
    if (i > 0 && id <= ids[i - 1]!) reader.fail()
    ids.push(id)
  }
  return ids
}

function readKeyIds(reader: Reader): readonly number[] {
  const count = reader.u8()
  if (count === 0 || count > MAX_LISTED_KEYS) reader.fail()
  const ids: number[] = []
  for (let i = 0; i < count && !reader.failed; i++) {
    const id = reader.u32()
    if (ids.includes(id)) reader.fail()
    ids.push(id)
  }
  return ids
}
