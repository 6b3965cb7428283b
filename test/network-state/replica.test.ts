import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LOG_FRAME } from '../../src/network-state/log-frames.ts'
import { LOG_LIMITS, MAX_RANGES } from '../../src/network-state/owner-log.ts'
import type { EntryEvent } from '../../src/wire/entry-event.ts'
import { STAMP_LIMIT } from '../../src/wire/entry-event.ts'
import { TestClock } from '../dissemination/test-clock.ts'
import { held, logAt, nodes, ReplicaNode, sync } from './replica-node.ts'

/** The digests of these nodes, each also from scratch: what is kept up to date has to be the same. */
function agree(...all: readonly ReplicaNode[]): boolean {
  for (const { replica } of all) {
    expect(replica.digest()).toEqual(replica.logs.digest((owner) => replica.isWanted(owner)))
  }
  return new Set(all.map(({ replica }) => JSON.stringify(replica.digest()))).size === 1
}

describe('an event that takes the place of another one in the queue', () => {
  test('stands for it: a key set ten times before anybody was told leaves no gap', () => {
    const [owner, peer] = nodes(new TestClock(), 'owner', 'peer') as [ReplicaNode, ReplicaNode]
    owner.set('other')
    for (let i = 0; i < 10; i++) owner.set('a', `${i}`)
    owner.delete('other')
    const news = owner.takeNews()
    expect(news).toHaveLength(2)
    peer.hear(news)
    expect(peer.get('a')).toBe('9')
    expect(logAt(peer, 'owner').contiguous).toBe(12)
    expect(agree(owner, peer)).toBe(true)
  })

  test('stands for it at whoever passes it on, too', () => {
    const [owner, relay, peer] = nodes(new TestClock(), 'owner', 'relay', 'peer') as [
      ReplicaNode,
      ReplicaNode,
      ReplicaNode,
    ]
    for (let i = 0; i < 5; i++) {
      owner.set('a')
      relay.hear(owner.takeNews())
    }
    const news = relay.takeNews()
    expect(news.map(({ item, superseded }) => [item.seq, superseded])).toEqual([[5, [1, 4]]])
    peer.hear(news)
    expect(agree(owner, relay, peer)).toBe(true)
  })

  test('does not give way to an older one that comes late', () => {
    const [owner, relay, peer] = nodes(new TestClock(), 'owner', 'relay', 'peer') as [
      ReplicaNode,
      ReplicaNode,
      ReplicaNode,
    ]
    owner.set('a', 'old')
    const old = owner.takeNews()
    owner.set('a', 'new')
    relay.hear([...owner.takeNews(), ...old])
    peer.hear(relay.takeNews())
    expect(peer.get('a')).toBe('new')
    expect(agree(owner, relay, peer)).toBe(true)
  })
})

describe('an event that a log has no room for', () => {
  /** Every second event of an owner, so that each opens a range. */
  function gaps(owner: ReplicaNode, count: number): EntryEvent[] {
    const events: EntryEvent[] = []
    for (let i = 0; i < count; i++) {
      owner.set(`lost ${i}`)
      owner.takeNews()
      owner.set(`key ${i}`)
      events.push(...owner.takeNews())
    }
    return events
  }

  test('is refused and asked for: what the owner has is fetched as a whole', () => {
    const [owner, peer] = nodes(new TestClock(), 'owner', 'peer') as [ReplicaNode, ReplicaNode]
    const events = gaps(owner, MAX_RANGES + 1)
    peer.hear(events.slice(0, -1))
    peer.takeNews()
    expect(peer.lacking).toEqual([])
    peer.hear(events.slice(-1))
    expect(peer.lacking).toEqual(['owner'])
    expect(peer.replica.counts.refused).toBe(1)
    sync(peer, owner)
    expect(agree(owner, peer)).toBe(true)
    expect(logAt(peer, 'owner').ranges.size).toBe(0)
  })

  test('is not asked for while so much is under way that streams bring it anyway', () => {
    const [owner, peer] = nodes(new TestClock(), 'owner', 'peer') as [ReplicaNode, ReplicaNode]
    peer.hear(gaps(owner, MAX_RANGES + 1))
    expect([peer.replica.counts.refused, peer.replica.backlogged, peer.lacking]).toEqual([1, true, []])
  })
})

describe('an epoch from the future', () => {
  const MINUTES = 60_000
  const ahead = (time: TestClock, event: EntryEvent, minutes: number): EntryEvent => ({
    ...event,
    epoch: { time: Math.floor(time.outside(1).wallClock()) + minutes * MINUTES, nonce: 1 },
  })

  function scene(): { time: TestClock; peer: ReplicaNode; event: EntryEvent } {
    const time = new TestClock()
    const [owner, peer] = nodes(time, 'owner', 'peer') as [ReplicaNode, ReplicaNode]
    owner.set('a')
    return { time, peer, event: owner.takeNews()[0]! }
  }

  test('is believed as long as a clock may well be so far ahead', () => {
    const { time, peer, event } = scene()
    peer.hear([ahead(time, event, 0.9)])
    expect(peer.get('a')).toBe('1')
  })

  test('waits until its owner is known to be in it', () => {
    const { time, peer, event } = scene()
    const strange = ahead(time, event, 2)
    peer.hear([strange])
    expect([peer.get('a'), peer.replica.parking.size]).toEqual([undefined, 1])
    expect(peer.takeNews()).toEqual([])
    peer.epochs.set('owner', { time: strange.epoch.time - 1, nonce: 9 })
    peer.replica.ownerChanged('owner')
    expect([peer.get('a'), peer.replica.parking.size]).toEqual([undefined, 1])
    peer.epochs.set('owner', strange.epoch)
    peer.replica.ownerChanged('owner')
    expect([peer.get('a'), peer.replica.parking.size]).toEqual(['1', 0])
  })

  test('is known from the word that the owner takes part in it, as well', () => {
    const { time, peer, event } = scene()
    const strange = ahead(time, event, 600)
    peer.hear([strange])
    peer.replica.expectEpoch('owner', strange.epoch, 0)
    peer.replica.ownerChanged('owner')
    expect(peer.get('a')).toBe('1')
  })

  test('does not come by a sync either', () => {
    const { time, peer, event } = scene()
    const strange = ahead(time, event, 2)
    const [believer] = nodes(time, 'believer', 'owner', 'peer') as [ReplicaNode]
    believer.epochs.set('owner', strange.epoch)
    believer.hear([strange])
    peer.participants.add('believer')
    sync(peer, believer)
    expect(peer.get('a')).toBeUndefined()
    peer.epochs.set('owner', strange.epoch)
    sync(peer, believer)
    expect(peer.get('a')).toBe('1')
  })
})

describe('a stamp from the far future', () => {
  test('is shown, but does not drag the clock of whoever hears it', () => {
    const time = new TestClock()
    const [owner, peer] = nodes(time, 'owner', 'peer') as [ReplicaNode, ReplicaNode]
    owner.set('a')
    const [event] = owner.takeNews() as [EntryEvent]
    const before = peer.clock.next()
    peer.hear([{ ...event, item: { ...event.item, stamp: STAMP_LIMIT - 2 } }])
    expect(peer.get('a')).toBe('1')
    // A minute at most, in the units of a stamp.
    expect(peer.clock.next() - before).toBeLessThanOrEqual(60_000 * 1024 + 2)
    peer.takeNews()
    peer.set('b')
    const [own] = peer.takeNews() as [EntryEvent]
    expect(own.item.stamp - before).toBeLessThanOrEqual(60_000 * 1024 + 3)
    // Whoever claims that very key is above it nonetheless.
    peer.set('a', 'mine')
    expect(peer.get('a')).toBe('mine')
  })
})

describe('events that wait for what they rest on', () => {
  test('are taken when their owner takes part, in the order in which they came', () => {
    const time = new TestClock()
    const [owner, peer] = nodes(time, 'owner', 'peer') as [ReplicaNode, ReplicaNode]
    peer.participants.delete('owner')
    for (const value of ['1', '2', '3']) {
      owner.set('a', value)
      peer.hear(owner.takeNews())
    }
    expect([peer.get('a'), peer.takeNews(), peer.replica.parking.size]).toEqual([undefined, [], 3])
    peer.participants.add('owner')
    peer.replica.ownerChanged('owner')
    expect([peer.get('a'), peer.replica.parking.size]).toEqual(['3', 0])
    expect(agree(owner, peer)).toBe(true)
  })

  test('are gone after ten seconds, each by itself', () => {
    const time = new TestClock()
    const [owner, peer] = nodes(time, 'owner', 'peer') as [ReplicaNode, ReplicaNode]
    peer.participants.clear()
    for (const key of ['a', 'b']) {
      owner.set(key)
      peer.hear(owner.takeNews())
      time.run(6_000)
    }
    expect(peer.replica.parking.size).toBe(1)
    time.run(5_000)
    expect([peer.replica.parking.size, time.waiting]).toEqual([0, 0])
  })

  test('are 256 at most in a network, and the latest', () => {
    const time = new TestClock()
    const [owner, peer] = nodes(time, 'owner', 'peer') as [ReplicaNode, ReplicaNode]
    peer.participants.clear()
    for (let i = 0; i < 300; i++) owner.set(`${i}`)
    peer.hear(owner.takeNews())
    expect(peer.replica.parking.size).toBe(256)
    peer.participants.add('owner')
    peer.replica.ownerChanged('owner')
    expect([peer.get('43'), peer.get('44'), peer.get('299')]).toEqual([undefined, '45', '300'])
  })

  test('are 4,096 at most in all networks of a node, and what waits no more makes room', () => {
    const time = new TestClock()
    const space = { taken: 0 }
    const replicas = Array.from({ length: 20 }, (_, i) => new ReplicaNode(`peer ${i}`, time, space))
    const [owner] = nodes(time, 'owner') as [ReplicaNode]
    for (let i = 0; i < 256; i++) owner.set(`${i}`)
    const events = owner.takeNews()
    for (const peer of replicas) peer.hear(events)
    expect([space.taken, replicas.map(({ replica }) => replica.parking.size).slice(14)]).toEqual([
      4_096,
      [256, 256, 0, 0, 0, 0],
    ])
    replicas[0]!.replica.close()
    replicas[19]!.hear(events)
    expect([space.taken, replicas[19]!.replica.parking.size]).toEqual([4_096, 256])
    time.run(20_000)
    expect(space.taken).toBe(0)
  })
})

describe('the log of an owner that failed', () => {
  const scene = () => {
    const [owner, one, other] = nodes(new TestClock(), 'owner', 'one', 'other') as [
      ReplicaNode,
      ReplicaNode,
      ReplicaNode,
    ]
    owner.set('a')
    one.hear(owner.takeNews())
    one.takeNews()
    const fail = (...at: readonly ReplicaNode[]): void => {
      for (const node of at) {
        node.failed.add('owner')
        node.replica.ownerChanged('owner')
      }
    }
    return { owner, one, other, fail }
  }

  test('counts in no digest, and is back in it when the owner is', () => {
    const { one, other, fail } = scene()
    expect(agree(one, other)).toBe(false)
    fail(one, other)
    expect(agree(one, other)).toBe(true)
    one.failed.clear()
    one.replica.ownerChanged('owner')
    expect(agree(one, other)).toBe(false)
    expect(one.get('a')).toBe('1')
  })

  test('is offered to nobody', () => {
    const { one, other, fail } = scene()
    fail(one)
    sync(one, other)
    expect(other.replica.logs.get('owner')).toBeUndefined()
  })

  test('is pushed by nobody to whom has forgotten the owner, nor is it taken', () => {
    const { one, other } = scene()
    other.participants.delete('owner')
    other.replica.forget('owner')
    expect(sync(one, other)).toBe(0)
    expect(sync(other, one)).toBe(0)
    expect(other.replica.logs.get('owner')).toBeUndefined()
  })
})

describe('a transfer', () => {
  test('of which one item cannot be read ends there: no part of it is left out and the rest committed', () => {
    const [owner, peer] = nodes(new TestClock(), 'owner', 'peer') as [ReplicaNode, ReplicaNode]
    for (const key of ['a', 'b', 'c']) owner.set(key)
    const spoilt = (frame: Uint8Array): Uint8Array =>
      frame[0] === LOG_FRAME.items ? frame.slice(0, -1) : frame
    expect(() => sync(owner, peer, spoilt)).toThrow('a frame was refused')
    expect(peer.replica.logs.get('owner')?.contiguous ?? 0).toBe(0)
    sync(peer, owner)
    expect(agree(owner, peer)).toBe(true)
  })
})

describe('sets and deletes of the same keys without end', () => {
  const KEYS = 100
  const WRITES = 20_000

  /** Every key is set, then deleted, again and again; at the end each is set once more. */
  function churn(owner: ReplicaNode, carry: (written: number) => void): void {
    for (let i = 0; i < WRITES; i++) {
      if (i % (2 * KEYS) < KEYS) owner.set(`${i % KEYS}`)
      else owner.delete(`${i % KEYS}`)
      carry(i)
    }
    for (let i = 0; i < KEYS; i++) owner.set(`${i}`)
  }

  const AFTER = {
    live: KEYS,
    tombs: 0,
    dels: LOG_LIMITS.dels,
    ranges: 0,
    shadow: 0,
    logs: 2,
    queue: 0,
    parked: 0,
    indexed: KEYS,
  }

  test('leave an owner and who hears its gossip with as much as the keys need', () => {
    const [owner, peer] = nodes(new TestClock(), 'owner', 'peer') as [ReplicaNode, ReplicaNode]
    churn(owner, (written) => {
      if (written % 7 === 0) peer.hear(owner.takeNews())
    })
    peer.hear(owner.takeNews())
    peer.takeNews()
    expect(held(owner, 'owner')).toEqual({ ...AFTER, logs: 1 })
    expect(held(peer, 'owner')).toEqual(AFTER)
    expect(agree(owner, peer)).toBe(true)
  })

  test('leave who hears only one in three and syncs now and then with as much, too', () => {
    const [owner, peer] = nodes(new TestClock(), 'owner', 'peer') as [ReplicaNode, ReplicaNode]
    churn(owner, (written) => {
      const news = owner.takeNews()
      if (written % 3 === 0) peer.hear(news)
      if (written % 500 === 0) sync(peer, owner)
      peer.takeNews()
      expect(logAt(peer, 'owner').ranges.size).toBeLessThanOrEqual(MAX_RANGES)
    })
    sync(peer, owner)
    owner.takeNews()
    expect(held(peer, 'owner')).toEqual({ ...AFTER, dels: expect.any(Number) as number })
    expect(agree(owner, peer)).toBe(true)
  })

  test('leave who only syncs, each time with one who only syncs, with as much, too', () => {
    const [owner, near, far] = nodes(new TestClock(), 'owner', 'near', 'far') as [
      ReplicaNode,
      ReplicaNode,
      ReplicaNode,
    ]
    churn(owner, (written) => {
      owner.takeNews()
      if (written % 250 === 0) sync(near, owner)
      if (written % 330 === 0) sync(far, near)
    })
    owner.takeNews()
    sync(near, owner)
    sync(far, near)
    for (const node of [near, far]) {
      expect(held(node, 'owner')).toEqual({ ...AFTER, dels: expect.any(Number) as number })
    }
    expect(agree(owner, near, far)).toBe(true)
  })
})

describe('the index of a table', () => {
  test('has just the keys that stand in a log, at the owner and in whatever order others hear', () => {
    const step = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.boolean(), fc.boolean())
    const indexed = ({ replica }: ReplicaNode): string[] => {
      return [...replica.view.keys('t')].sort()
    }
    const standing = ({ replica }: ReplicaNode): string[] =>
      [...replica.logs].flatMap((log) => [...log.entries()].map(({ key }) => key)).sort()
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), fc.boolean(), (steps, backwards) => {
        const [owner, peer] = nodes(new TestClock(), 'owner', 'peer') as [ReplicaNode, ReplicaNode]
        for (const [key, remove, told] of [...steps, ['a', false, false], ['a', true, true]] as const) {
          if (remove) owner.delete(key)
          else owner.set(key)
          expect(indexed(owner)).toEqual(standing(owner))
          if (!told) continue
          const news = owner.takeNews()
          peer.hear(backwards ? [...news].reverse() : news)
          expect(indexed(peer)).toEqual(standing(peer))
        }
      }),
      { numRuns: 50 },
    )
  })
})
