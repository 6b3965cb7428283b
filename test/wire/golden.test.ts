import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { identityHash, Member, memberId, recordHash } from '../../src/membership/member.ts'
import { readCommit, readHeader, readRows } from '../../src/network-state/log-frames.ts'
import { readItems } from '../../src/network-state/log-items.ts'
import { OwnerLog } from '../../src/network-state/owner-log.ts'
import { decodeParticipation } from '../../src/network-state/participation.ts'
import { readCoordinate } from '../../src/topology/coordinate-codec.ts'
import { Reader } from '../../src/wire/bytes.ts'
import { readEntryEvent } from '../../src/wire/entry-event.ts'
import { readMemberRecord } from '../../src/wire/member-record.ts'
import {
  readAck,
  readIndirectPing,
  readMessages,
  readNack,
  readOffer,
  readPing,
} from '../../src/wire/messages.ts'
import { DELETE, EPOCH, EVENTS, LEFT, RECORD, SET, VECTORS, WITH_KEYS } from './golden-vectors.ts'

/** The vectors of the documentation: lines of a name, at least two spaces, and bytes in hex. */
const documentation = readFileSync(new URL('../../docs/wire-format.md', import.meta.url), 'utf8')
const documented = new Map(
  [...documentation.matchAll(/^ {4}(\S.*?) {2,}([0-9a-f]+)$/gm)].map(([, name, hex]) => [name!, hex!]),
)

function bytesOf(name: string): Uint8Array {
  return Uint8Array.from(Buffer.from(documented.get(name)!, 'hex'))
}

function hex(word: number): string {
  return word.toString(16).padStart(8, '0')
}

const TOKEN = { high: 0x01234567, low: 0x89abcdef }
const A_ID = 0xf43d3b2e
const B_ID = 0x5c3ae4e9
const DIGESTS = [{ network: 0xff19274a, digest: 0xdeadbeef }]
const COORDINATE = { vector: [1, -0.5, 0, 0, 0, 0, 0, 0], height: 0.25, adjustment: -1, error: 0.5 }

describe('the bytes on the wire', () => {
  it.each(VECTORS.map(({ name, bytes }) => ({ name, bytes })))(
    'are those of the specification: $name',
    ({ name, bytes }) => {
      expect(Buffer.from(bytes).toString('hex')).toBe(documented.get(name))
    },
  )

  it('are all specified, and nothing is specified that is not tested', () => {
    expect([...documented.keys()].sort()).toEqual(VECTORS.map(({ name }) => name).sort())
  })

  it.each<[string, number, (reader: Reader) => unknown, unknown]>([
    [
      'ping',
      1,
      readPing,
      {
        token: TOKEN,
        round: 300,
        targetId: B_ID,
        targetNonce: 0xcafef00d,
        sourceId: A_ID,
        members: 0x0badf00d,
        digests: DIGESTS,
      },
    ],
    [
      'ack, passed on by a helper',
      2,
      readAck,
      { token: TOKEN, sourceId: B_ID, members: 0x0badf00d, digests: [], coordinate: new Uint8Array(0) },
    ],
    [
      'indirect ping',
      3,
      readIndirectPing,
      {
        token: TOKEN,
        address: '10.0.0.1:7946',
        targetId: A_ID,
        targetNonce: 0xcafef00d,
        sourceId: B_ID,
        budgetMs: 500,
      },
    ],
    ['nack', 4, readNack, { token: TOKEN, sourceId: B_ID }],
    ['offer', 7, readOffer, { sourceId: A_ID, digests: DIGESTS }],
    ['member', 5, (reader) => readMemberRecord(reader), RECORD],
    ['member that left', 5, (reader) => readMemberRecord(reader), LEFT],
    ['member with keys', 5, (reader) => readMemberRecord(reader), WITH_KEYS],
    ['entry, set', 6, readEntryEvent, EVENTS.set],
    ['entry, delete', 6, readEntryEvent, EVENTS.delete],
    ['entry, empty value', 6, readEntryEvent, EVENTS['empty value']],
    ['entry, superseding', 6, readEntryEvent, EVENTS.superseding],
  ])('of a message mean what the specification says: %s', (name, type, read, value) => {
    const read1: unknown[] = []
    const wellFormed = readMessages(bytesOf(name), (actual, payload) => {
      read1.push(actual, read(payload))
      return payload.remaining === 0 && !payload.failed
    })
    expect(wellFormed).toBe(true)
    expect(read1).toEqual([type, value])
  })

  it('of an ack carry a coordinate', () => {
    readMessages(bytesOf('ack'), (_, payload) => {
      const { coordinate, digests } = readAck(payload)
      expect(digests).toEqual(DIGESTS)
      expect(coordinate).toEqual(bytesOf('coordinate'))
      expect(readCoordinate(new Reader(coordinate))).toEqual(COORDINATE)
      return true
    })
  })

  it('of frames of logs mean what the specification says', () => {
    const body = (name: string): Reader => new Reader(bytesOf(name), 1)
    const rows = readRows(body('logs, rows'))!
    expect(rows.last).toBe(true)
    expect(rows.rows.map(({ ranges, ...row }) => ({ ...row, ranges: [...ranges.pairs] }))).toEqual([
      { owner: 'a', id: EPOCH, contiguous: 5, ranges: [7, 9, 20, 20] },
      { owner: 'b', id: { time: 0, nonce: 0 }, contiguous: 0, ranges: [] },
    ])
    expect(readHeader(body('logs, header'))).toEqual({ owner: 'a', id: EPOCH, base: 2, from: 4 })
    expect(readItems(body('logs, items'))).toEqual([SET, DELETE])
    const commit = readCommit(body('logs, commit'))!
    expect([commit.contiguous, commit.hasAlive, [...commit.ranges.pairs]]).toEqual([5, true, [7, 9, 20, 20]])
    expect(decodeParticipation(bytesOf('participation'))).toEqual({ epoch: EPOCH, base: 2 })
  })
})

describe('the numbers that nodes compare', () => {
  it('are those of the specification', () => {
    const { high, low } = identityHash(new Member(RECORD))
    const log = new OwnerLog('a', EPOCH, 0)
    log.apply({ ...SET, seq: 1 })
    log.apply({ ...DELETE, seq: 3 })
    const numbers = [
      memberId('a'),
      memberId('b'),
      memberId(''),
      high,
      low,
      recordHash(RECORD),
      log.hash.high,
      log.hash.low,
    ].map(hex)
    for (const number of numbers) expect(documentation).toContain(`\`${number}\``)
    expect(numbers.slice(0, 3)).toEqual(['f43d3b2e', '5c3ae4e9', 'ff19274a'])
  })
})
