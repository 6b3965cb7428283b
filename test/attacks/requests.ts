import { memberId } from '../../src/membership/member.ts'
import { Writer } from '../../src/wire/bytes.ts'
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
import { sleep } from '../waiting.ts'
import { farewellOf, message, type Sealer } from './sealing.ts'
import type { Siege } from './siege.ts'

/** Nobody's: packets to it are seen leaving, and leave no further. */
export const STRANGER = '127.0.0.1:9'
const BUDGET_MS = 20

/** A kind of packet, and all the forms of it that may be answered differently. */
export interface Request {
  readonly name: string
  /** Whether anything comes back at all. */
  readonly answered: boolean
  bodies(siege: Siege): Uint8Array[]
}

export interface Answer {
  readonly askedBytes: number
  readonly packets: number
  readonly bytes: number
}

export const token: { high: number; low: number } = { high: 1, low: 2 }

export function encoded(write: (writer: Writer) => void): Uint8Array {
  const writer = new Writer()
  write(writer)
  return writer.copy()
}

/** What the target sends to a stranger because of one packet, such as can be caught on its way and sent from anywhere. */
export async function answerTo(siege: Siege, seal: Sealer, body: Uint8Array): Promise<Answer> {
  const { tap, cluster, table } = siege.target
  tap.withholds = ({ to }) => to === STRANGER
  // There is much to tell, so that whatever may be filled with news is.
  for (let i = 0; i < 20; i++) table.set(`k${i}`, `${i} ${token.low++}`.padEnd(60))
  cluster.setMetadata(new Uint8Array(500))
  const before = tap.sentTo(STRANGER).length
  const packet = seal(body)
  tap.inject(packet, STRANGER)
  await sleep(2 * BUDGET_MS)
  const answers = tap.sentTo(STRANGER).slice(before)
  const bytes = answers.reduce((sum, answer) => sum + answer.length, 0)
  return { askedBytes: packet.length, packets: answers.length, bytes }
}

/** Bytes that a node which has never seen it answers to the hello of a recorded stream, and those of the hello. */
export async function answerToHello(siege: Siege, hello: Uint8Array): Promise<Answer> {
  const fresh = await siege.start('fresh')
  const caller = siege.adversary.connect(fresh.cluster.self.address, [hello])
  while (caller.heard === 0) await sleep(5)
  return { askedBytes: hello.length, packets: 1, bytes: caller.heard }
}

const digests = (count: number): ProbeDigest[] =>
  Array.from({ length: count }, (_, i) => ({ network: i, digest: i }))

const sources = ({ peer, nodes }: Siege): number[] =>
  [peer.cluster.self.name, nodes[2]!.cluster.self.name, 'nobody'].map(memberId)

/** Of somebody long gone, so that what is believed does no harm. */
const LONG_AGO = { time: 1, nonce: 1 }

export const REQUESTS: readonly Request[] = [
  {
    name: 'ping',
    answered: true,
    bodies: (siege) => {
      const { name, epoch } = siege.target.cluster.self
      const targetId = memberId(name)
      return sources(siege).flatMap((sourceId) =>
        [0, 1, 8].flatMap((count) =>
          [0, epoch.nonce].map((targetNonce) => {
            const ping = { token, round: 1, targetId, targetNonce, sourceId, members: 0 }
            return encoded((writer) => writePing(writer, { ...ping, digests: digests(count) }))
          }),
        ),
      )
    },
  },
  {
    name: 'ack',
    answered: false,
    bodies: (siege) =>
      sources(siege).map((sourceId) => {
        const ack = { token, sourceId, members: 0, digests: digests(8), coordinate: new Uint8Array(0) }
        return encoded((writer) => writeAck(writer, ack))
      }),
  },
  {
    name: 'indirect ping',
    answered: true,
    bodies: (siege) => {
      const { name, address, epoch } = siege.nodes[2]!.cluster.self
      const request = { token, targetId: memberId(name), targetNonce: epoch.nonce, budgetMs: BUDGET_MS }
      return sources(siege).flatMap((sourceId) =>
        [STRANGER, address].map((named) =>
          encoded((writer) => writeIndirectPing(writer, { ...request, address: named, sourceId })),
        ),
      )
    },
  },
  {
    name: 'nack',
    answered: false,
    bodies: (siege) =>
      sources(siege).map((sourceId) => encoded((writer) => writeNack(writer, { token, sourceId }))),
  },
  {
    name: 'member',
    answered: false,
    bodies: ({ peer, target }) =>
      [peer, target].map(({ cluster }) => farewellOf({ ...cluster.self, epoch: LONG_AGO })),
  },
  {
    name: 'entry',
    answered: false,
    bodies: () =>
      ['blue', 'nowhere'].map((network) =>
        message(MESSAGE.entry, (writer) =>
          writeEntryEvent(writer, {
            network,
            owner: 'nobody',
            epoch: LONG_AGO,
            base: 0,
            item: { seq: 1, key: 't\u0000k', value: new Uint8Array(9), stamp: 1 },
            superseded: [],
          }),
        ),
      ),
  },
  {
    name: 'offer',
    answered: false,
    bodies: (siege) =>
      sources(siege).map((sourceId) =>
        encoded((writer) => writeOffer(writer, { sourceId, digests: digests(8) })),
      ),
  },
  {
    name: 'one that is not known',
    answered: false,
    bodies: () => [message(200, (writer) => writer.raw(new Uint8Array(500)))],
  },
  { name: 'ill-formed', answered: false, bodies: () => [Uint8Array.of(1, 0, 9, 1), new Uint8Array(0)] },
]
