import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BroadcastQueue } from '../../src/dissemination/broadcast-queue.ts'
import { Gossip, type NewsSource } from '../../src/dissemination/gossip.ts'
import { type Peer, sample } from '../../src/dissemination/peer.ts'
import { Reader, Writer } from '../../src/wire/bytes.ts'
import { MIN_PACKET_BYTES, PACKET_OVERHEAD_BYTES } from '../../src/wire/limits.ts'
import { randomNumbers, TestClock } from './test-clock.ts'

const OPTIONS = { gossipIntervalMs: 200, gossipFanout: 3, packetBytes: 1400 }
const LIMIT = 6
/** Source, number and length in front of every news. */
const NEWS_HEADER_BYTES = 5
const PROBE = 0xff

interface News {
  readonly source: number
  readonly number: number
}

interface Sent {
  readonly atMs: number
  readonly to: string
  readonly bytes: number
  readonly news: readonly News[]
}

/** News for those peers that are named. */
class TestSource implements NewsSource {
  readonly queue = new BroadcastQueue(10_000)
  readonly number: number
  hearers: readonly Peer[]
  offering = false
  readonly #random: () => number

  constructor(number: number, hearers: readonly Peer[], seed = 1) {
    this.number = number
    this.hearers = hearers
    this.#random = randomNumbers(seed)
  }

  put(number: number, bytes = NEWS_HEADER_BYTES): void {
    const writer = new Writer().u8(this.number).u16(number).u16(bytes)
    this.queue.put(`${number}`, writer.raw(new Uint8Array(bytes - NEWS_HEADER_BYTES)).copy())
  }

  audience(): number {
    return this.hearers.length
  }

  transmitLimit(): number {
    return LIMIT
  }

  pick(count: number, preferred: readonly Peer[]): Peer[] {
    const chosen = preferred.filter((peer) => this.mayHear(peer)).slice(0, count)
    const others = sample(this.hearers, count - chosen.length, this.#random, (peer) => !chosen.includes(peer))
    return [...chosen, ...others]
  }

  mayHear(peer: Peer): boolean {
    return this.hearers.includes(peer)
  }
}

const PEERS: readonly Peer[] = Array.from({ length: 8 }, (_, i) => ({
  name: `p${i}`,
  address: `10.0.0.${i}:1`,
}))

function setUp(options: Partial<typeof OPTIONS> = {}): { clock: TestClock; gossip: Gossip; sent: Sent[] } {
  const clock = new TestClock()
  const sent: Sent[] = []
  const start = clock.now
  const gossip = new Gossip(clock.runtime(1), { ...OPTIONS, ...options }, (to, body) => {
    sent.push({ atMs: clock.now - start, to, bytes: body.length, news: newsOf(body) })
  })
  return { clock, gossip, sent }
}

function newsOf(body: Uint8Array): News[] {
  const reader = new Reader(body)
  const news: News[] = []
  while (reader.remaining > 0) {
    const source = reader.u8()
    const number = reader.u16()
    reader.raw(reader.u16() - NEWS_HEADER_BYTES)
    if (source !== PROBE) news.push({ source, number })
  }
  expect(reader.failed).toBe(false)
  return news
}

function copiesOf(sent: readonly Sent[], source: number, number: number): number {
  const isIt = (news: News): boolean => news.source === source && news.number === number
  return sent.filter(({ news }) => news.some(isIt)).length
}

function writeProbe(writer: Writer, bytes = 40): void {
  writer
    .u8(PROBE)
    .u16(0)
    .u16(bytes)
    .raw(new Uint8Array(bytes - NEWS_HEADER_BYTES))
}

describe('the first round', () => {
  it('leaves within 5 ms, to as many peers as the fanout says', () => {
    const { clock, gossip, sent } = setUp()
    const source = new TestSource(1, PEERS)
    gossip.addSource(source)
    source.put(1)
    gossip.announce()
    expect(sent).toHaveLength(0)
    clock.run(5)
    expect(new Set(sent.map(({ to }) => to)).size).toBe(3)
    expect(copiesOf(sent, 1, 1)).toBe(3)
  })

  it('takes what comes together in one packet', () => {
    const { clock, gossip, sent } = setUp({ gossipFanout: 1 })
    const source = new TestSource(1, PEERS)
    gossip.addSource(source)
    for (let number = 0; number < 4; number++) {
      source.put(number)
      gossip.announce()
      clock.run(1)
    }
    clock.run(1)
    expect(sent.map(({ news }) => news.length)).toEqual([4])
  })

  it('has nothing that was sent before', () => {
    const { clock, gossip, sent } = setUp({ gossipFanout: 1 })
    const source = new TestSource(1, PEERS)
    gossip.addSource(source)
    for (const number of [1, 2]) {
      source.put(number)
      gossip.announce()
      clock.run(10)
    }
    expect(sent.map(({ news }) => news.map(({ number }) => number))).toEqual([[1], [2]])
  })

  it('comes at most ten times a second, three times at once, however fast news come', () => {
    const { clock, gossip, sent } = setUp({ gossipIntervalMs: 60_000, gossipFanout: 1 })
    const source = new TestSource(1, PEERS)
    gossip.addSource(source)
    const seconds = 10
    for (let i = 0; i < seconds * 1000; i++) {
      source.put(i)
      gossip.announce()
      clock.run(1)
    }
    const rounds = [...new Set(sent.map(({ atMs }) => atMs))]
    rounds.forEach((from, i) => {
      rounds.slice(i).forEach((to, more) => {
        // A round follows its announcement by 5 ms.
        expect(more + 1).toBeLessThanOrEqual(3 + ((to - from + 5) * 10) / 1000)
      })
    })
    expect(rounds.length).toBeGreaterThanOrEqual(seconds * 10)
  })

  it('that has to wait comes as soon as ten a second allow, and before the tick', () => {
    const { clock, gossip, sent } = setUp({ gossipIntervalMs: 60_000, gossipFanout: 1 })
    const source = new TestSource(1, PEERS)
    gossip.addSource(source)
    for (let number = 0; number < 4; number++) {
      source.put(number)
      gossip.announce()
      clock.run(6)
    }
    expect(copiesOf(sent, 1, 2)).toBe(1)
    expect(copiesOf(sent, 1, 3)).toBe(0)
    clock.run(100)
    expect(copiesOf(sent, 1, 3)).toBe(1)
  })

  it('is followed by two more of what it had, 30 ms apart, where that is all there is to say', () => {
    const { clock, gossip, sent } = setUp({ gossipIntervalMs: 60_000, gossipFanout: 1 })
    const source = new TestSource(1, PEERS)
    gossip.addSource(source)
    source.put(1)
    gossip.announce()
    clock.run(50_000)
    expect(sent.map(({ atMs }) => atMs)).toEqual([5, 35, 65])
    expect(copiesOf(sent, 1, 1)).toBe(3)
  })

  it('leaves to the next one what it cannot carry, before anything goes out again', () => {
    const { clock, gossip, sent } = setUp({ gossipIntervalMs: 60_000, gossipFanout: 1 })
    const source = new TestSource(1, PEERS)
    gossip.addSource(source)
    for (let number = 0; number < 10; number++) source.put(number, 1_000)
    gossip.announce()
    clock.run(100)
    const numbers = sent.flatMap(({ news }) => news.map(({ number }) => number))
    expect(numbers).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect([...new Set(sent.map(({ atMs }) => atMs))]).toEqual([5, 10, 15])
  })
})

describe('a source whose news are being fetched by stream', () => {
  it('has no rounds, and does not keep those of others from coming', () => {
    const { clock, gossip, sent } = setUp()
    const offering = new TestSource(1, PEERS)
    const other = new TestSource(2, PEERS)
    for (const source of [offering, other]) gossip.addSource(source)
    offering.offering = true
    offering.put(1)
    gossip.announce()
    clock.run(190)
    expect(sent).toEqual([])
    other.put(1)
    gossip.announce()
    clock.run(9)
    expect([copiesOf(sent, 1, 1), copiesOf(sent, 2, 1)]).toEqual([0, 3])
  })

  it('is told of by the tick once that is over, so that they reach those, too, whom no stream reaches', () => {
    const { clock, gossip, sent } = setUp()
    const source = new TestSource(1, PEERS)
    gossip.addSource(source)
    source.offering = true
    source.put(1)
    gossip.announce()
    clock.run(3_000)
    expect(sent).toEqual([])
    source.offering = false
    clock.run(10_000)
    expect(copiesOf(sent, 1, 1)).toBe(LIMIT)
    expect(clock.waiting).toBe(0)
  })
})

describe('gossip', () => {
  it('sends every news as often as its limit says, after the eager rounds at one round a tick', () => {
    const { clock, gossip, sent } = setUp({ gossipFanout: 1 })
    const source = new TestSource(1, PEERS)
    gossip.addSource(source)
    source.put(1)
    gossip.announce()
    clock.run(600)
    expect(copiesOf(sent, 1, 1)).toBe(LIMIT)
    expect(clock.waiting).toBe(0)
    expect(sent.map(({ atMs }) => atMs)).toEqual([5, 35, 65, 200, 400, 600])
    expect(gossip.busy).toBe(false)
  })

  it('sends nothing and runs no timer while there is nothing to say', () => {
    const { clock, gossip, sent } = setUp()
    const source = new TestSource(1, PEERS)
    gossip.addSource(source)
    clock.run(1_000)
    expect(clock.waiting).toBe(0)
    source.put(1)
    gossip.announce()
    clock.run(5_000)
    expect(clock.waiting).toBe(0)
    const before = sent.length
    clock.run(60_000)
    expect(sent.length).toBe(before)
  })

  it('is busy while news wait that somebody can hear', () => {
    const { clock, gossip } = setUp()
    const lonely = new TestSource(1, [])
    const source = new TestSource(2, PEERS)
    for (const each of [lonely, source]) gossip.addSource(each)
    expect(gossip.busy).toBe(false)
    lonely.put(1)
    expect(gossip.busy).toBe(false)
    source.put(1)
    expect(gossip.busy).toBe(true)
    gossip.announce()
    clock.run(5_000)
    expect(gossip.busy).toBe(false)
  })

  it('does not spin for news that nobody can hear; they go out when somebody can', () => {
    const { clock, gossip, sent } = setUp()
    const lonely = new TestSource(1, [])
    const other = new TestSource(2, PEERS)
    gossip.addSource(lonely)
    gossip.addSource(other)
    lonely.put(1)
    other.put(1)
    gossip.announce()
    clock.run(10_000)
    expect(clock.waiting).toBe(0)
    expect(copiesOf(sent, 1, 1)).toBe(0)
    lonely.hearers = PEERS
    gossip.announce()
    clock.run(5)
    expect(copiesOf(sent, 1, 1)).toBe(3)
  })

  it('tells no peer what it may not hear, neither by rounds nor on packets that leave anyway', () => {
    const { clock, gossip, sent } = setUp()
    const audiences = [PEERS, PEERS.slice(0, 2), PEERS.slice(1, 5), []]
    const sources = audiences.map((hearers, i) => new TestSource(i, hearers))
    for (const source of sources) gossip.addSource(source)
    for (let step = 0; step < 200; step++) {
      for (const source of sources) source.put(step, 100)
      gossip.announce()
      const peer = PEERS[step % PEERS.length]!
      gossip.sendFilled(peer.address, peer, writeProbe)
      clock.run(20)
    }
    clock.run(10_000)
    for (const { to, news } of sent) {
      const peer = PEERS.find(({ address }) => address === to)!
      for (const { source } of news) expect(sources[source]!.mayHear(peer)).toBe(true)
    }
    for (const source of [0, 1, 2]) {
      expect(copiesOf(sent, source, 0)).toBeGreaterThanOrEqual(LIMIT)
      // A round sends to several at once.
      expect(copiesOf(sent, source, 0)).toBeLessThan(LIMIT + OPTIONS.gossipFanout)
    }
  })

  it('prefers to tell one peer the news of several sources', () => {
    const { clock, gossip, sent } = setUp({ gossipFanout: 1 })
    for (let i = 0; i < 4; i++) {
      const source = new TestSource(i, PEERS, i)
      gossip.addSource(source)
      source.put(1)
    }
    gossip.announce()
    clock.run(5)
    expect(sent.map(({ news }) => news.length)).toEqual([4])
  })

  it('no packet is larger than allowed, and no peer gets more than a few a round, whatever waits', () => {
    const sizes = fc.array(
      fc.integer({ min: NEWS_HEADER_BYTES, max: MIN_PACKET_BYTES - PACKET_OVERHEAD_BYTES }),
      {
        maxLength: 30,
      },
    )
    const world = fc.record({
      packetBytes: fc.constantFrom(MIN_PACKET_BYTES, 1400),
      queues: fc.array(sizes, { minLength: 1, maxLength: 12 }),
      probes: fc.array(fc.integer({ min: NEWS_HEADER_BYTES, max: 300 }), { maxLength: 5 }),
    })
    fc.assert(
      fc.property(world, ({ packetBytes, queues, probes }) => {
        const { clock, gossip, sent } = setUp({ packetBytes })
        const budget = packetBytes - PACKET_OVERHEAD_BYTES
        const sources = queues.map((sizes, i) => {
          const source = new TestSource(i, PEERS, i)
          gossip.addSource(source)
          sizes.forEach((bytes, number) => {
            source.put(number, bytes)
          })
          return source
        })
        gossip.announce()
        clock.run(1)
        for (const bytes of probes) {
          gossip.sendFilled(PEERS[0]!.address, PEERS[0], (writer) => writeProbe(writer, bytes))
        }
        clock.run(60_000)
        for (const { bytes } of sent) expect(bytes).toBeLessThanOrEqual(budget)
        const rounds = new Map<string, number>()
        for (const { atMs, to, bytes } of sent.slice(probes.length)) {
          rounds.set(`${atMs} ${to}`, (rounds.get(`${atMs} ${to}`) ?? 0) + bytes)
        }
        for (const bytes of rounds.values()) expect(bytes).toBeLessThanOrEqual(3 * budget)
        for (const source of sources) expect(source.queue.size).toBe(0)
        expect(clock.waiting).toBe(0)
      }),
      { numRuns: 60 },
    )
  })

  it('a source with little to say is not starved by one with much', () => {
    const { clock, gossip, sent } = setUp()
    const busy = Array.from({ length: 8 }, (_, i) => new TestSource(i, PEERS, i))
    const quiet = new TestSource(9, PEERS)
    for (const source of [...busy, quiet]) gossip.addSource(source)
    for (const source of busy) for (let number = 0; number < 500; number++) source.put(number, 1_000)
    clock.run(10_000)
    quiet.put(1)
    gossip.announce()
    // Three packets a round, and nine sources: the third round at the latest.
    clock.run(500)
    expect(copiesOf(sent, 9, 1)).toBeGreaterThan(0)
    clock.run(2_000)
    for (const source of busy) expect(copiesOf(sent, source.number, 0)).toBeGreaterThan(0)
  })

  it('the members are told of in every round, however many networks have much to say, and starve none of those', () => {
    const { clock, gossip, sent } = setUp()
    const networks = Array.from({ length: 20 }, (_, i) => new TestSource(i, PEERS, i))
    const members = new TestSource(99, PEERS)
    for (const source of networks) gossip.addSource(source)
    gossip.addSource(members, { everyRound: true })
    for (const source of [...networks, members]) {
      for (let number = 0; number < 500; number++) source.put(number, 1_000)
    }
    gossip.announce()
    clock.run(10_000)
    const withMembers = sent.filter(({ news }) => news.some(({ source }) => source === 99))
    const times = (some: readonly Sent[]): Set<number> => new Set(some.map(({ atMs }) => atMs))
    expect(times(withMembers)).toEqual(times(sent))
    for (const source of networks) expect(copiesOf(sent, source.number, 0)).toBeGreaterThan(0)
  })

  it('a packet that leaves anyway is filled with news, which counts as sending them', () => {
    const { gossip, sent } = setUp()
    const source = new TestSource(1, PEERS)
    gossip.addSource(source)
    for (let number = 0; number < 100; number++) source.put(number, 100)
    for (let i = 0; i < LIMIT; i++) gossip.sendFilled(PEERS[0]!.address, PEERS[0], (w) => writeProbe(w, 100))
    expect(sent.map(({ bytes }) => bytes)).toEqual(Array<number>(LIMIT).fill(1300))
    expect(new Set(sent.flatMap(({ news }) => news.map(({ number }) => number))).size).toBe(12 * LIMIT)
  })

  it('whoever is no peer gets the bare packet', () => {
    const { gossip, sent } = setUp()
    const source = new TestSource(1, PEERS)
    gossip.addSource(source)
    source.put(1)
    gossip.sendFilled('10.9.9.9:1', undefined, writeProbe)
    expect(sent.map(({ to, news }) => [to, news.length])).toEqual([['10.9.9.9:1', 0]])
  })

  it('sends nothing of a source that was removed, and nothing at all once stopped', () => {
    const { clock, gossip, sent } = setUp()
    const gone = new TestSource(1, PEERS)
    const stays = new TestSource(2, PEERS)
    for (const source of [gone, stays]) {
      gossip.addSource(source)
      source.put(1)
    }
    gossip.announce()
    gossip.removeSource(gone)
    clock.run(5)
    expect(copiesOf(sent, 1, 1)).toBe(0)
    expect(copiesOf(sent, 2, 1)).toBe(3)
    gossip.stop()
    gossip.announce()
    clock.run(60_000)
    expect(sent).toHaveLength(3)
    expect(clock.waiting).toBe(0)
  })
})
