import fc from 'fast-check'
import { canonicalIp, formatAddress, isWildcard } from '../../src/runtime/address.ts'
import {
  type EntryEvent,
  type EntryItem,
  entryKey,
  MAX_SUPERSEDED_RANGES,
  STAMP_LIMIT,
} from '../../src/wire/entry-event.ts'
import type { EpochId } from '../../src/wire/epoch.ts'
import { MAX_KEY_BYTES, MAX_METADATA_BYTES, MAX_NAME_BYTES, MAX_VALUE_BYTES } from '../../src/wire/limits.ts'
import {
  MAX_HARD_ACCUSERS,
  MAX_LISTED_KEYS,
  MAX_SOFT_ACCUSERS,
  type MemberRecord,
} from '../../src/wire/member-record.ts'
import type { ProbeDigest, Token } from '../../src/wire/messages.ts'

export const uint8: fc.Arbitrary<number> = fc.integer({ min: 0, max: 0xff })
export const uint32: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.constantFrom(0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff),
)
export const uint48: fc.Arbitrary<number> = fc.integer({ min: 0, max: 2 ** 48 - 1 })
export const varint: fc.Arbitrary<number> = fc.oneof(
  fc.nat({ max: 300 }),
  fc.integer({ min: 1, max: 53 }).chain((bits) => fc.constantFrom(2 ** bits - 1, 2 ** (bits - 1))),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
)

const character = fc.oneof(
  fc.constantFrom('a', 'é', '€', '😀'),
  fc.integer({ min: 1, max: 0xd7ff }).map((point) => String.fromCodePoint(point)),
  fc.integer({ min: 0xe000, max: 0x10ffff }).map((point) => String.fromCodePoint(point)),
)

/** Text of at most so many bytes of UTF-8, without NUL. */
export function text(minBytes: number, maxBytes: number): fc.Arbitrary<string> {
  return fc.array(character, { maxLength: maxBytes }).map((characters) => {
    let bytes = 0
    const fitting = characters.filter((character) => {
      const size = Buffer.byteLength(character)
      if (bytes + size > maxBytes) return false
      bytes += size
      return true
    })
    return fitting.join('').padEnd(minBytes, 'x')
  })
}

export const name: fc.Arbitrary<string> = text(1, MAX_NAME_BYTES)

export const address: fc.Arbitrary<string> = fc
  .tuple(
    fc.oneof(fc.ipV4(), fc.ipV6()).map((ip) => canonicalIp(ip)!),
    fc.integer({ min: 1, max: 65_535 }),
  )
  .filter(([host]) => !isWildcard(host))
  .map(([host, port]) => formatAddress(host, port))

export const epoch: fc.Arbitrary<EpochId> = fc.record({
  time: fc.integer({ min: 1, max: 2 ** 47 - 1 }),
  nonce: uint32,
})

/** Ids of accusers: ascending, none twice. */
export function ids(most: number): fc.Arbitrary<number[]> {
  return fc.uniqueArray(uint32, { maxLength: most }).map((list) => list.sort((a, b) => a - b))
}

export const memberRecord: fc.Arbitrary<MemberRecord> = fc
  .record({
    name,
    address,
    epoch,
    incarnation: varint,
    left: fc.boolean(),
    metadata: fc.uint8Array({ maxLength: MAX_METADATA_BYTES }),
    versions: fc.tuple(uint8, uint8),
    hard: ids(MAX_HARD_ACCUSERS),
    soft: ids(MAX_SOFT_ACCUSERS),
    keys: fc.uniqueArray(uint32, { maxLength: MAX_LISTED_KEYS }),
  })
  .map(({ versions, ...record }) => ({
    ...record,
    minVersion: Math.min(...versions),
    maxVersion: Math.max(...versions),
  }))

export const token: fc.Arbitrary<Token> = fc.record({ high: uint32, low: uint32 })

export const digests: fc.Arbitrary<ProbeDigest[]> = fc.array(fc.record({ network: uint32, digest: uint32 }), {
  maxLength: 8,
})

export const entryItem: fc.Arbitrary<EntryItem> = fc.record({
  seq: varint.map((seq) => Math.max(1, seq)),
  key: fc.tuple(text(1, MAX_NAME_BYTES), text(0, MAX_KEY_BYTES)).map(([table, key]) => entryKey(table, key)),
  value: fc.option(fc.uint8Array({ maxLength: MAX_VALUE_BYTES }), { nil: undefined }),
  stamp: varint.map((stamp) => stamp % STAMP_LIMIT),
})

/** Ranges below a number, as ascending pairs, few enough for an event. */
function below(seq: number): fc.Arbitrary<number[]> {
  const bound = fc.oneof(fc.integer({ min: 1, max: 300 }), varint).map((distance) => seq - distance)
  return fc.uniqueArray(bound, { maxLength: 2 * MAX_SUPERSEDED_RANGES + 1 }).map((bounds) => {
    const ascending = bounds.filter((at) => at > 0 && at < seq).sort((a, b) => a - b)
    const pairs: number[] = []
    for (let i = 0; i + 1 < ascending.length; i += 2) {
      if (i === 0 || ascending[i]! > pairs.at(-1)! + 1) pairs.push(ascending[i]!, ascending[i + 1]!)
    }
    return pairs
  })
}

export const entryEvent: fc.Arbitrary<EntryEvent> = fc
  .record({
    network: text(0, MAX_NAME_BYTES),
    owner: name,
    epoch,
    base: varint,
    item: entryItem,
  })
  .chain((event) => below(event.item.seq).map((superseded) => ({ ...event, superseded })))
