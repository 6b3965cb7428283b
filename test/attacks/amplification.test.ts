import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memberId } from '../../src/membership/member.ts'
import { writePing } from '../../src/wire/messages.ts'
import { until } from '../waiting.ts'
import { answerTo, answerToHello, encoded, REQUESTS, STRANGER, token } from './requests.ts'
import { type Sealer, sealer } from './sealing.ts'
import { Siege } from './siege.ts'

/** Where packets of a member come from that says to be elsewhere. */
const ALIAS = '127.0.0.1:10'

let siege: Siege
let seal: Sealer

beforeAll(async () => {
  siege = await Siege.begin()
  seal = await sealer(siege.key, siege.label)
})

afterAll(() => siege.close())

describe('an address at which no member is known to be gets at most one packet for one, and no byte more than it sent', () => {
  it.each(REQUESTS)('$name', async ({ bodies, answered }) => {
    let packets = 0
    for (const body of bodies(siege)) {
      const answer = await answerTo(siege, seal, body)
      expect(answer.packets).toBeLessThanOrEqual(1)
      expect(answer.bytes).toBeLessThanOrEqual(answer.askedBytes)
      packets += answer.packets
    }
    expect(packets > 0).toBe(answered)
  })

  it('the hello of a stream', async () => {
    const answer = await answerToHello(siege, (await siege.recordedStream())[0]!)
    expect(answer.bytes).toBeLessThanOrEqual(answer.askedBytes)
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
