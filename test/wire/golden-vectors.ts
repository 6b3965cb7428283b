import { STREAM_SYNC } from '../../src/dissemination/anti-entropy.ts'
import { type SyncDomain, SyncSession } from '../../src/dissemination/sync-session.ts'
import { MemberExchange } from '../../src/membership/member-exchange.ts'
import { MemberList } from '../../src/membership/member-list.ts'
import { answerByStream, pingByStream } from '../../src/membership/stream-ping.ts'
import {
  aliveFrames,
  commitFrame,
  headerFrame,
  itemsFrame,
  LOG_FRAME,
  rowFrames,
} from '../../src/network-state/log-frames.ts'
import { encodeParticipation } from '../../src/network-state/participation.ts'
import { Ranges } from '../../src/network-state/ranges.ts'
import type { FrameHandlers } from '../../src/security/frames.ts'
import { writeKeys } from '../../src/security/key-exchange.ts'
import type { KeyLattice } from '../../src/security/key-lattice.ts'
import { writeCoordinate } from '../../src/topology/coordinate-codec.ts'
import { Reader, Writer } from '../../src/wire/bytes.ts'
import { type EntryEvent, type EntryItem, entryKey, writeEntryEvent } from '../../src/wire/entry-event.ts'
import { type MemberRecord, writeMemberRecord } from '../../src/wire/member-record.ts'
import {
  beginMessage,
  endMessage,
  MESSAGE,
  writeAck,
  writeIndirectPing,
  writeNack,
  writeOffer,
  writePing,
} from '../../src/wire/messages.ts'
import { PipeEnd } from '../dissemination/frame-pipe.ts'
import { TestClock } from '../dissemination/test-clock.ts'

/** What goes on the wire for a given thing, by what this build writes. `docs/wire-format.md` shows the same bytes. */
export interface Vector {
  readonly name: string
  readonly bytes: Uint8Array
}

const TOKEN = { high: 0x01234567, low: 0x89abcdef }
export const EPOCH = { time: 1_735_689_600_000, nonce: 0xcafef00d }
const A_ID = 0xf43d3b2e
const B_ID = 0x5c3ae4e9

export const RECORD: MemberRecord = {
  name: 'a',
  address: '10.0.0.1:7946',
  epoch: EPOCH,
  incarnation: 300,
  left: false,
  metadata: Uint8Array.of(0x6d, 0x64),
  minVersion: 1,
  maxVersion: 1,
  hard: [A_ID],
  soft: [],
  keys: [],
}

export const LEFT: MemberRecord = {
  ...RECORD,
  name: 'é',
  address: '[fd00::2]:7946',
  incarnation: 0,
  left: true,
  metadata: new Uint8Array(0),
  hard: [],
  soft: [1, 2],
}

export const WITH_KEYS: MemberRecord = { ...RECORD, hard: [], keys: [0xbeef0001, 0x0000cafe] }

export const SET: EntryItem = {
  seq: 5,
  key: entryKey('peers', '10.1.0.7'),
  value: Uint8Array.of(0x7b, 0x7d),
  stamp: 2 ** 40,
}
export const DELETE: EntryItem = { seq: 6, key: entryKey('peers', 'x'), value: undefined, stamp: 1 }
const EMPTY: EntryItem = { seq: 7, key: entryKey('peers', 'x'), value: new Uint8Array(0), stamp: 2 }

export const EVENTS: Readonly<Record<string, EntryEvent>> = {
  set: { network: 'blue', owner: 'a', epoch: EPOCH, base: 2, item: SET, superseded: [] },
  delete: { network: 'blue', owner: 'a', epoch: EPOCH, base: 0, item: DELETE, superseded: [] },
  'empty value': { network: '', owner: 'a', epoch: EPOCH, base: 0, item: EMPTY, superseded: [] },
  superseding: { network: 'blue', owner: 'a', epoch: EPOCH, base: 0, item: DELETE, superseded: [1, 2, 5, 5] },
}

function written(write: (writer: Writer) => void): Uint8Array {
  const writer = new Writer()
  write(writer)
  return writer.copy()
}

function message(type: number, write: (writer: Writer) => void): Uint8Array {
  return written((writer) => {
    const start = beginMessage(writer, type)
    write(writer)
    endMessage(writer, start)
  })
}

const coordinate = written((writer) => {
  writeCoordinate(writer, { vector: [1, -0.5, 0, 0, 0, 0, 0, 0], height: 0.25, adjustment: -1, error: 0.5 })
})

function messages(): Vector[] {
  const digests = [{ network: 0xff19274a, digest: 0xdeadbeef }]
  const vectors: Vector[] = [
    {
      name: 'ping',
      bytes: written((writer) =>
        writePing(writer, {
          token: TOKEN,
          round: 300,
          targetId: B_ID,
          targetNonce: EPOCH.nonce,
          sourceId: A_ID,
          members: 0x0badf00d,
          digests,
        }),
      ),
    },
    {
      name: 'ack',
      bytes: written((writer) =>
        writeAck(writer, { token: TOKEN, sourceId: B_ID, members: 0x0badf00d, digests, coordinate }),
      ),
    },
    {
      name: 'ack, passed on by a helper',
      bytes: written((writer) =>
        writeAck(writer, {
          token: TOKEN,
          sourceId: B_ID,
          members: 0x0badf00d,
          digests: [],
          coordinate: new Uint8Array(0),
        }),
      ),
    },
    {
      name: 'indirect ping',
      bytes: written((writer) =>
        writeIndirectPing(writer, {
          token: TOKEN,
          address: '10.0.0.1:7946',
          targetId: A_ID,
          targetNonce: EPOCH.nonce,
          sourceId: B_ID,
          budgetMs: 500,
        }),
      ),
    },
    { name: 'nack', bytes: written((writer) => writeNack(writer, { token: TOKEN, sourceId: B_ID })) },
    { name: 'offer', bytes: written((writer) => writeOffer(writer, { sourceId: A_ID, digests })) },
    { name: 'member', bytes: message(MESSAGE.member, (writer) => writeMemberRecord(writer, RECORD)) },
    { name: 'member that left', bytes: message(MESSAGE.member, (writer) => writeMemberRecord(writer, LEFT)) },
    {
      name: 'member with keys',
      bytes: message(MESSAGE.member, (writer) => writeMemberRecord(writer, WITH_KEYS)),
    },
  ]
  for (const [what, event] of Object.entries(EVENTS)) {
    vectors.push({
      name: `entry, ${what}`,
      bytes: message(MESSAGE.entry, (writer) => writeEntryEvent(writer, event)),
    })
  }
  return vectors
}

/** An end of a stream that leads nowhere: it keeps what is sent. */
function deadEnd(): PipeEnd {
  return PipeEnd.pair({ schedule() {} })[0]
}

function syncFrames(): Vector[] {
  const domain: SyncDomain = {
    name: 'blue',
    mismatchIntervalMs: 0,
    digest: () => ({ high: 0x01020304, low: 0x05060708 }),
    open: () => ({ receive: () => true, next: () => undefined, movedBytes: 0, done: false, close() {} }),
  }
  const stream = deadEnd()
  new SyncSession('initiator', 'a', [domain], () => {}).start(stream)
  return [
    { name: 'sync, opening', bytes: Uint8Array.of(STREAM_SYNC) },
    { name: 'sync, hello', bytes: stream.frames[0]! },
  ]
}

function memberFrames(): Vector[] {
  const list = new MemberList({ ...RECORD, hard: [] })
  list.add(LEFT, 'left', 0)
  const host = {
    members: list,
    mayName: () => true,
    mayTell: () => true,
    learn: () => {},
    hearNews: () => {},
    heardAll: () => {},
    claimName: (tell: (self: typeof list.self | undefined) => void) => tell(list.self),
  }
  const initiator = new MemberExchange('initiator', host, () => {}, 'b')
  const summary = initiator.next()!
  const wanted = new MemberExchange(
    'responder',
    { ...host, members: new MemberList({ ...RECORD, name: 'b' }), mayName: () => false },
    () => {},
    'a',
  )
  wanted.receive(new Reader(summary))
  const responder = new MemberExchange('responder', host, () => {}, 'b')
  responder.receive(new Reader(new Writer().u8(1).u8(1).varint(0).copy()))
  return [
    { name: 'members, summary', bytes: summary },
    { name: 'members, records', bytes: responder.next()! },
    { name: 'members, wanted', bytes: wanted.next()! },
    { name: 'members, end', bytes: wanted.next()! },
  ]
}

function logFrames(): Vector[] {
  const ranges = Ranges.none()
  ranges.add(7, 9)
  ranges.add(20)
  const none = { time: 0, nonce: 0 }
  const rows = [
    { owner: 'a', id: EPOCH, contiguous: 5, ranges },
    { owner: 'b', id: none, contiguous: 0, ranges: Ranges.none() },
  ]
  return [
    { name: 'logs, rows', bytes: rowFrames(rows)[0]! },
    { name: 'logs, header', bytes: headerFrame({ owner: 'a', id: EPOCH, base: 2, from: 4 }) },
    { name: 'logs, items', bytes: itemsFrame([SET, DELETE], 0).frame },
    { name: 'logs, alive', bytes: aliveFrames(ranges)[0]! },
    { name: 'logs, commit', bytes: commitFrame(5, ranges, true) },
    { name: 'logs, end', bytes: Uint8Array.of(LOG_FRAME.end) },
  ]
}

function keyFrame(): Vector {
  const [used, next] = [0x0000cafe, 0xbeef0001]
  const lattice: KeyLattice = {
    floor: { generation: 1, id: used },
    keys: [
      { generation: 1, id: used, stage: 'use' },
      { generation: 2, id: next, stage: 'install' },
    ],
  }
  const bytes = new Map([used, next].map((id, i) => [id, new Uint8Array(32).fill(i + 1)]))
  return { name: 'keys', bytes: writeKeys({ lattice, bytes }) }
}

function streamPing(): Vector[] {
  const [near, far] = [deadEnd(), deadEnd()]
  const opened: FrameHandlers[] = []
  const connect = (handlers: FrameHandlers): PipeEnd => {
    opened.push(handlers)
    return near
  }
  const target = { id: B_ID, nonce: EPOCH.nonce }
  pingByStream(new TestClock().runtime(1), connect, target, 1, () => {})
  opened[0]!.onOpen()
  const opening = near.frames[0]!
  answerByStream(far, opening, () => true)
  return [
    { name: 'stream ping', bytes: opening },
    { name: 'stream ping, answer', bytes: far.frames[0]! },
  ]
}

export const VECTORS: readonly Vector[] = [
  ...messages(),
  ...syncFrames(),
  ...memberFrames(),
  keyFrame(),
  ...logFrames(),
  ...streamPing(),
  { name: 'participation', bytes: encodeParticipation({ epoch: EPOCH, base: 2 }) },
  { name: 'coordinate', bytes: coordinate },
]
