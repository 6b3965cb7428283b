import { beforeEach, describe, expect, it } from 'vitest'
import { AntiEntropy, STREAM_SYNC } from '../../src/dissemination/anti-entropy.ts'
import type { Peer } from '../../src/dissemination/peer.ts'
import type { SyncOutcome } from '../../src/dissemination/sync-session.ts'
import type { FrameHandlers, FrameStream } from '../../src/security/frames.ts'
import { PipeEnd } from './frame-pipe.ts'
import { SetDomain } from './set-domain.ts'
import { TestClock } from './test-clock.ts'

const OPTIONS = { syncIntervalMs: 30_000, syncTimeoutMs: 10_000 }

const A: Peer = { name: 'a', address: '10.0.0.1:1' }
const B: Peer = { name: 'b', address: '10.0.0.2:1' }
const LATENCY_MS = 1

const X = new SetDomain('x', [], 5_000)
const Y = new SetDomain('y', [], 5_000)

/** One node whose peers take part in every sync, unless they are silent. */
class Node {
  readonly clock: TestClock
  readonly antiEntropy: AntiEntropy
  readonly domain = new SetDomain('x', ['ours'])
  readonly connects: string[] = []
  readonly streams: PipeEnd[] = []
  peers: readonly Peer[] = [A, B]
  gossiping = false
  backlogged = false
  silent = false
  readonly told: string[] = []
  peerDomain = new SetDomain('x', ['theirs'])

  constructor(clock: TestClock, seed: number) {
    this.clock = clock
    const runtime = clock.runtime(seed)
    this.antiEntropy = new AntiEntropy(runtime, OPTIONS, {
      name: 'self',
      domains: () => [this.domain],
      connect: (to, handlers) => this.#connect(to, handlers),
      randomPeer: () => this.peers[runtime.randomUint32() % this.peers.length],
      gossiping: () => this.gossiping,
      backlogged: () => this.backlogged,
      tell: (domain) => this.told.push(domain),
    })
  }

  #connect(to: string, handlers: FrameHandlers): FrameStream {
    this.connects.push(to)
    const [near, far] = PipeEnd.pair({ schedule: (step) => void this.clock.schedule(LATENCY_MS, step) })
    near.handle(handlers)
    this.streams.push(near)
    if (!this.silent) {
      const peer = new AntiEntropy(this.clock.runtime(99), OPTIONS, {
        name: 'peer',
        domains: () => [this.peerDomain],
        connect: () => {
          throw new Error('a responder does not connect')
        },
        randomPeer: () => undefined,
        gossiping: () => false,
        backlogged: () => false,
        tell: () => {},
      })
      let accepted: FrameHandlers | undefined
      far.handle({
        onOpen() {},
        onFrame: (frame) => {
          if (accepted !== undefined) return accepted.onFrame(frame)
          expect([...frame]).toEqual([STREAM_SYNC])
          accepted = peer.accept(far)
        },
        onDrain: () => accepted?.onDrain(),
        onClose: (error) => accepted?.onClose(error),
      })
      this.clock.schedule(LATENCY_MS, () => handlers.onOpen())
    }
    return near
  }
}

let clock: TestClock
let node: Node

/** Lets a node be one that came long ago, and forgets whom it asked meanwhile. */
function settle(node: Node): void {
  for (let i = 0; i < 4; i++) {
    node.domain.items.add(`once ${i}`)
    node.antiEntropy.sync(A.address, () => {})
    clock.run(1_000)
  }
  node.connects.length = 0
}

beforeEach(() => {
  clock = new TestClock()
  node = new Node(clock, 1)
})

describe('a sync on demand', () => {
  it('brings both sides to agreement and tells so once', () => {
    const outcomes: SyncOutcome[] = []
    node.antiEntropy.sync(A.address, (outcome) => outcomes.push(outcome))
    expect(outcomes).toEqual([])
    clock.run(1_000)
    expect(outcomes).toEqual([
      { ok: true, peer: 'peer', common: ['x'], moved: { domain: 'x', bytes: 10 }, error: undefined },
    ])
    expect(node.domain.items).toEqual(new Set(['ours', 'theirs']))
    expect(node.peerDomain.items).toEqual(node.domain.items)
    expect(node.antiEntropy.counts).toMatchObject({ completed: node.connects.length, failed: 0 })
    expect(clock.waiting).toBe(0)
  })

  it('tells while it lasts whether anything comes', () => {
    node.domain.items.add('one more')
    const answered = node.antiEntropy.sync(A.address, () => {})
    node.silent = true
    const unanswered = node.antiEntropy.sync(B.address, () => {})
    let before = 0
    for (let i = 0; i < 4; i++) {
      clock.run(2 * LATENCY_MS)
      expect(answered.heard).toBeGreaterThanOrEqual(before)
      before = answered.heard
    }
    expect(before).toBeGreaterThan(1)
    expect(unanswered.heard).toBe(0)
  })

  it.each([
    ['nobody answers within its time', () => {}],
    ['it is aborted', (handle: { abort(): void }) => handle.abort()],
  ])('ends without success when %s', (_, act) => {
    node.silent = true
    const outcomes: SyncOutcome[] = []
    const handle = node.antiEntropy.sync(A.address, (outcome) => outcomes.push(outcome))
    act(handle)
    expect(outcomes).toEqual([])
    clock.run(OPTIONS.syncTimeoutMs + LATENCY_MS)
    expect(outcomes.map(({ ok }) => ok)).toEqual([false])
    expect(node.streams[0]!.closed).toBe(true)
    expect(node.antiEntropy.counts).toMatchObject({ started: 1, completed: 0, failed: 1 })
    clock.run(60_000)
    expect(outcomes).toHaveLength(1)
    expect(clock.waiting).toBe(0)
  })
})

describe('what could not be taken in from a peer', () => {
  it('is fetched from it, also while news are under way', () => {
    node.gossiping = true
    node.antiEntropy.lacking(X, B)
    expect(node.connects).toEqual([B.address])
  })

  it('is fetched as seldom as differences are settled, and shares that time with them', () => {
    settle(node)
    for (let i = 0; i < 30_000; i += 10) {
      node.antiEntropy.lacking(X, B)
      node.antiEntropy.compare(X, false, A)
      clock.run(10)
    }
    expect(node.connects.length).toBeGreaterThanOrEqual(5)
    expect(node.connects.length).toBeLessThanOrEqual(8)
  })

  it('waits for a sync that runs, and is not fetched after the end', () => {
    node.silent = true
    node.antiEntropy.lacking(X, A)
    node.antiEntropy.lacking(Y, B)
    expect(node.connects).toEqual([A.address])
    clock.run(OPTIONS.syncTimeoutMs + 1)
    node.antiEntropy.stop()
    node.antiEntropy.lacking(Y, B)
    expect(node.connects).toEqual([A.address])
  })
})

describe('a digest that differs', () => {
  it('starts a sync with the peer that told it when no news are under way', () => {
    node.antiEntropy.compare(X, false, B)
    expect(node.connects).toEqual([B.address])
  })

  it('starts none when it does not differ', () => {
    node.antiEntropy.compare(X, true, B)
    expect(node.connects).toEqual([])
  })

  it('is believed at the third time in a row while news are under way', () => {
    node.gossiping = true
    for (const peer of [A, B]) node.antiEntropy.compare(X, false, peer)
    expect(node.connects).toEqual([])
    node.antiEntropy.compare(X, false, B)
    expect(node.connects).toEqual([B.address])
  })

  it('is not in a row with those before an equal one', () => {
    node.gossiping = true
    for (const equal of [false, false, true, false, false]) node.antiEntropy.compare(X, equal, A)
    expect(node.connects).toEqual([])
  })

  it('is counted for each domain by itself', () => {
    node.gossiping = true
    for (const domain of [X, Y, X, Y]) node.antiEntropy.compare(domain, false, A)
    expect(node.connects).toEqual([])
    expect(node.antiEntropy.counts.mismatches).toBe(4)
  })

  /** The times between syncs when the digests of a domain differ all the time. */
  function gaps(domain: SetDomain): number[] {
    const at: number[] = []
    for (let i = 0; i < 60_000; i += 10) {
      const before = node.connects.length
      node.antiEntropy.compare(domain, false, A)
      if (node.connects.length > before) at.push(clock.now)
      clock.run(10)
    }
    return at.slice(1).map((time, i) => time - at[i]!)
  }

  it.each([1_000, 5_000])(
    'starts one sync of its domain in its interval of %i ms, more or less',
    (intervalMs) => {
      const between = gaps(new SetDomain('x', [], intervalMs))
      expect(Math.min(...between)).toBeGreaterThanOrEqual(0.75 * intervalMs)
      expect(Math.max(...between)).toBeLessThanOrEqual(1.25 * intervalMs + 10)
      // Nodes that see the same difference must not all sync at the same moment again.
      expect(new Set(between).size).toBeGreaterThan(between.length / 4)
    },
  )

  it('is settled sooner, and without waiting for the news under way, while there are too many of those', () => {
    node.gossiping = true
    node.backlogged = true
    node.antiEntropy.compare(X, false, B)
    expect(node.connects).toEqual([B.address])
    clock.run(1_000)
    const between = gaps(X)
    expect(Math.max(...between)).toBeLessThanOrEqual(400)
    expect(Math.min(...between)).toBeGreaterThanOrEqual(200)
  })

  it('starts no second sync while one runs that another started', () => {
    node.silent = true
    node.antiEntropy.compare(X, false, A)
    node.antiEntropy.compare(Y, false, B)
    expect(node.connects).toEqual([A.address])
    clock.run(OPTIONS.syncTimeoutMs + 1)
    node.antiEntropy.compare(Y, false, B)
    expect(node.connects).toEqual([A.address, B.address])
  })

  it('of one domain does not hold back that of another', () => {
    settle(node)
    node.antiEntropy.compare(X, false, A)
    clock.run(100)
    node.antiEntropy.compare(Y, false, B)
    expect(node.connects).toEqual([A.address, B.address])
  })

  it('is only asked for anew where an old digest may have been played again, as soon as it would have led to a sync', () => {
    let asked = 0
    const prove = (): void => {
      asked++
    }
    node.gossiping = true
    for (let i = 0; i < 2; i++) node.antiEntropy.compare(X, false, A, prove)
    expect(asked).toBe(0)
    for (let i = 0; i < 5; i++) node.antiEntropy.compare(X, false, A, prove)
    clock.run(1_000)
    expect([asked, node.connects]).toEqual([5, []])
    // The answer to that counts, even while gossip is under way.
    node.antiEntropy.compare(X, false, A)
    expect(node.connects).toEqual([A.address])
  })

  it('is not disproved by an equal digest that may be an old one', () => {
    node.gossiping = true
    const prove = (): void => {}
    for (let i = 0; i < 2; i++) node.antiEntropy.compare(X, false, A)
    node.antiEntropy.compare(X, true, A, prove)
    node.antiEntropy.compare(X, false, A)
    expect(node.connects).toEqual([A.address])
  })

  it('starts nothing once stopped', () => {
    node.antiEntropy.stop()
    node.antiEntropy.compare(X, false, A)
    expect(node.connects).toEqual([])
  })

  it('is forgotten with its domain', () => {
    node.gossiping = true
    for (let i = 0; i < 2; i++) node.antiEntropy.compare(X, false, A)
    node.antiEntropy.forget('x')
    for (let i = 0; i < 2; i++) node.antiEntropy.compare(X, false, A)
    expect(node.connects).toEqual([])
  })
})

describe('the periodic sync', () => {
  it('compares with a random peer every interval, more or less, also while all agree', () => {
    node.antiEntropy.start()
    clock.run(100 * OPTIONS.syncIntervalMs)
    expect(node.connects.length).toBeGreaterThan(90)
    expect(node.connects.length).toBeLessThan(110)
    expect(new Set(node.connects)).toEqual(new Set([A.address, B.address]))
    expect(node.antiEntropy.counts.completed).toBe(node.connects.length)
  })

  it('never comes sooner than three quarters of its interval, nor later than five', () => {
    settle(node)
    node.antiEntropy.start()
    let at = clock.now
    for (let i = 0; i < 20; i++) {
      const before = node.connects.length
      while (node.connects.length === before) clock.run(10)
      expect(clock.now - at).toBeGreaterThanOrEqual(0.75 * OPTIONS.syncIntervalMs)
      expect(clock.now - at).toBeLessThanOrEqual(1.25 * OPTIONS.syncIntervalMs + 10)
      at = clock.now
    }
  })

  it('goes on when there is nobody, and finds those who come', () => {
    node.peers = []
    node.antiEntropy.start()
    clock.run(3 * OPTIONS.syncIntervalMs)
    expect(node.connects).toEqual([])
    node.peers = [A]
    clock.run(2 * OPTIONS.syncIntervalMs)
    expect(node.connects.length).toBeGreaterThan(0)
  })

  it('ends when stopped', () => {
    node.antiEntropy.start()
    node.antiEntropy.stop()
    clock.run(10 * OPTIONS.syncIntervalMs)
    expect(node.connects).toEqual([])
    expect(clock.waiting).toBe(0)
  })
})

describe('rounds of streams', () => {
  const many = (prefix: string): string[] =>
    Array.from({ length: 40 }, (_, i) => `${prefix}${i}`.padEnd(150, '.'))

  it('follow on a session that moved more than gossip carries, until one does not', () => {
    settle(node)
    for (const item of many('ours')) node.domain.items.add(item)
    node.antiEntropy.sync(A.address, () => {})
    clock.run(50)
    expect(node.connects).toHaveLength(1)
    clock.run(1_000)
    // The second finds everything equal.
    expect(node.connects).toHaveLength(2)
    clock.run(10_000)
    expect(node.connects).toHaveLength(2)
  })

  it('do not follow on one that moved little, nor on one that found no difference', () => {
    settle(node)
    for (const news of [true, false]) {
      if (news) node.domain.items.add('little')
      node.antiEntropy.sync(A.address, () => {})
      clock.run(10_000)
    }
    expect(node.connects).toHaveLength(2)
  })

  it('follow on ones that moved little a few times, at a node that has just come', () => {
    const strange = node.peerDomain.digest.bind(node.peerDomain)
    let sessions = 0
    node.peerDomain.digest = () => ({ ...strange(), high: sessions++ })
    node.antiEntropy.sync(A.address, () => {})
    clock.run(10_000)
    expect(node.connects).toHaveLength(4)
  })

  it('are so many in a row at most, with a peer that never agrees', () => {
    for (const item of many('ours')) node.domain.items.add(item)
    let strange = 0
    node.peerDomain.digest = () => ({ high: strange++, low: 0 })
    node.antiEntropy.sync(A.address, () => {})
    clock.run(60_000)
    expect(node.connects).toHaveLength(17)
  })

  it('end when stopped', () => {
    for (const item of many('ours')) node.domain.items.add(item)
    node.antiEntropy.sync(A.address, () => {})
    clock.run(50)
    node.antiEntropy.stop()
    clock.run(10_000)
    expect([node.connects.length, clock.waiting]).toEqual([1, 0])
  })
})

describe('bulk that is offered', () => {
  const many = (prefix: string): string[] =>
    Array.from({ length: 40 }, (_, i) => `${prefix}${i}`.padEnd(150, '.'))

  beforeEach(() => {
    node.domain.offered = true
  })

  it('is told to peers when it was made here, and nobody is connected to in vain', () => {
    node.antiEntropy.offer('x')
    expect(node.antiEntropy.offering('x')).toBe(true)
    clock.run(10_000)
    expect(node.told).toEqual(['x', 'x', 'x', 'x'])
    expect(node.antiEntropy.offering('x')).toBe(false)
    expect(node.connects).toEqual([])
  })

  it('is told on by whoever got it in a session, of either side', () => {
    for (const item of many('theirs')) node.peerDomain.items.add(item)
    node.antiEntropy.sync(A.address, () => {})
    clock.run(10_000)
    expect(node.told).toEqual(['x', 'x', 'x', 'x'])
    expect(node.connects).toHaveLength(1)
  })

  it('is not told on when a session moved little', () => {
    settle(node)
    node.domain.items.add('little')
    node.antiEntropy.sync(A.address, () => {})
    clock.run(10_000)
    expect(node.told).toEqual([])
  })

  it('is fetched from the peer that offers it when it differs, without waiting for the news under way', () => {
    node.gossiping = true
    node.antiEntropy.offered(true, A)
    expect(node.connects).toEqual([])
    node.antiEntropy.offered(false, B)
    expect(node.connects).toEqual([B.address])
    clock.run(1_000)
    expect(node.domain.items).toEqual(new Set(['ours', 'theirs']))
  })

  it('is fetched from one peer at a time', () => {
    for (const peer of [A, B]) node.antiEntropy.offered(false, peer)
    expect(node.connects).toEqual([A.address])
  })

  it('is fetched eight times at once and four times a second at most, however much is offered', () => {
    settle(node)
    const seconds = 20
    for (let i = 0; i < seconds * 100; i++) {
      node.antiEntropy.offered(false, A)
      clock.run(10)
    }
    expect(node.connects.length).toBeLessThanOrEqual(8 + seconds * 4)
    expect(node.connects.length).toBeGreaterThanOrEqual(seconds * 4)
  })

  it('is fetched from a peer whose offer may be an old one when that has proven itself, and few are asked for proof', () => {
    settle(node)
    let asked = 0
    const prove = (): void => {
      asked++
    }
    const seconds = 20
    for (let i = 0; i < seconds * 100; i++) {
      node.antiEntropy.offered(true, A, prove)
      node.antiEntropy.offered(false, A, prove)
      clock.run(10)
    }
    expect(node.connects).toEqual([])
    expect(asked).toBeGreaterThanOrEqual(seconds * 4)
    expect(asked).toBeLessThanOrEqual(4 + seconds * 4)
    node.antiEntropy.offered(false, A)
    expect(node.connects).toEqual([A.address])
  })

  it('is neither told nor fetched once stopped', () => {
    node.antiEntropy.offer('x')
    node.antiEntropy.stop()
    node.antiEntropy.offer('x')
    node.antiEntropy.offered(false, A)
    clock.run(10_000)
    expect([node.told, node.connects, clock.waiting]).toEqual([[], [], 0])
  })

  it('is forgotten with its domain', () => {
    node.antiEntropy.offer('x')
    node.antiEntropy.forget('x')
    clock.run(10_000)
    expect(node.told).toEqual([])
  })
})

it('a session that a peer began is cut when it takes too long', () => {
  const [near, far] = PipeEnd.pair({ schedule: (step) => void clock.schedule(LATENCY_MS, step) })
  near.handle(node.antiEntropy.accept(near))
  expect(node.antiEntropy.counts.accepted).toBe(1)
  clock.run(OPTIONS.syncTimeoutMs + 10)
  expect([near.closed, far.closed]).toEqual([true, true])
})
