import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Reader, Writer } from '../../src/wire/bytes.ts'
import { readEntryEvent } from '../../src/wire/entry-event.ts'
import { MIN_PACKET_BYTES, PACKET_OVERHEAD_BYTES } from '../../src/wire/limits.ts'
import { readMemberRecord, writeMemberRecord } from '../../src/wire/member-record.ts'
import {
  type Ack,
  beginMessage,
  endMessage,
  type IndirectPing,
  MAX_COORDINATE_BYTES,
  MAX_PROBE_DIGESTS,
  MESSAGE,
  MESSAGE_HEADER_BYTES,
  type Nack,
  type Offer,
  type Ping,
  readAck,
  readIndirectPing,
  readMessages,
  readNack,
  readOffer,
  readPing,
  writeAck,
  writeIndirectPing,
  writeNack,
  writeOffer,
  writePing,
} from '../../src/wire/messages.ts'
import { address, digests, memberRecord, token, uint32, varint } from './arbitraries.ts'

const ping: fc.Arbitrary<Ping> = fc.record({
  token,
  round: varint,
  targetId: uint32,
  targetNonce: uint32,
  sourceId: uint32,
  members: uint32,
  digests,
})

const ack: fc.Arbitrary<Ack> = fc.record({
  token,
  sourceId: uint32,
  members: uint32,
  digests,
  coordinate: fc.uint8Array({ maxLength: MAX_COORDINATE_BYTES }),
})

const indirectPing: fc.Arbitrary<IndirectPing> = fc.record({
  token,
  address,
  targetId: uint32,
  targetNonce: uint32,
  sourceId: uint32,
  budgetMs: varint,
})

const nack: fc.Arbitrary<Nack> = fc.record({ token, sourceId: uint32 })

const offer: fc.Arbitrary<Offer> = fc.record({ sourceId: uint32, digests })

/** A message of any type: what it is, and how it is written. */
const message = fc.oneof(
  ping.map((value) => ({ type: MESSAGE.ping, value, write: (w: Writer) => writePing(w, value) })),
  ack.map((value) => ({ type: MESSAGE.ack, value, write: (w: Writer) => writeAck(w, value) })),
  indirectPing.map((value) => ({
    type: MESSAGE.indirectPing,
    value,
    write: (w: Writer) => writeIndirectPing(w, value),
  })),
  nack.map((value) => ({ type: MESSAGE.nack, value, write: (w: Writer) => writeNack(w, value) })),
  offer.map((value) => ({ type: MESSAGE.offer, value, write: (w: Writer) => writeOffer(w, value) })),
  memberRecord.map((value) => ({
    type: MESSAGE.member,
    value,
    write: (w: Writer) => {
      const start = beginMessage(w, MESSAGE.member)
      writeMemberRecord(w, value)
      endMessage(w, start)
    },
  })),
)

const DECODERS: Readonly<Record<number, (reader: Reader) => unknown>> = {
  [MESSAGE.ping]: readPing,
  [MESSAGE.ack]: readAck,
  [MESSAGE.indirectPing]: readIndirectPing,
  [MESSAGE.nack]: readNack,
  [MESSAGE.member]: readMemberRecord,
  [MESSAGE.entry]: readEntryEvent,
  [MESSAGE.offer]: readOffer,
}

interface Decoded {
  readonly type: number
  readonly value: unknown
}

/** What a node makes of a body: the messages that it knows, up to the first ill-formed one. */
function decode(body: Uint8Array): { messages: Decoded[]; wellFormed: boolean } {
  const messages: Decoded[] = []
  const wellFormed = readMessages(body, (type, payload) => {
    const value = DECODERS[type]?.(payload)
    if (payload.failed) return false
    if (value !== undefined) messages.push({ type, value })
    return true
  })
  return { messages, wellFormed }
}

function bodyOf(messages: readonly { write(writer: Writer): void }[]): Uint8Array {
  const writer = new Writer()
  for (const { write } of messages) write(writer)
  return writer.copy()
}

function plain({ type, value }: Decoded): Decoded {
  return { type, value }
}

describe('the messages of a packet', () => {
  it('come back as they were written, in order', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), (messages) => {
        expect(decode(bodyOf(messages))).toEqual({ messages: messages.map(plain), wellFormed: true })
      }),
    )
  })

  it('of unknown type are skipped', () => {
    const unknown = fc
      .tuple(fc.integer({ min: 8, max: 255 }), fc.uint8Array({ maxLength: 300 }))
      .map(([type, payload]) => ({
        type,
        write: (writer: Writer) => {
          const start = beginMessage(writer, type)
          endMessage(writer.raw(payload), start)
        },
      }))
    fc.assert(
      fc.property(unknown, message, message, (stranger, before, behind) => {
        const { messages, wellFormed } = decode(bodyOf([before, stranger, behind]))
        expect(wellFormed).toBe(true)
        expect(messages).toEqual([before, behind].map(plain))
      }),
    )
  })

  it('may be longer than this version knows: what trails is skipped', () => {
    fc.assert(
      fc.property(
        message,
        message,
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        (longer, behind, tail) => {
          const writer = new Writer()
          longer.write(writer)
          writer.raw(tail).patchU16(1, writer.length - MESSAGE_HEADER_BYTES)
          behind.write(writer)
          expect(decode(writer.copy())).toEqual({ messages: [longer, behind].map(plain), wellFormed: true })
        },
      ),
    )
  })

  it('that are cut off anywhere are refused, those before them count', () => {
    fc.assert(
      fc.property(message, message, fc.nat(), (whole, cut, at) => {
        const first = bodyOf([whole])
        const both = bodyOf([whole, cut])
        const body = both.slice(0, first.length + 1 + (at % (both.length - first.length - 1)))
        expect(decode(body)).toEqual({ messages: [plain(whole)], wellFormed: false })
      }),
    )
  })

  it('of unknown type that are cut off are refused, too', () => {
    expect(decode(Uint8Array.of(99, 0, 2, 1)).wellFormed).toBe(false)
    expect(decode(Uint8Array.of(99, 0)).wellFormed).toBe(false)
    expect(decode(Uint8Array.of(99, 0, 1, 1)).wellFormed).toBe(true)
  })

  it('whose length is too short for what they hold are refused', () => {
    fc.assert(
      fc.property(message, fc.nat(), (message, less) => {
        const bytes = bodyOf([message])
        const payload = bytes.length - MESSAGE_HEADER_BYTES
        const length = payload - 1 - (less % payload)
        const body = new Writer().raw(bytes.subarray(0, MESSAGE_HEADER_BYTES + length))
        body.patchU16(1, length)
        expect(decode(body.copy())).toEqual({ messages: [], wellFormed: false })
      }),
    )
  })

  it('end where the handler says so', () => {
    const body = new Writer()
    for (let i = 0; i < 3; i++) writeNack(body, { token: { high: 0, low: i }, sourceId: 0 })
    let seen = 0
    expect(readMessages(body.view(), () => ++seen < 2)).toBe(false)
    expect(seen).toBe(2)
  })

  it('may be none', () => {
    expect(decode(new Uint8Array(0))).toEqual({ messages: [], wellFormed: true })
  })

  it('never throw, whatever the bytes', () => {
    const known = fc
      .tuple(fc.integer({ min: 0, max: 8 }), fc.uint8Array({ maxLength: 120 }))
      .map(([type, payload]) => [type, 0, payload.length, ...payload])
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(known, { maxLength: 3 }).map((list) => Uint8Array.from(list.flat())),
    )
    fc.assert(
      fc.property(body, (body) => {
        decode(body)
      }),
      { numRuns: 2000 },
    )
  })

  it('never throw, whichever byte of a good one is wrong', () => {
    fc.assert(
      fc.property(message, fc.nat(), fc.integer({ min: 1, max: 255 }), (message, at, flip) => {
        const body = bodyOf([message])
        body[at % body.length]! ^= flip
        decode(body)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('bounds', () => {
  const nothing = { token: { high: 0, low: 0 }, sourceId: 0, members: 0 }

  it('a probe with more digests than eight is refused', () => {
    const digests = Array.from({ length: MAX_PROBE_DIGESTS + 1 }, () => ({ network: 1, digest: 2 }))
    const body = (count: number): Uint8Array => {
      const writer = new Writer()
      writeAck(writer, { ...nothing, digests: digests.slice(0, count), coordinate: new Uint8Array(0) })
      return writer.copy()
    }
    expect(decode(body(MAX_PROBE_DIGESTS)).wellFormed).toBe(true)
    expect(decode(body(MAX_PROBE_DIGESTS + 1)).wellFormed).toBe(false)
  })

  it('an ack with a coordinate of more than 64 bytes is refused', () => {
    const body = (bytes: number): Uint8Array => {
      const writer = new Writer()
      writeAck(writer, { ...nothing, digests: [], coordinate: new Uint8Array(bytes) })
      return writer.copy()
    }
    expect(decode(body(MAX_COORDINATE_BYTES)).wellFormed).toBe(true)
    expect(decode(body(MAX_COORDINATE_BYTES + 1)).wellFormed).toBe(false)
  })

  it('a probe with everything that it can carry, doubts about its target included, fits the smallest packet', () => {
    const widest = { high: 0xffff_ffff, low: 0xffff_ffff }
    const writer = new Writer()
    writePing(writer, {
      token: widest,
      round: Number.MAX_SAFE_INTEGER,
      targetId: 1,
      targetNonce: 1,
      sourceId: 1,
      members: 1,
      digests: Array.from({ length: MAX_PROBE_DIGESTS }, () => ({ network: 1, digest: 2 })),
    })
    const start = beginMessage(writer, MESSAGE.member)
    writeMemberRecord(writer, {
      name: 'n'.repeat(63),
      address: '[1111:1111:1111:1111:1111:1111:1111:1111]:65535',
      epoch: { time: 2 ** 47 - 1, nonce: 0xffff_ffff },
      incarnation: Number.MAX_SAFE_INTEGER,
      left: false,
      metadata: new Uint8Array(512),
      minVersion: 1,
      maxVersion: 1,
      hard: [1, 2, 3, 4, 5],
      soft: [1, 2, 3],
      keys: [1, 2, 3, 4, 5, 6, 7, 8],
    })
    endMessage(writer, start)
    expect(writer.length).toBeLessThanOrEqual(MIN_PACKET_BYTES - PACKET_OVERHEAD_BYTES)
  })
})
