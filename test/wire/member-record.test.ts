import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Reader, Writer } from '../../src/wire/bytes.ts'
import { MAX_METADATA_BYTES, MAX_NAME_BYTES } from '../../src/wire/limits.ts'
import {
  MAX_HARD_ACCUSERS,
  MAX_LISTED_KEYS,
  MAX_SOFT_ACCUSERS,
  type MemberRecord,
  readMemberRecord,
  writeMemberRecord,
} from '../../src/wire/member-record.ts'
import { ids, memberRecord } from './arbitraries.ts'

const RECORD: MemberRecord = {
  name: 'a',
  address: '10.0.0.1:7946',
  epoch: { time: 1, nonce: 2 },
  incarnation: 3,
  left: false,
  metadata: Uint8Array.of(4),
  minVersion: 1,
  maxVersion: 1,
  hard: [],
  soft: [],
  keys: [],
}

function encode(record: MemberRecord): Uint8Array {
  return writeMemberRecord(new Writer(), record).copy()
}

function accepts(record: MemberRecord): boolean {
  const reader = new Reader(encode(record))
  readMemberRecord(reader)
  return !reader.failed
}

describe('a member record', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(memberRecord, (record) => {
        const reader = new Reader(encode(record))
        expect(readMemberRecord(reader)).toEqual(record)
        expect([reader.failed, reader.remaining]).toEqual([false, 0])
      }),
    )
  })

  it('never throws when read from arbitrary bytes, and what passes can be passed on', () => {
    const good = memberRecord.chain((record) => {
      const bytes = encode(record)
      return fc
        .array(fc.tuple(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 0, max: 255 })), {
          maxLength: 2,
        })
        .map((changes) => {
          for (const [at, byte] of changes) bytes[at] = byte
          return bytes
        })
    })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), good), (bytes) => {
        const reader = new Reader(bytes)
        const record = readMemberRecord(reader)
        if (!reader.failed) expect(readMemberRecord(new Reader(encode(record)))).toEqual(record)
      }),
      { numRuns: 2000 },
    )
  })

  it('cut off anywhere is refused', () => {
    fc.assert(
      fc.property(memberRecord, fc.nat(), (record, cut) => {
        const bytes = encode(record)
        const reader = new Reader(bytes.subarray(0, cut % bytes.length))
        readMemberRecord(reader)
        expect(reader.failed).toBe(true)
      }),
    )
  })

  it('that repeats what was read before is the very same object', () => {
    fc.assert(
      fc.property(memberRecord, (record) => {
        const first = readMemberRecord(new Reader(encode(record)))
        const again = new Reader(Uint8Array.from([1, ...encode(record)]), 1)
        expect(readMemberRecord(again)).toBe(first)
        expect([again.failed, again.remaining]).toEqual([false, 0])
      }),
    )
  })

  it('is read for itself wherever it says anything else than one before', () => {
    const change = fc.record<Partial<MemberRecord>>(
      {
        incarnation: fc.nat({ max: 2 }),
        epoch: fc.record({ time: fc.integer({ min: 1, max: 2 }), nonce: fc.nat({ max: 1 }) }),
        left: fc.boolean(),
        hard: ids(2),
        soft: ids(2),
        keys: ids(2),
        name: fc.constantFrom('node-1', 'node-2', 'é', 'n'.repeat(63)),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(memberRecord, change, (known, changes) => {
        readMemberRecord(new Reader(encode(known)))
        const told = { ...known, ...changes }
        expect(readMemberRecord(new Reader(encode(told)))).toEqual(told)
      }),
      { numRuns: 1000 },
    )
  })

  it('is passed on with what a later version has appended to it, unless that is longer than any record', () => {
    const appended = (count: number): Uint8Array =>
      Uint8Array.from([...encode(RECORD), ...new Array(count).fill(9)])
    const passedOn = (bytes: Uint8Array): Uint8Array => encode(readMemberRecord(new Reader(bytes)))
    expect(passedOn(appended(20))).toEqual(appended(20))
    expect(passedOn(appended(900))).toEqual(encode(RECORD))
  })

  it('is no longer for keys that it does not have', () => {
    const listing = encode({ ...RECORD, keys: [7] })
    expect(listing.length).toBe(encode(RECORD).length + 5)
    const none = encode(RECORD)
    none[none.length - 7]! |= 2
    const reader = new Reader(Uint8Array.from([...none, 0]))
    readMemberRecord(reader)
    expect(reader.failed).toBe(true)
  })

  it('keeps its metadata when the packet that it came in is overwritten', () => {
    const bytes = encode(RECORD)
    const { metadata } = readMemberRecord(new Reader(bytes))
    bytes.fill(0)
    expect([...metadata]).toEqual([4])
  })

  it('has flags of later versions that this one passes over', () => {
    const bytes = encode(RECORD)
    const flagsAt = bytes.length - 7
    bytes[flagsAt]! |= 0xfc
    const reader = new Reader(bytes)
    expect(readMemberRecord(reader)).toEqual(RECORD)
    expect(reader.failed).toBe(false)
  })

  it.each<[string, MemberRecord, boolean]>([
    ['the longest name', { ...RECORD, name: 'n'.repeat(MAX_NAME_BYTES) }, true],
    ['a longer name', { ...RECORD, name: 'n'.repeat(MAX_NAME_BYTES + 1) }, false],
    ['no name', { ...RECORD, name: '' }, false],
    ['the most metadata', { ...RECORD, metadata: new Uint8Array(MAX_METADATA_BYTES) }, true],
    ['more metadata', { ...RECORD, metadata: new Uint8Array(MAX_METADATA_BYTES + 1) }, false],
    ['the most hard accusers', { ...RECORD, hard: ascending(MAX_HARD_ACCUSERS) }, true],
    ['more hard accusers', { ...RECORD, hard: ascending(MAX_HARD_ACCUSERS + 1) }, false],
    ['the most soft accusers', { ...RECORD, soft: ascending(MAX_SOFT_ACCUSERS) }, true],
    ['more soft accusers', { ...RECORD, soft: ascending(MAX_SOFT_ACCUSERS + 1) }, false],
    ['an accuser twice', { ...RECORD, hard: [1, 1] }, false],
    ['accusers that do not ascend', { ...RECORD, soft: [2, 1] }, false],
    ['the most keys', { ...RECORD, keys: ascending(MAX_LISTED_KEYS) }, true],
    ['more keys', { ...RECORD, keys: ascending(MAX_LISTED_KEYS + 1) }, false],
    ['keys that do not ascend', { ...RECORD, keys: [2, 1] }, true],
    ['a key twice', { ...RECORD, keys: [1, 1] }, false],
    ['no epoch', { ...RECORD, epoch: { time: 0, nonce: 1 } }, false],
    ['versions that are none', { ...RECORD, minVersion: 2, maxVersion: 1 }, false],
  ])('with %s: accepted is %3$s', (_, record, accepted) => {
    expect(accepts(record)).toBe(accepted)
  })
})

function ascending(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}
