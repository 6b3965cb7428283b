import { readAddress, skipAddress, writeAddress } from './address-codec.ts'
import type { Reader, Writer } from './bytes.ts'
import { type EpochId, readEpoch, writeEpoch } from './epoch.ts'
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
}

/** More accusers than a verdict needs would only make rumours longer: H + 1 hard ones, and three soft ones. */
export const MAX_HARD_ACCUSERS = 5
export const MAX_SOFT_ACCUSERS = 3

const LEFT = 1

export function writeMemberRecord(writer: Writer, record: MemberRecord): Writer {
  writer.string(record.name)
  writeAddress(writer, record.address)
  writeEpoch(writer, record.epoch)
  writer
    .varint(record.incarnation)
    .u8(record.left ? LEFT : 0)
    .u8(record.minVersion)
    .u8(record.maxVersion)
    .bytes(record.metadata)
  writeIds(writer, record.hard)
  return writeIds(writer, record.soft)
}

const NO_METADATA = new Uint8Array(0)

/**
 * Total: an ill-formed record fails the reader. Metadata is copied out of the packet. Most records that a node hears repeat
 * what it knows: `known` finds by the hash of the name what that is, and a mere repetition returns that very record, undecoded.
 */
export function readMemberRecord(
  reader: Reader,
  known: (nameHash: number) => MemberRecord | undefined = () => undefined,
): MemberRecord {
  const start = reader.position
  const candidate = known(reader.peekHash())
  if (candidate !== undefined && repeats(reader, candidate)) return candidate
  reader.rewind(start)
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
  if (name === '' || epoch.time === 0 || minVersion > maxVersion) reader.fail()
  const left = (flags & LEFT) !== 0
  return { name, address, epoch, incarnation, left, metadata, minVersion, maxVersion, hard, soft }
}

/**
 * Whether the record that follows has the precedence and the accusations of one that is known. What else it says was
 * written by the same member at the same incarnation, and so is the same.
 */
function repeats(reader: Reader, record: MemberRecord): boolean {
  if (!reader.skipText(record.name)) return false
  skipAddress(reader)
  if (reader.u48() !== record.epoch.time || reader.u32() !== record.epoch.nonce) return false
  if (reader.varint() !== record.incarnation || reader.u8() !== (record.left ? LEFT : 0)) return false
  reader.skip(2)
  reader.skip(reader.varint())
  return repeatsIds(reader, record.hard) && repeatsIds(reader, record.soft) && !reader.failed
}

function repeatsIds(reader: Reader, ids: readonly number[]): boolean {
  if (reader.u8() !== ids.length) return false
  for (const id of ids) if (reader.u32() !== id) return false
  return true
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
