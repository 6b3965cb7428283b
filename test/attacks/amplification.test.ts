import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memberId } from '../../src/membership/member.ts'
import type { Writer } from '../../src/wire/bytes.ts'
import { Writer as ByteWriter } from '../../src/wire/bytes.ts'
import { writeEntryEvent } from '../../src/wire/entry-event.ts'
import {
  MESSAGE,
  type ProbeDigest,
  writeAck,
  writeIndirectPing,
  writeNack,
  writeOffer,
  writePing,
} from '../../src/wire/messages.ts'
import { sleep, until } from '../waiting.ts'
import { farewellOf, message, sealer } from './sealing.ts'
import { Siege } from './siege.ts'

/** Nobody's: packets to it are seen leaving, and leave no further. */
const STRANGER = '127.0.0.1:9'
/** Where packets of a member come from that says to be elsewhere. */
const ALIAS = '127.0.0.1:10'
const BUDGET_MS = 20
const token = { high: 1, low: 2 }

let siege: Siege
let seal: (body: Uint8Array) => Uint8Array

beforeAll(async () => {
  siege = await Siege.begin()
  seal = await sealer(siege.key, siege.label)
  siege.target.tap.withholds = ({ to }) => to === STRANGER
})

afterAll(() => siege.close())

function encoded(write: (writer: Writer) => void): Uint8Array {
  const writer = new ByteWriter()
  write(writer)
  return writer.copy()
}

/** What the target sends to a stranger because of one packet, such as can be caught on its way and sent from anywhere. */
async function answerTo(body: Uint8Array): Promise<{ asked: number; packets: number; bytes: number }> {
  const { tap, cluster, table } = siege.target
  // There is much to tell, so that whatever may be filled with news is.
  for (let i = 0; i < 20; i++) table.set(`k${i}`, `${i} ${token.low++}`.padEnd(60))
  cluster.setMetadata(new Uint8Array(500))
  const before = tap.sentTo(STRANGER).length
  const packet = seal(body)
  tap.inject(packet, STRANGER)
  await sleep(2 * BUDGET_MS)
  const answers = tap.sentTo(STRANGER).slice(before)
  const bytes = answers.reduce((sum, answer) => sum + answer.length, 0)
  return { asked: packet.length, packets: answers.length, bytes }
}

describe('an address at which no member is known to be gets at most one packet for one, and no byte more than it sent', () => {
  const digests = (count: number): ProbeDigest[] =>
    Array.from({ length: count }, (_, i) => ({ network: i, digest: i }))
  const sources = (): number[] =>
    [siege.peer.cluster.self.name, siege.nodes[2]!.cluster.self.name, 'nobody'].map(memberId)

  const pings = (): Uint8Array[] => {
    const { name, epoch } = siege.target.cluster.self
    return sources().flatMap((sourceId) =>
      [0, 1, 8].flatMap((count) =>
        [0, epoch.nonce].map((targetNonce) =>
          encoded((writer) =>
            writePing(writer, {
              token,
              round: 1,
              targetId: memberId(name),
              targetNonce,
              sourceId,
              members: 0,
              digests: digests(count),
            }),
          ),
        ),
      ),
    )
  }

  const acks = (): Uint8Array[] =>
    sources().map((sourceId) =>
      encoded((writer) =>
        writeAck(writer, { token, sourceId, members: 0, digests: digests(8), coordinate: new Uint8Array(0) }),
      ),
    )

  const indirectPings = (): Uint8Array[] => {
    const { name, address, epoch } = siege.nodes[2]!.cluster.self
    return sources().flatMap((sourceId) =>
      [STRANGER, address].map((named) =>
        encoded((writer) =>
          writeIndirectPing(writer, {
            token,
            address: named,
            targetId: memberId(name),
            targetNonce: epoch.nonce,
            sourceId,
            budgetMs: BUDGET_MS,
          }),
        ),
      ),
    )
  }

  const nacks = (): Uint8Array[] =>
    sources().map((sourceId) => encoded((writer) => writeNack(writer, { token, sourceId })))

  const members = (): Uint8Array[] => {
    // Of somebody long gone, so that what is believed does no harm.
    const epoch = { time: 1, nonce: 1 }
    return [
      farewellOf({ ...siege.peer.cluster.self, epoch }),
      farewellOf({ ...siege.target.cluster.self, epoch }),
    ]
  }

  const entries = (): Uint8Array[] =>
    ['blue', 'nowhere'].map((network) =>
      message(MESSAGE.entry, (writer) =>
        writeEntryEvent(writer, {
          network,
          owner: 'nobody',
          epoch: { time: 1, nonce: 1 },
          base: 0,
          item: { seq: 1, key: 't\u0000k', value: new Uint8Array(9), stamp: 1 },
          superseded: [],
        }),
      ),
    )

  const offers = (): Uint8Array[] =>
    sources().map((sourceId) => encoded((writer) => writeOffer(writer, { sourceId, digests: digests(8) })))

  it.each<[string, () => Uint8Array[], boolean]>([
    ['ping', pings, true],
    ['ack', acks, false],
    ['indirect ping', indirectPings, true],
    ['nack', nacks, false],
    ['member', members, false],
    ['entry', entries, false],
    ['offer', offers, false],
    ['one that is not known', () => [message(200, (writer) => writer.raw(new Uint8Array(500)))], false],
    ['ill-formed', () => [Uint8Array.of(1, 0, 9, 1), new Uint8Array(0)], false],
  ])('%s', async (_type, bodies, answered) => {
    let packets = 0
    for (const body of bodies()) {
      const answer = await answerTo(body)
      expect(answer.packets).toBeLessThanOrEqual(1)
      expect(answer.bytes).toBeLessThanOrEqual(answer.asked)
      packets += answer.packets
    }
    expect(packets > 0).toBe(answered)
  })

  it('the hello of a stream', async () => {
    const { address } = siege.target.cluster.self
    await until(() => siege.peer.tap.streams.some(({ to, chunks }) => to === address && chunks.length > 1))
    const own = siege.peer.tap.streams.find(({ chunks }) => chunks.length > 1)!.chunks
    // To a node that has not seen it: the only one that answers.
    const fresh = await siege.start('fresh')
    const caller = siege.adversary.connect(fresh.cluster.self.address, [own[0]!])
    await until(() => caller.heard > 0)
    expect(caller.heard).toBeLessThanOrEqual(own[0]!.length)
  })
})

describe('a member that is where it says', () => {
  it('is answered with all that there is to tell it', async () => {
    const { target, peer } = siege
    const { name } = target.cluster.self
    const sourceId = memberId(peer.cluster.self.name)
    const ping = encoded((writer) =>
      writePing(writer, {
        token,
        round: 1,
        targetId: memberId(name),
        targetNonce: 0,
        sourceId,
        members: 0,
        digests: [],
      }),
    )
    target.cluster.setMetadata(new Uint8Array(512))
    const before = target.tap.packets.length
    const packet = seal(ping)
    target.tap.inject(packet, peer.cluster.self.address)
    expect(target.tap.packets[before]!.bytes.length).toBeGreaterThan(packet.length)
  })

  it('is where it has answered a question from, too', async () => {
    const { target, peer } = siege
    const { address } = target.cluster.self
    target.tap.withholds = ({ to }) => to === STRANGER || to === ALIAS
    peer.tap.withholds = ({ to, bytes }) => {
      if (to === address) queueMicrotask(() => target.tap.inject(bytes, ALIAS))
      return to === address
    }
    await until(() => {
      target.cluster.setMetadata(new Uint8Array(512))
      return target.tap.sentTo(ALIAS).some(({ length }) => length > 512)
    })
  })
})
