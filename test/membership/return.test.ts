import { describe, expect, it } from 'vitest'
import { withAccusation } from '../../src/membership/member.ts'
import { compareEpochs } from '../../src/wire/epoch.ts'
import { MAX_METADATA_BYTES } from '../../src/wire/limits.ts'
import { type MemberNode, MemberWorld, OPTIONS } from './member-world.ts'
import { all, EIGHT, equalDigests, others } from './views.ts'

describe('leaving', () => {
  it('is told: everybody sees it at once, and nobody suspects', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT)
    const [gone, ...rest] = nodes
    gone!.leave()
    const ms = world.runUntil(() => all(rest, 'a', 'left'), 2_000)
    expect(ms).toBeLessThan(1_000)
    gone!.crash()
    world.run(60_000)
    for (const node of rest) expect(node.history('a')).toEqual(['alive', 'left'])
  })

  it('is final: no later word about that life brings it back', () => {
    const world = new MemberWorld()
    const [a, b, ...rest] = world.cluster(...EIGHT)
    const { record } = a!.membership.self
    a!.leave()
    world.run(2_000)
    a!.crash()
    b!.membership.learn({ ...record, hard: [b!.membership.self.id] })
    world.run(60_000)
    expect(all([b!, ...rest], 'a', 'left')).toBe(true)
  })

  it('can be followed by coming back under the same name', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT)
    const [a, ...rest] = nodes
    a!.leave()
    world.run(2_000)
    a!.crash()
    const back = world.boot('a')
    back.join(rest[0])
    world.run(5_000)
    expect(all(rest, 'a', 'alive')).toBe(true)
    expect(equalDigests([back, ...rest])).toBe(true)
  })

  it('of a node that nobody claims to have left is refuted by it', () => {
    const world = new MemberWorld()
    const [a, b, ...rest] = world.cluster(...EIGHT)
    b!.membership.learn({ ...a!.membership.self.record, left: true })
    expect(b!.verdict('a')).toBe('left')
    world.run(5_000)
    expect(all([b!, ...rest], 'a', 'alive')).toBe(true)
  })
})

describe('a member that was taken for failed', () => {
  it('and comes back as the same process refutes, and everybody takes it back', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT)
    const [cut, ...rest] = nodes
    const { epoch } = cut!.membership.self.record
    world.reaches = (from, to) => (from.name === 'a') === (to.name === 'a')
    world.runUntil(
      () => all(rest, 'a', 'failed') && rest.every(({ name }) => cut!.verdict(name) === 'failed'),
      120_000,
    )
    expect(cut!.membership.isolated).toBe(true)
    world.reaches = () => true
    world.runUntil(
      () => all(rest, 'a', 'alive') && rest.every(({ name }) => cut!.verdict(name) === 'alive'),
      60_000,
    )
    for (const node of nodes) {
      const { record } = node.view('a')!
      expect(record.epoch).toEqual(epoch)
      expect(record.incarnation).toBeGreaterThan(0)
    }
    expect(cut!.membership.isolated).toBe(false)
    world.run(10_000)
    expect(equalDigests(nodes)).toBe(true)
  })

  it('stays so with one more accuser, until it is heard of itself', () => {
    const world = new MemberWorld()
    const [hung, b, c] = world.cluster(...EIGHT)
    hung!.hang()
    world.runUntil(() => b!.verdict('a') === 'failed', 60_000)
    const { record } = b!.view('a')!
    b!.membership.learn(withAccusation(record, c!.membership.self.id, true))
    expect(b!.view('a')!.record).not.toBe(record)
    expect(b!.verdict('a')).toBe('failed')
    b!.membership.learn({ ...record, incarnation: 1, hard: [], soft: [] })
    expect(b!.verdict('a')).toBe('alive')
  })

  it('is contacted again without end, and forgotten when it has been gone for long', () => {
    const world = new MemberWorld()
    const options = { forgetAfterMs: 120_000 }
    const nodes = ['a', 'b', 'c'].map((name) => world.boot(name, { options }))
    for (const node of nodes) node.join(nodes[0])
    world.run(5_000)
    const [a, b, c] = nodes
    c!.crash()
    world.runUntil(() => all([a!, b!], 'c', 'failed'), 20_000)
    world.run(100_000)
    expect(a!.membership.counts.healPings! + b!.membership.counts.healPings!).toBeGreaterThanOrEqual(8)
    expect(all([a!, b!], 'c', 'failed')).toBe(true)
    world.run(60_000)
    expect(all([a!, b!], 'c', undefined)).toBe(true)
    expect(a!.forgotten).toEqual(['c'])
    world.run(60_000)
    expect(all([a!, b!], 'c', undefined)).toBe(true)
  })
})

describe('a partition', () => {
  it.each([
    ['two', 2, 0],
    ['four', 4, 0],
    ['four, with as much metadata as can be,', 4, MAX_METADATA_BYTES],
  ])('into %s heals by itself', (_, parts, metadataBytes) => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT)
    for (const { membership } of nodes) membership.setMetadata(new Uint8Array(metadataBytes))
    const part = (node: MemberNode): number => nodes.indexOf(node) % parts
    world.reaches = (from, to) => part(from) === part(to)
    world.runUntil(
      () =>
        nodes.every((node) =>
          nodes.every((other) => part(node) === part(other) || node.verdict(other.name) === 'failed'),
        ),
      180_000,
    )
    world.reaches = () => true
    world.runUntil(() => nodes.every((node) => all(others(nodes, node), node.name, 'alive')), 180_000)
    world.run(10_000)
    expect(equalDigests(nodes)).toBe(true)
  })
})

describe('a restart', () => {
  it('at the same address supersedes the former life, without anybody being suspected for its silence', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT)
    const [a, ...rest] = nodes
    a!.crash()
    world.run(300)
    const back = world.boot('a')
    back.join(rest[0])
    world.run(30_000)
    for (const node of rest) {
      expect(node.view('a')!.record.epoch).toEqual(back.membership.self.record.epoch)
      expect(node.history('a')).toEqual(['alive'])
    }
    expect(back.twins).toEqual([])
  })

  it('of a node that is held failed by all brings it back at once', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT)
    const [a, ...rest] = nodes
    a!.crash()
    world.runUntil(() => all(rest, 'a', 'failed'), 20_000)
    world.run(20_000)
    const back = world.boot('a')
    back.join(rest[0])
    world.runUntil(() => all(rest, 'a', 'alive'), 1_500)
  })

  it('with a clock that is behind is above the former life all the same', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT)
    const [a, ...rest] = nodes
    const former = a!.membership.self.record
    a!.crash()
    world.run(300)
    const back = world.boot('a', { clockOffsetMs: -3_600_000 })
    back.join(rest[0])
    world.run(10_000)
    expect(back.membership.self.record.epoch.time).toBe(former.epoch.time + 1)
    expect(back.raised).toHaveLength(1)
    expect(all(rest, 'a', 'alive')).toBe(true)
    expect(equalDigests([back, ...rest])).toBe(true)
  })

  it('is not concerned by what is still said of its former life', () => {
    const world = new MemberWorld()
    const [a, b] = world.cluster('a', 'b')
    const { record } = a!.membership.self
    const former = { ...record, epoch: { ...record.epoch, time: record.epoch.time - 1 }, incarnation: 9 }
    a!.membership.learn({ ...former, hard: [b!.membership.self.id] })
    expect(a!.membership.self.record).toBe(record)
  })

  it.each([
    ['at its own address', false, {}],
    ['that left', false, { address: '10.9.9.9:1', left: true }],
    ['at its own address, before it is made known', true, {}],
    ['that left, before it is made known', true, { address: '10.9.9.9:1', left: true }],
  ])('that hears of a later life %s takes it for a ghost, and rises above it at once', (_, before, ghost) => {
    const world = new MemberWorld()
    const [b] = world.cluster('b')
    const node = world.boot('a')
    const { record } = node.membership.self
    const later = { ...record, epoch: { time: record.epoch.time + 5_000, nonce: 1 }, ...ghost }
    if (before) node.membership.learn(later)
    node.join()
    if (!before) node.membership.learn(later)
    expect(node.membership.self.record.epoch).toEqual({
      time: later.epoch.time + 1,
      nonce: record.epoch.nonce,
    })
    expect(node.raised).toEqual([node.membership.self.record.epoch])
    b!.sync(node, () => {})
    world.run(1_000)
    expect(b!.view('a')!.record).toEqual(node.membership.self.record)
  })

  it('with a clock that is behind and no seed meets its own ghost later, and rises above it', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT)
    const [a, ...rest] = nodes
    const former = a!.membership.self.record
    a!.crash()
    const back = world.boot('a', { clockOffsetMs: -3_600_000 })
    back.join()
    expect(compareEpochs(back.membership.self.record.epoch, former.epoch)).toBeLessThan(0)
    world.run(10_000)
    rest[0]!.sync(back, () => {})
    world.run(5_000)
    expect(compareEpochs(back.membership.self.record.epoch, former.epoch)).toBeGreaterThan(0)
    expect(all(rest, 'a', 'alive')).toBe(true)
    expect(equalDigests([back, ...rest])).toBe(true)
  })

  it('at another address supersedes a former life that answers nobody', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT)
    const [a, ...rest] = nodes
    a!.crash()
    world.run(300)
    const back = world.boot('a', { address: '10.9.9.9:7946' })
    back.join(rest[0])
    expect(back.started).toBe(false)
    world.run(3 * OPTIONS.probeTimeoutMs + 2_000)
    expect(back.twins).toEqual([])
    for (const node of rest) expect(node.view('a')!.address).toBe('10.9.9.9:7946')
    expect(all(rest, 'a', 'alive')).toBe(true)
  })
})
