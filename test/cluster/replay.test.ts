import { beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, generateKey } from '../../src/index.ts'
import { memberId } from '../../src/membership/member.ts'
import { Writer } from '../../src/wire/bytes.ts'
import { writeOffer, writePing } from '../../src/wire/messages.ts'
import { hashString } from '../../src/wire/mix.ts'
import { type Sealer, sealer } from '../attacks/sealing.ts'
import { Adversary } from '../attacks/siege.ts'
import { Tap } from '../attacks/tap.ts'
import { alive, sleep, start, statusOf, until } from './nodes.ts'

interface Recording {
  readonly packets: readonly Uint8Array[]
  readonly streams: readonly Uint8Array[][]
  /** Where they came from, where nobody is any more. */
  readonly from: string
  /** Where they went to, and where nobody is either. */
  readonly to: string
}

/** All that a node, which has entries and pings, said to another one in its life, recorded on the wire. */
async function recordedLife(): Promise<Recording> {
  const tap = new Tap()
  const listener = await start({ name: 'listener' })
  const ghost = await start({ name: 'ghost', runtime: tap, seeds: [listener.self.address] })
  const table = (await ghost.joinNetwork('blue')).table<string>('t')
  await listener.joinNetwork('blue')
  // So that what it says of its state differs from that of any node that begins.
  table.set('k', 'of old')
  const { address: to } = listener.self
  await until(() => tap.sentTo(to).length > 40 && tap.streams.some(({ chunks }) => chunks.length > 2))
  const from = ghost.self.address
  await ghost.close()
  await listener.close()
  return { packets: tap.sentTo(to), streams: tap.streams.map(({ chunks }) => chunks), from, to }
}

let recording: Recording

beforeAll(async () => {
  recording = await recordedLife()
})

/** A node that knows of nobody but a friend, and neither of anybody else. */
async function fresh(name: string): Promise<{ node: Cluster; tap: Tap }> {
  const tap = new Tap()
  const node = await start({ name, runtime: tap })
  const friend = await start({ name: 'friend', seeds: [node.self.address] })
  await Promise.all([node.joinNetwork('blue'), friend.joinNetwork('blue')])
  await until(() => alive(node).length === 2)
  return { node, tap }
}

function bodyOf(write: (writer: Writer) => void): Uint8Array {
  const writer = new Writer()
  write(writer)
  return writer.copy()
}

function played(tap: Tap, { packets, from }: Recording): void {
  for (const packet of packets) tap.inject(packet, from)
}

it('to a node that has just started a recorded member appears, which fails as it does not answer; then nothing is left of it to see', async () => {
  const { node, tap } = await fresh('fresh')
  const told: string[] = []
  for (const event of ['member-up', 'member-failed'] as const) {
    node.on(event, ({ name }) => told.push(`${event} ${name}`))
  }
  played(tap, recording)
  expect(statusOf(node, 'ghost')).toBe('alive')
  const before = node.metrics()['dropped.replayed']!
  played(tap, recording)
  expect(node.metrics()['dropped.replayed']! - before).toBe(recording.packets.length)
  await until(() => statusOf(node, 'ghost') === 'failed')
  expect(told).toEqual(['member-up ghost', 'member-failed ghost'])
  const table = node.network('blue').table<string>('t')
  expect(table.get('k')).toBeUndefined()
  table.set('k', 'of today')
  expect(table.get('k')).toEqual({ value: 'of today', owner: 'fresh' })
})

it('recorded requests mean a former life of the node, and recorded answers no question of this one', async () => {
  // Of the same name, and at the same address.
  const tap = new Tap()
  const node = await start({ name: 'listener', bind: recording.to, runtime: tap, probeTimeoutMs: 1_000 })
  played(tap, recording)
  expect(node.metrics()['membership.misdirected']).toBeGreaterThan(3)
  expect(node.metrics()['sync.mismatches']).toBe(0)
})

describe('in a session in which its sender has not answered yet, as in one whose packets are played again,', () => {
  const key = generateKey()
  const token = { high: 1, low: 2 }
  const digests = [{ network: hashString(''), digest: 7 }]

  async function besieged(): Promise<{ node: Cluster; peer: Cluster; tap: Tap; seal: Sealer }> {
    const tap = new Tap()
    const node = await start({ name: 'node', keys: [key], runtime: tap })
    const peer = await start({ name: 'peer', keys: [key], seeds: [node.self.address] })
    await until(() => alive(node).length === 2 && node.metrics()['members.queue'] === 0)
    return { node, peer, tap, seal: await sealer(key, '') }
  }

  const said: [string, (node: Cluster, peer: Cluster) => Uint8Array][] = [
    [
      'a digest',
      ({ self }, peer) => {
        const sourceId = memberId(peer.self.name)
        const target = { targetId: memberId(self.name), targetNonce: self.epoch.nonce }
        return bodyOf((writer) =>
          writePing(writer, { token, round: 1, ...target, sourceId, members: 5, digests }),
        )
      },
    ],
    [
      'an offer',
      (_, peer) => bodyOf((writer) => writeOffer(writer, { sourceId: memberId(peer.self.name), digests })),
    ],
  ]

  it.each(said)('%s leads to a question to the sender, and to nothing else', async (what, body) => {
    const { node, peer, tap, seal } = await besieged()
    const { address } = peer.self
    await sleep(300)
    for (let i = 0; i < 10; i++) {
      const asked = tap.sentTo(address).length
      const { 'sync.started': started } = node.metrics()
      tap.inject(seal(body(node, peer)), address)
      expect(node.metrics()['sync.started']).toBe(started)
      // One packet answers the ping, another one asks.
      expect(tap.sentTo(address).length - asked).toBeLessThanOrEqual(what === 'a digest' ? 2 : 1)
      if (what === 'a digest') await sleep(20)
    }
    expect(statusOf(node, 'peer')).toBe('alive')
  })
})

it('recorded streams do nothing to a node that has just started', async () => {
  const { node } = await fresh('fresh')
  const adversary = await Adversary.begin()
  const callers = recording.streams.map((chunks) => adversary.connect(node.self.address, chunks))
  await until(() => callers.every(({ closed }) => closed))
  // Each that went on beyond its hello, in a way that no holder of the key goes on.
  const further = recording.streams.filter(({ length }) => length > 1).length
  expect(further).toBeGreaterThan(0)
  expect(node.metrics()['dropped.stream-forged']).toBe(further)
  expect(alive(node)).toEqual(['fresh', 'friend'])
  // A reply is shorter than the hello that it answers, and nothing follows it.
  expect(adversary.heard).toBeLessThan(adversary.said)
  adversary.close()
})
