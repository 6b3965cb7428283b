import { env } from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memberId } from '../../src/membership/member.ts'
import { readAlive, readCommit, readHeader, readRows, readSums } from '../../src/network-state/log-frames.ts'
import { readItems } from '../../src/network-state/log-items.ts'
import { decodeParticipation } from '../../src/network-state/participation.ts'
import { encodeFrame, FrameParser, MAX_FRAME_BYTES } from '../../src/security/frames.ts'
import { readKeys } from '../../src/security/key-exchange.ts'
import { PlainPackets } from '../../src/security/plain-packets.ts'
import { readCoordinate } from '../../src/topology/coordinate-codec.ts'
import { readAddress } from '../../src/wire/address-codec.ts'
import { Reader, Writer } from '../../src/wire/bytes.ts'
import { readEntryEvent } from '../../src/wire/entry-event.ts'
import { readEpoch } from '../../src/wire/epoch.ts'
import { readMemberRecord } from '../../src/wire/member-record.ts'
import {
  readAck,
  readIndirectPing,
  readMessages,
  readNack,
  readOffer,
  readPing,
  writePing,
} from '../../src/wire/messages.ts'
import { FuzzLab } from '../attacks/fuzz-lab.ts'
import { concat, dice, mutated } from '../attacks/mutate.ts'
import { VECTORS } from '../wire/golden-vectors.ts'

/** `HEARSAY_FUZZ_CASES` and `HEARSAY_FUZZ_SEED` make it longer, and another one. */
const CASES = Number(env.HEARSAY_FUZZ_CASES ?? 1_000_000)
const SEED = Number(env.HEARSAY_FUZZ_SEED ?? 1)
const TIMEOUT_MS = 300_000 * Math.max(1, CASES / 1_000_000)
/** What a heap may differ by after any number of cases, for reasons of its own. */
const SLACK_BYTES = 4_000_000
const HEADER_BYTES = 6
const HELLO_AND_CONFIRMATION = 2
/** What frames of streams begin with, by `docs/wire-format.md`. */
const FRAME_RECORD = Uint8Array.of(0)
const SYNC_FRAME = Uint8Array.of(1)
const HELLO_FRAME = 1
const EXCHANGE_FRAME = 2
const MEMBERS_DOMAIN = '\u0000members'
const KEYS = [Uint8Array.from({ length: 32 }, (_, i) => i)]

/** This part of all cases. */
function share(part: number): number {
  return Math.ceil(CASES * part)
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function heapBytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

const DECODERS: Readonly<Record<string, (reader: Reader) => unknown>> = {
  ping: readPing,
  ack: readAck,
  'indirect ping': readIndirectPing,
  nack: readNack,
  offer: readOffer,
  'member record': readMemberRecord,
  'entry event': readEntryEvent,
  epoch: readEpoch,
  address: readAddress,
  coordinate: readCoordinate,
  rows: readRows,
  header: readHeader,
  items: readItems,
  sums: readSums,
  commit: readCommit,
  alive: (reader) => readAlive(reader, []),
  keys: readKeys,
  participation: (reader) => decodeParticipation(reader.rest()),
  messages: (reader) => readMessages(reader.rest(), () => true),
  frames: (reader) => {
    const parser = new FrameParser(MAX_FRAME_BYTES)
    parser.feed(reader.rest())
    while (parser.next() !== undefined);
  },
}

describe('every decoder takes whatever bytes there are, throws nothing and reads nothing beyond them:', () => {
  const each = share(0.5) / Object.keys(DECODERS).length

  it.each(Object.entries(DECODERS))('%s', (_name, decode) => {
    const check = (bytes: Uint8Array): void => {
      // Some of a larger whole, as they come out of a packet.
      const whole = concat(Uint8Array.of(0xaa, 0xaa), bytes, new Uint8Array(8).fill(0xaa))
      const reader = new Reader(whole, 2, 2 + bytes.length)
      decode(reader)
      if (reader.position > 2 + bytes.length) throw new Error(`reads up to ${reader.position} of ${bytes}`)
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 1_400, size: 'max' }), check), {
      numRuns: Math.ceil(each / 20),
      seed: SEED,
    })
    const roll = dice(SEED)
    // Payloads without their type and length, too.
    const corpus = VECTORS.flatMap(({ bytes }) => [bytes, bytes.slice(1), bytes.slice(3)])
    for (let i = each / 20; i < each; i++) check(mutated(corpus, roll))
  })
})

describe('a node with keys drops and counts whatever it is sent, changes nothing and keeps none of it:', () => {
  it('packets', { timeout: TIMEOUT_MS }, async () => {
    const lab = await FuzzLab.open({ keys: KEYS }, SEED)
    const roll = dice(SEED)
    const before = lab.view()
    const fuzz = (cases: number): void => {
      const droppedBefore = lab.dropped
      for (let i = 0; i < cases; i++)
        lab.packet(mutated(lab.packets, roll), `10.6.${roll(256)}.${roll(256)}:1`)
      expect(lab.dropped - droppedBefore).toBe(cases)
      expect(lab.view()).toBe(before)
    }
    fuzz(share(0.05))
    const heap = heapBytes()
    fuzz(share(0.2))
    expect(heapBytes() - heap).toBeLessThan(SLACK_BYTES)
    expect(await lab.works()).toBe(true)
    await lab.close()
  })

  it('streams', { timeout: TIMEOUT_MS }, async () => {
    const lab = await FuzzLab.open({ keys: KEYS }, SEED)
    const roll = dice(SEED)
    const recorded = lab.streams.map((messages) => concat(...messages.map((message) => encodeFrame(message))))
    const before = lab.view()
    const fuzz = (cases: number): void => {
      for (let i = 0; i < cases; i++) {
        const bytes = mutated(recorded, roll)
        const cut = roll(bytes.length + 1)
        lab.stream([bytes.subarray(0, cut), bytes.subarray(cut)])
      }
      expect(lab.view()).toBe(before)
    }
    fuzz(share(0.01))
    const heap = heapBytes()
    fuzz(share(0.04))
    expect(heapBytes() - heap).toBeLessThan(SLACK_BYTES)
    expect(lab.answered).toBe(0)
    expect(await lab.works()).toBe(true)
    await lab.close()
  })
})

describe('a node without keys, to which everyone may say everything, stays up and within its bounds:', () => {
  /** A node does not get rid of members that never were: now and then another one is taken. */
  const CASES_PER_LAB = 2_500

  async function inLabs(
    cases: number,
    act: (lab: FuzzLab, roll: (below: number) => number) => void,
  ): Promise<void> {
    const roll = dice(SEED)
    for (let done = 0; done < cases; done += CASES_PER_LAB) {
      const lab = await FuzzLab.open({ insecure: true }, SEED + done)
      for (let i = 0; i < Math.min(CASES_PER_LAB, cases - done); i++) {
        act(lab, roll)
        if (i % 25 === 0) lab.network.run(5)
      }
      lab.network.run(1_000)
      const metrics = lab.target.metrics()
      expect(metrics['members.known']).toBeLessThanOrEqual(2 + CASES_PER_LAB * 20)
      expect(metrics['members.queue']).toBeLessThanOrEqual(16_384)
      expect(answersPings(lab)).toBe(true)
      lab.view()
      await lab.close()
    }
  }

  function answersPings(lab: FuzzLab): boolean {
    const writer = new Writer()
    writePing(writer, {
      token: { high: 1, low: 1 },
      round: 1,
      targetId: memberId('target'),
      targetNonce: 0,
      sourceId: 0,
      members: 0,
      digests: [],
    })
    const before = lab.target.metrics()['traffic.packetsOut']!
    lab.packet(new PlainPackets('fuzz').seal(writer.view()))
    return lab.target.metrics()['traffic.packetsOut']! > before
  }

  it('packets', { timeout: TIMEOUT_MS }, async () => {
    const plain = new PlainPackets('fuzz')
    await inLabs(share(0.15), (lab, roll) => {
      const bodies = lab.packets.map((packet) => packet.subarray(HEADER_BYTES))
      lab.packet(plain.seal(mutated(bodies, roll)))
    })
  })

  it('frames of streams', { timeout: TIMEOUT_MS }, async () => {
    await inLabs(share(0.03), (lab, roll) => {
      const messages = lab.streams[roll(lab.streams.length)]!
      const all = lab.streams.flatMap((stream) => stream.slice(HELLO_AND_CONFIRMATION))
      const struck = HELLO_AND_CONFIRMATION + roll(messages.length)
      const said = messages.map((message, i) =>
        i === struck ? concat(FRAME_RECORD, mutated([message.subarray(1), ...all], roll)) : message,
      )
      lab.stream(said.map((message) => encodeFrame(message)))
    })
  })

  it('exchanges of members and of logs, frames in any order', { timeout: TIMEOUT_MS }, async () => {
    let exchanged = 0
    const parts = VECTORS.map(({ bytes }) => bytes)
    await inLabs(share(0.02), (lab, roll) => {
      const domain = [MEMBERS_DOMAIN, 'blue', ''][roll(3)]!
      const hello = new Writer().u8(HELLO_FRAME).string('peer').varint(1).string(domain).u32(roll(9)).u32(0)
      const frames = Array.from({ length: 1 + roll(8) }, () => {
        const part = roll(2) === 0 ? parts[roll(parts.length)]! : mutated(parts, roll)
        return new Writer().u8(EXCHANGE_FRAME).bytes(part).copy()
      })
      const opening = lab.streams[0]!.slice(0, HELLO_AND_CONFIRMATION)
      const records = [SYNC_FRAME, hello.copy(), ...frames].map((frame) => concat(FRAME_RECORD, frame))
      lab.stream([...opening, ...records].map((message) => encodeFrame(message)))
      exchanged = Math.max(exchanged, lab.target.metrics()['sync.accepted']!)
    })
    expect(exchanged).toBeGreaterThan(0)
  })
})
