import { describe, expect, it } from 'vitest'
import { compareEpochs, type EpochId } from '../../src/wire/epoch.ts'
import type { MemberRecord } from '../../src/wire/member-record.ts'
import { type MemberNode, MemberWorld } from './member-world.ts'
import { recordOf } from './records.ts'
import { all } from './views.ts'

const LAST_TIME = 2 ** 47 - 1
const LAST_NONCE = 2 ** 32 - 1

function record(node: MemberNode): MemberRecord {
  return node.membership.self.record
}

/** Two live processes of one name whose parts of the cluster meet: `a` at its address, and a later one. */
function twins(reaches: MemberWorld['reaches'] = () => true): {
  world: MemberWorld
  low: MemberNode
  high: MemberNode
  others: MemberNode[]
} {
  const world = new MemberWorld()
  const [low, b, c] = world.cluster('a', 'b', 'c')
  world.run(2_000)
  world.reaches = reaches
  const high = world.boot('a', { address: '10.9.9.9:7946' })
  const d = world.boot('d')
  high.join()
  d.join(high)
  world.run(5_000)
  d.sync(b!, () => {})
  return { world, low: low!, high, others: [b!, c!, d] }
}

describe('of two live processes of one name that meet', () => {
  it('the lower epoch yields for good: it never raises, accuses nobody and probes nobody', () => {
    const { world, low, high, others } = twins()
    world.runUntil(() => low.membership.yielded, 5_000)
    const own = record(low)
    expect(high.membership.yielded).toBe(false)
    let sent = 0
    world.tap = (from) => {
      if (from === low) sent++
    }
    low.membership.learn({ ...own, hard: [1, 2] })
    low.membership.learn({ ...own, epoch: { ...own.epoch, time: own.epoch.time + 10_000 } })
    low.membership.adoptEpoch({ time: own.epoch.time + 20_000, nonce: 1 })
    world.run(120_000)
    expect(record(low)).toEqual(own)
    expect(sent).toBe(0)
    expect(all(others, 'a', 'alive')).toBe(true)
    for (const node of others) expect(node.view('a')!.address).toBe(high.address)
  })

  it('the lower one says so whenever it hears of the other again, and is not asked again', () => {
    const { world, low, high } = twins()
    world.runUntil(() => low.membership.yielded, 5_000)
    const before = low.twins.length
    const packets = world.packets
    low.membership.learn(record(high))
    expect(low.twins).toHaveLength(before + 1)
    expect(world.packets).toBe(packets)
  })

  it('the higher one keeps the name, and its record and the traffic rest', () => {
    const { world, high, low } = twins()
    world.runUntil(() => low.membership.yielded, 5_000)
    world.run(5_000)
    const own = record(high)
    const before = world.packets
    world.run(120_000)
    expect(record(high)).toEqual(own)
    // Four members are left, each with a ping and an ack a second.
    expect((world.packets - before) / 4 / 120).toBeLessThan(2.2)
  })

  it('a check under way is waited for, and nothing is outbid until it is over', () => {
    const { world, low, high } = twins()
    expect(low.membership.mayRaise).toBe(true)
    low.membership.learn(record(high))
    expect(low.membership.mayRaise).toBe(false)
    low.membership.adoptEpoch({ time: record(high).epoch.time + 1, nonce: 1 })
    expect(compareEpochs(record(low).epoch, record(high).epoch)).toBeLessThan(0)
    let settled = false
    low.membership.whenNameSettled(() => {
      settled = true
    })
    expect(settled).toBe(false)
    world.run(100)
    expect(settled).toBe(true)
    expect(low.membership.yielded).toBe(true)
  })

  it('but cannot reach each other outbid each other a few times and then once a minute', () => {
    const { world, low, high } = twins((from, to) => from.name !== 'a' || to.name !== 'a')
    const raises = (): number => low.raised.length + high.raised.length
    world.run(60_000)
    expect(raises()).toBeGreaterThan(2)
    expect(raises()).toBeLessThanOrEqual(8)
    const before = raises()
    world.run(600_000)
    expect(raises() - before).toBeLessThanOrEqual(22)
  })
})

describe('counters at their bounds', () => {
  it('an incarnation that nothing is above is refuted by the next epoch', () => {
    const world = new MemberWorld()
    const [a, b, c] = world.cluster('a', 'b', 'c')
    const { epoch } = record(a!)
    b!.membership.learn({ ...record(a!), incarnation: Number.MAX_SAFE_INTEGER, hard: [1, 2] })
    world.runUntil(() => all([b!, c!], 'a', 'alive') && record(a!).incarnation === 0, 30_000)
    expect(record(a!).epoch).toEqual({ time: expect.any(Number), nonce: epoch.nonce })
    expect(compareEpochs(record(a!).epoch, epoch)).toBeGreaterThan(0)
    expect(a!.raised).toEqual([record(a!).epoch])
  })

  it('an incarnation at its bound leaves metadata changeable', () => {
    const world = new MemberWorld()
    const [a, b] = world.cluster('a', 'b')
    a!.membership.learn({ ...record(a!), incarnation: Number.MAX_SAFE_INTEGER - 1, hard: [1] })
    expect(record(a!).incarnation).toBe(Number.MAX_SAFE_INTEGER)
    a!.membership.setMetadata(Uint8Array.of(7))
    world.runUntil(() => b!.view('a')!.record.metadata[0] === 7, 10_000)
    expect(Number.isSafeInteger(record(a!).incarnation)).toBe(true)
  })

  it.each<[string, EpochId, EpochId | undefined]>([
    ['the last millisecond', { time: LAST_TIME, nonce: 5 }, { time: LAST_TIME, nonce: 6 }],
    ['the one before it', { time: LAST_TIME - 1, nonce: 5 }, { time: LAST_TIME, nonce: -1 }],
    ['the very last epoch', { time: LAST_TIME, nonce: LAST_NONCE }, undefined],
  ])('a ghost of %s is outbid if that is possible, and nothing wraps', (_, ghost, expected) => {
    const world = new MemberWorld()
    const [a, b] = world.cluster('a', 'b')
    const own = record(a!).epoch
    a!.membership.learn({ ...record(a!), epoch: ghost })
    const wanted =
      expected === undefined ? own : expected.nonce < 0 ? { ...expected, nonce: own.nonce } : expected
    expect(record(a!).epoch).toEqual(wanted)
    world.run(5_000)
    expect(b!.view('a')!.record.epoch).toEqual(wanted)
    expect(b!.verdict('a')).toBe('alive')
  })

  it.each([
    ['before 1970', -1e15, 1],
    ['far beyond what epochs hold', 1e18, 2 ** 46],
  ])('a clock that is %s still makes an epoch that all can read, with room above', (_, offset, time) => {
    const world = new MemberWorld()
    const [b] = world.cluster('b')
    const a = world.boot('a', { clockOffsetMs: offset })
    a.join(b)
    world.run(5_000)
    expect(record(a).epoch.time).toBe(time)
    expect(b!.verdict('a')).toBe('alive')
  })
})

describe('whoever speaks of a former life', () => {
  it('is told of the present one', () => {
    const world = new MemberWorld()
    const [a] = world.cluster('a', 'b')
    world.run(10_000)
    expect(a!.membership.queue.size).toBe(0)
    const own = record(a!)
    a!.membership.learn({ ...own, epoch: { ...own.epoch, time: own.epoch.time - 1 } })
    expect(a!.membership.queue.size).toBe(1)
    expect(record(a!)).toEqual(own)
  })
})

it('clones of one process, which nothing tells apart, do not outbid each other without end', () => {
  const world = new MemberWorld()
  const [a] = world.cluster('a', 'b')
  for (let i = 0; i < 50; i++) a!.membership.learn({ ...record(a!), incarnation: record(a!).incarnation + 1 })
  expect(record(a!).incarnation).toBeGreaterThan(0)
  expect(record(a!).incarnation).toBeLessThan(10)
})

it('whoever is not known yet is no witness against others', () => {
  const world = new MemberWorld()
  const newcomer = world.boot('new')
  newcomer.membership.learn(recordOf('silent', { hard: [1] }))
  world.run(10_000)
  expect(newcomer.membership.verdicts.verification.counts.started).toBeGreaterThan(0)
  expect(newcomer.view('silent')!.isAccusedBy(newcomer.membership.self.id)).toBe(false)
})
