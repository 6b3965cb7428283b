import { createServer } from 'node:net'
import { generateKey } from '../../src/index.ts'
import { PlainPackets } from '../../src/security/plain-packets.ts'
import { sleep, until } from '../waiting.ts'
import { farewellOf, sealer } from './sealing.ts'
import type { Attack, Caller, Siege } from './siege.ts'

/** Version, kind, key id and nonce of a sealed packet. */
const HEADER_BYTES = 22
/** More than `MAX_SESSIONS` without those that are kept. */
const FORMER_LIVES = 5_000
/** How often what was recorded is said again. */
const TIMES = 20
const HALF_OPEN_STREAMS = 1_000
/** The length of a hello, and what never becomes one in time. */
const DRIPPING = Buffer.of(0, 0, 0, 70, ...new Uint8Array(70))
const DRIP_MS = 100
const DRIPS = 20
const JUNK_PER_SECOND = 20_000
const JUNK_MS = 1_000
const JUNK_TICK_MS = 10

/** What an attack has laid by until its turn comes. */
const pasts = new WeakMap<Siege, Uint8Array[]>()
const drips = new WeakMap<Siege, Caller[]>()

/** Packets of the peer to the target, sealed and received. */
export function recorded({ peer, target }: Siege): Uint8Array[] {
  return peer.tap.sentTo(target.cluster.self.address)
}

function each(packets: readonly Uint8Array[], act: (packet: Uint8Array) => void): number {
  packets.forEach(act)
  return packets.length
}

const replays: readonly Attack[] = [
  {
    name: 'recorded packets, again, from the address of their sender',
    causes: ['replayed'],
    run: async (siege) => {
      const packets = Array.from({ length: TIMES }, () => recorded(siege)).flat()
      return each(packets, (packet) => siege.target.tap.inject(packet, siege.peer.cluster.self.address))
    },
  },
  {
    name: 'recorded packets, again, from another address',
    causes: ['replayed'],
    run: async (siege) => {
      const { address } = siege.target.cluster.self
      const packets = Array.from({ length: TIMES }, () => recorded(siege).slice(-20)).flat()
      return each(packets, (packet) => siege.adversary.send(packet, address))
    },
  },
  {
    name: 'recorded packets to a node that they were not meant for',
    causes: [],
    run: async (siege) => {
      const [target, peer, other] = siege.nodes
      const packets = peer!.tap.sentTo(other!.cluster.self.address)
      return each(packets, (packet) => target!.tap.inject(packet, siege.adversary.address))
    },
  },
  {
    name: 'all that was ever recorded, to a node that has just started anew',
    causes: [],
    prepare: async (siege) => {
      const former = await siege.start('reborn')
      await siege.settle()
      const past = siege.nodes.flatMap(({ tap }) => tap.packets.map(({ bytes }) => bytes))
      siege.nodes.pop()
      await former.cluster.close()
      await siege.start('reborn', former.cluster.self.address)
      pasts.set(siege, past)
    },
    run: async (siege) => {
      const reborn = siege.nodes.at(-1)!
      return each(pasts.get(siege)!, (packet) => reborn.tap.inject(packet, siege.adversary.address))
    },
  },
  {
    name: 'packets held back and delivered from a forged source',
    causes: [],
    run: async (siege) => {
      const { peer, target, adversary } = siege
      const { address } = target.cluster.self
      const held: Uint8Array[] = []
      peer.tap.withholds = ({ to, bytes }) => to === address && held.length < 3 && held.push(bytes) > 0
      await until(() => held.length === 3)
      peer.tap.withholds = () => false
      return each(held, (packet) => adversary.send(packet, address))
    },
  },
  {
    name: 'packets of more former lives than a node remembers, then those of the present ones',
    causes: ['replayed'],
    run: async (siege) => {
      const { target, peer, adversary } = siege
      const { epoch } = peer.cluster.self
      const former = farewellOf({ ...peer.cluster.self, epoch: { ...epoch, time: 1 } })
      const seal = await sealer(siege.key, siege.label)
      const present = recorded(siege)
      for (let life = 0; life < FORMER_LIVES; life++) {
        target.tap.inject(seal(former), adversary.address)
        seal.renew()
      }
      return each(present, (packet) => target.tap.inject(packet, adversary.address))
    },
  },
  {
    name: "a node's own packets back to it",
    causes: ['reflected'],
    run: async ({ target, peer }) =>
      each(
        target.tap.packets.map(({ bytes }) => bytes),
        (packet) => target.tap.inject(packet, peer.cluster.self.address),
      ),
  },
]

const alterations: readonly Attack[] = [
  {
    name: 'a packet with any one of its bits flipped',
    causes: ['forged', 'unknown-key', 'version', 'kind', 'plaintext'],
    run: async (siege) => {
      const packet = recorded(siege).at(-1)!
      for (let bit = 0; bit < packet.length * 8; bit++) {
        const flipped = packet.with(bit >> 3, packet[bit >> 3]! ^ (1 << (bit & 7)))
        siege.target.tap.inject(flipped, siege.peer.cluster.self.address)
      }
      return packet.length * 8
    },
  },
  {
    name: 'a packet cut off anywhere',
    causes: ['too-short', 'forged'],
    run: async (siege) => {
      const packet = recorded(siege).at(-1)!
      for (let length = 0; length < packet.length; length++) {
        siege.target.tap.inject(packet.subarray(0, length), siege.peer.cluster.self.address)
      }
      return packet.length
    },
  },
  {
    name: 'the header of a packet before the body of another, of that session and of others',
    causes: ['forged'],
    run: async (siege) => {
      const packets = [
        ...recorded(siege).slice(-20),
        ...siege.nodes[2]!.tap.packets.slice(-20).map((p) => p.bytes),
      ]
      let tried = 0
      for (const head of packets) {
        for (const body of packets) {
          if (head === body) continue
          const spliced = Buffer.concat([head.subarray(0, HEADER_BYTES), body.subarray(HEADER_BYTES)])
          siege.target.tap.inject(spliced, siege.peer.cluster.self.address)
          tried++
        }
      }
      return tried
    },
  },
  {
    name: 'a packet followed by more, by itself or by another',
    causes: ['forged'],
    run: async (siege) => {
      const packets = recorded(siege).slice(-20)
      const longer = packets.flatMap((packet) => [
        Buffer.concat([packet, Buffer.of(0)]),
        Buffer.concat([packet, packet]),
        Buffer.concat([packet, packets[0]!]),
      ])
      return each(longer, (packet) => siege.target.tap.inject(packet, siege.peer.cluster.self.address))
    },
  },
]

/** "The peer has left", sealed by somebody, in a hundred packets. */
async function farewells(siege: Siege, seal: (body: Uint8Array) => Uint8Array): Promise<number> {
  const farewell = farewellOf(siege.peer.cluster.self)
  for (let i = 0; i < 100; i++) siege.target.tap.inject(seal(farewell), siege.peer.cluster.self.address)
  return 100
}

const outsiders: readonly Attack[] = [
  {
    name: 'packets under the key with another label',
    causes: ['forged'],
    run: async (siege) => farewells(siege, await sealer(siege.key, 'another')),
  },
  {
    name: 'packets under another key',
    causes: ['unknown-key'],
    run: async (siege) => farewells(siege, await sealer(generateKey(), siege.label)),
  },
  {
    name: 'packets under another key that claim to be under this one',
    causes: ['forged'],
    run: async (siege) => {
      const keyId = recorded(siege)[0]!.subarray(2, 6)
      const seal = await sealer(generateKey(), siege.label)
      return farewells(siege, (body) => {
        const packet = seal(body)
        packet.set(keyId, 2)
        return packet
      })
    },
  },
  {
    name: 'packets in plaintext',
    causes: ['plaintext'],
    run: async (siege) => {
      const plain = new PlainPackets(siege.label)
      return farewells(siege, (body) => plain.seal(body))
    },
  },
  {
    name: 'nodes that join: with another key, with another label, without keys',
    causes: ['stream-unknown-key', 'stream-forged', 'stream-plaintext'],
    run: async (siege) => {
      const seeds = [siege.target.cluster.self.address]
      const { key } = siege
      const outsiders = [
        { keys: [generateKey()] },
        { keys: [key], label: 'another' },
        { insecure: true, keys: [] },
      ]
      const guests = await Promise.all(
        outsiders.map((options, i) => siege.guest({ name: `guest${i}`, ...options })),
      )
      for (const guest of guests) await guest.join(seeds).catch(() => {})
      const inside = guests.filter((guest) => guest.members().length > 1)
      if (inside.length > 0) throw new Error(`${inside.length} outsiders were let in`)
      return guests.length
    },
  },
]

const streams: readonly Attack[] = [
  {
    name: 'a recorded stream, again',
    causes: ['stream-replayed'],
    run: async (siege) => {
      const chunks = await siege.recordedStream()
      const callers = Array.from({ length: 20 }, () =>
        siege.adversary.connect(siege.target.cluster.self.address, chunks),
      )
      await until(() => callers.every(({ closed }) => closed))
      if (callers.some(({ heard }) => heard > 0)) throw new Error('a replayed hello was answered')
      return callers.length
    },
  },
  {
    name: 'a recorded stream to a node that has just started anew',
    causes: [],
    elsewhere: '1 `stream-forged` there',
    run: async (siege) => {
      const chunks = await siege.recordedStream()
      const reborn = siege.nodes.at(-1)!
      const dropped = (): number => reborn.cluster.metrics()['dropped.stream-forged']!
      const before = dropped()
      siege.adversary.connect(reborn.cluster.self.address, chunks)
      await until(() => dropped() > before)
      return 1
    },
  },
  {
    name: "a node's own hello back to it, and an echo in place of a peer",
    causes: ['stream-reflected', 'stream-malformed'],
    run: async ({ target, adversary }) => {
      await until(() => target.tap.streams.some(({ chunks }) => chunks.length > 2))
      const own = target.tap.streams.findLast(({ chunks }) => chunks.length > 2)!.chunks
      adversary.connect(target.cluster.self.address, own)
      const echo = createServer((socket) => socket.on('error', () => {}).pipe(socket))
      await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve))
      const { port } = echo.address() as { port: number }
      await target.cluster.join([`127.0.0.1:${port}`]).catch(() => {})
      echo.close()
      return 2
    },
  },
  {
    name: 'a stream that announces more than any frame has',
    causes: ['stream-oversized'],
    run: async ({ target, adversary }) => {
      const callers = Array.from({ length: 20 }, (_, i) =>
        adversary.connect(target.cluster.self.address, [Buffer.of(i === 0 ? 0 : 0xff, 0xff, 0xff, 0xff)]),
      )
      await until(() => callers.every(({ closed }) => closed))
      return callers.length
    },
  },
  {
    name: 'streams that drip, a byte at a time',
    causes: [],
    elsewhere: `${DRIPS} \`stream-timeout\` at another node`,
    begin: (siege) => {
      const { address } = siege.peer.cluster.self
      const callers = Array.from({ length: DRIPS }, () => siege.adversary.connect(address))
      drips.set(siege, callers)
      let at = 0
      const drip = setInterval(() => {
        const left = callers.filter(({ closed }) => !closed)
        if (left.length === 0) clearInterval(drip)
        for (const caller of left) caller.say(DRIPPING.subarray(at, at + 1))
        at++
      }, DRIP_MS)
    },
    run: async (siege) => {
      const callers = drips.get(siege)!
      await until(() => callers.every(({ closed }) => closed))
      if (callers.some(({ heard }) => heard > 0)) throw new Error('one was answered')
      if (siege.peer.cluster.metrics()['dropped.stream-timeout'] !== DRIPS)
        throw new Error('not each was cut for its time')
      return DRIPS
    },
  },
  {
    name: 'half-open streams in great number; then a member comes',
    causes: ['stream-limit'],
    least: HALF_OPEN_STREAMS / 2,
    run: async (siege) => {
      const { address } = siege.target.cluster.self
      const hello = (await siege.recordedStream())[0]!
      const callers = Array.from({ length: HALF_OPEN_STREAMS }, (_, i) =>
        siege.adversary.connect(address, i % 2 === 0 ? [] : [hello.subarray(0, 40)]),
      )
      await until(() => siege.target.cluster.metrics()['dropped.stream-limit']! >= HALF_OPEN_STREAMS / 2)
      const { cluster } = siege.peer
      if ((await cluster.join([address])) !== 1) throw new Error('no stream of a member came through')
      siege.adversary.hangUp()
      await until(() => callers.every(({ closed }) => closed))
      return HALF_OPEN_STREAMS
    },
  },
]

/** A quarter each: noise; noise under a true header up to the key's id, and up to the nonce; and the very packet. */
export function junkLike(genuine: Uint8Array): Uint8Array[] {
  return Array.from({ length: 256 }, (_, i) => {
    const random = Buffer.concat(Array.from({ length: 1 + (i % 40) }, () => generateKey()))
    if (i % 4 === 0) return random
    if (i % 4 === 1) return Buffer.concat([genuine.subarray(0, 6), random])
    if (i % 4 === 2) return genuine
    return Buffer.concat([genuine.subarray(0, HEADER_BYTES), random])
  })
}

const floods: readonly Attack[] = [
  {
    name: 'junk, 20,000 packets a second',
    causes: ['too-short', 'version', 'kind', 'plaintext', 'unknown-key', 'forged', 'replayed'],
    // Beyond the socket's buffer the kernel drops it.
    least: 1_000,
    run: async (siege) => {
      const { address } = siege.target.cluster.self
      const junk = junkLike(recorded(siege).at(-1)!)
      const perTick = (JUNK_PER_SECOND * JUNK_TICK_MS) / 1_000
      let sent = 0
      const began = performance.now()
      while (sent < (JUNK_PER_SECOND * JUNK_MS) / 1_000) {
        for (let i = 0; i < perTick; i++) siege.adversary.send(junk[sent++ % junk.length]!, address)
        const ahead = (sent * 1_000) / JUNK_PER_SECOND - (performance.now() - began)
        await sleep(Math.max(0, ahead))
      }
      return sent
    },
  },
]

/** In this order: some go on with what the ones before have left. */
export const ATTACKS: readonly Attack[] = [...alterations, ...outsiders, ...replays, ...streams, ...floods]
