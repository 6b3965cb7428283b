import { describe, expect, it } from 'vitest'
import { withAccusation } from '../../src/membership/member.ts'
import { accusersNeeded } from '../../src/membership/suspicion-rules.ts'
import { compareEpochs } from '../../src/wire/epoch.ts'
import { MAX_METADATA_BYTES } from '../../src/wire/limits.ts'
import { type MemberNode, MemberWorld, OPTIONS } from './member-world.ts'
import { recordOf } from './records.ts'

const EIGHT = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']

function others(nodes: readonly MemberNode[], ...but: readonly MemberNode[]): MemberNode[] {
  return nodes.filter((node) => !but.includes(node))
}

function all(nodes: readonly MemberNode[], name: string, verdict: string | undefined): boolean {
  return nodes.every((node) => node.verdict(name) === verdict)
}

function sum(nodes: readonly MemberNode[], count: string): number {
  return nodes.reduce((total, { membership }) => total + membership.counts[count]!, 0)
}

function equalDigests(nodes: readonly MemberNode[]): boolean {
  const digests = nodes.map(({ membership }) => JSON.stringify(membership.members.digest()))
  return new Set(digests).size === 1
}

describe('a quiet cluster', () => {
  it('knows itself, agrees, and suspects nobody', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT)
    world.run(60_000)
    for (const node of nodes) {
      expect(node.membership.members.live).toHaveLength(7)
      expect(node.happenings.map(({ what }) => what)).toEqual(Array<string>(7).fill('alive'))
    }
    expect(equalDigests(nodes)).toBe(true)
  })

  it('says no more than its probes: a ping and an ack per member and second', () => {
    const world = new MemberWorld()
    world.cluster(...EIGHT)
    world.run(10_000)
    const before = world.packets
    world.run(100_000)
    const perMemberAndSecond = (world.packets - before) / 8 / 100
    expect(perMemberAndSecond).toBeGreaterThan(1.9)
    expect(perMemberAndSecond).toBeLessThan(2.1)
  })

  it('hears of new metadata at once, everywhere', () => {
    const world = new MemberWorld()
    const [a, ...rest] = world.cluster(...EIGHT)
    a!.membership.setMetadata(Uint8Array.of(1, 2))
    world.run(1_500)
    for (const node of rest) {
      expect([...node.view('a')!.record.metadata]).toEqual([1, 2])
      expect(node.updates).toEqual(['a'])
    }
  })
})

describe('a crash', () => {
  it.each([1, 2, 3, 4, 5])(
    'is found by a quorum of accusers, within seconds, without time-outs (seed %i)',
    (seed) => {
      const world = new MemberWorld(seed)
      const nodes = world.cluster(...EIGHT)
      const [gone, ...rest] = nodes
      gone!.crash()
      const ms = world.runUntil(() => all(rest, 'a', 'failed'), 10_000)
      // A round to be probed, two stages of probing, one verification, and the rumour.
      expect(ms).toBeLessThan(5_000)
      expect(sum(rest, 'timeouts')).toBe(0)
      const needed = accusersNeeded(8)
      for (const node of rest) expect(node.view('a')!.record.hard.length).toBeGreaterThanOrEqual(needed)
      world.run(60_000)
      for (const node of rest) expect(node.history('a')).toEqual(['alive', 'suspect', 'failed'])
      for (const node of rest)
        for (const other of rest) expect(node.history(other.name)).not.toContain('suspect')
    },
  )

  it('is found by two among three', () => {
    const world = new MemberWorld()
    const [a, b, c] = world.cluster('a', 'b', 'c')
    c!.crash()
    expect(world.runUntil(() => all([a!, b!], 'c', 'failed'), 10_000)).toBeLessThan(6_000)
    expect(sum([a!, b!], 'timeouts')).toBe(0)
  })

  it('of half the cluster is found, though the first verifiers die with the victims', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT, 'i', 'j')
    const victims = nodes.slice(0, 5)
    for (const victim of victims) victim.crash()
    const rest = others(nodes, ...victims)
    world.runUntil(() => victims.every(({ name }) => all(rest, name, 'failed')), 90_000)
    for (const node of rest)
      for (const other of rest) expect(node.history(other.name)).not.toContain('failed')
  })

  it('of one of two is found on the slow path at its shortest, once the other takes itself for isolated', () => {
    const world = new MemberWorld()
    const [a, b] = world.cluster('a', 'b')
    world.run(5_000)
    b!.crash()
    const ms = world.runUntil(() => a!.verdict('b') === 'failed', 20_000)
    const shortest = OPTIONS.suspicionMultiplier * OPTIONS.probeIntervalMs
    expect(ms).toBeGreaterThan(shortest)
    // Up to two ticks until the probe, its two stages, and the last ping.
    expect(ms).toBeLessThan(shortest + 2_000 + 1_000 + 1_000)
    expect(a!.membership.counts).toMatchObject({ certificates: 0, timeouts: 1 })
    expect(a!.happenings.map(({ what }) => what)).toEqual(['alive', 'suspect', 'isolated', 'failed'])
  })

  it('of a process whose host still answers is only found on the slow path', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT)
    const [hung, ...rest] = nodes
    hung!.hang()
    world.run(5_000)
    expect(all(rest, 'a', 'suspect')).toBe(true)
    world.runUntil(() => all(rest, 'a', 'failed'), 60_000)
    expect(sum(rest, 'certificates')).toBe(0)
    expect(sum(rest, 'timeouts')).toBe(7)
    for (const node of rest) expect(node.view('a')!.record.hard).toEqual([])
  })
})

describe('a member that lives', () => {
  it('refutes a suspicion, and is alive again everywhere', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT)
    const [a, b, ...rest] = nodes
    const record = withAccusation(a!.membership.self.record, b!.membership.self.id, true)
    for (const node of [b!, ...rest]) node.membership.learn(record)
    expect(all([b!, ...rest], 'a', 'suspect')).toBe(true)
    world.run(1_500)
    expect(all([b!, ...rest], 'a', 'alive')).toBe(true)
    for (const node of nodes) expect(node.view('a')!.record.incarnation).toBe(1)
    expect(a!.membership.counts.refutations).toBe(1)
    world.run(30_000)
    for (const node of [b!, ...rest]) expect(node.history('a')).toEqual(['alive', 'suspect', 'alive'])
  })

  it('is not suspected where one other cannot reach it, by packets or at all, as long as the rest can', () => {
    for (const carriers of [['packet'], ['packet', 'stream']]) {
      const world = new MemberWorld()
      const nodes = world.cluster(...EIGHT)
      world.reaches = (from, to, by) => !(from.name === 'b' && to.name === 'a' && carriers.includes(by))
      world.run(120_000)
      for (const node of nodes) expect(node.history('a')).not.toContain('suspect')
      expect(nodes[1]!.membership.detector.counts.indirect).toBeGreaterThan(0)
    }
  })

  it('is not suspected where only streams get through to it', () => {
    const world = new MemberWorld()
    const nodes = world.cluster('a', 'b')
    world.reaches = (_, to, by) => to.name !== 'a' || by === 'stream'
    world.run(60_000)
    expect(nodes[1]!.history('a')).toEqual(['alive'])
    expect(nodes[1]!.membership.detector.counts.stream).toBeGreaterThan(0)
  })

  it.each([1, 2])('is not declared failed because every tenth packet is lost (seed %i)', (seed) => {
    const world = new MemberWorld(seed)
    const nodes = world.cluster(...EIGHT)
    world.loss = 0.1
    world.run(180_000)
    for (const node of nodes) {
      for (const other of others(nodes, node)) expect(node.history(other.name)).not.toContain('failed')
    }
  })

  it('is not declared failed on the word of the unknown, or of those that are failed themselves', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT)
    const [a, b] = nodes
    const gone = nodes.slice(4)
    for (const node of gone) node.crash()
    world.runUntil(() => gone.every(({ name }) => all([a!, b!], name, 'failed')), 90_000)
    world.run(5_000)
    const accusers = gone.map(({ membership }) => membership.self.id)
    for (const hard of [accusers, [1, 2, 3, 4]]) {
      const { record } = b!.membership.self
      a!.membership.learn({ ...record, hard: hard.toSorted((x, y) => x - y) })
      expect(a!.verdict('b')).toBe('suspect')
      world.run(2_000)
      expect(a!.verdict('b')).toBe('alive')
    }
  })
})

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
    expect(a!.membership.counts.healPings).toBeGreaterThanOrEqual(7)
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

describe('a node that is cut off', () => {
  it('knows it before it gives up on anybody, and knows when it is over', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT)
    const [cut] = nodes
    const from = world.clock.now
    world.reaches = (from, to) => from.name !== 'a' && to.name !== 'a'
    world.run(60_000)
    const isolated = cut!.happenings.find(({ what }) => what === 'isolated')!
    expect(isolated.atMs - from).toBeGreaterThanOrEqual(OPTIONS.isolationTimeoutMs - OPTIONS.probeIntervalMs)
    expect(isolated.atMs - from).toBeLessThanOrEqual(OPTIONS.isolationTimeoutMs + OPTIONS.probeIntervalMs)
    const failed = cut!.happenings.findIndex(({ what }) => what === 'failed')
    expect(failed).toBeGreaterThan(cut!.happenings.indexOf(isolated))
    world.reaches = () => true
    world.run(30_000)
    expect(cut!.membership.isolated).toBe(false)
    expect(cut!.happenings.filter(({ what }) => what === 'reconnected')).toHaveLength(1)
  })

  it('is not a node that is alone', () => {
    const world = new MemberWorld()
    const [alone] = world.cluster('a')
    world.run(60_000)
    expect(alone!.happenings).toEqual([])
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

describe('two processes of one name', () => {
  it('the newcomer finds that its name is taken, and is never made known', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT)
    const { record } = nodes[0]!.membership.self
    const twin = world.boot('a', { address: '10.9.9.9:7946' })
    twin.join(nodes[1])
    world.run(10_000)
    expect(twin.twins).toHaveLength(1)
    expect(twin.started).toBe(false)
    for (const node of nodes) expect(node.view('a')!.record).toEqual(record)
  })

  it('that meet later: the higher epoch keeps the name, the lower is told, and neither spins', () => {
    const world = new MemberWorld()
    const nodes = world.cluster('a', 'b', 'c')
    world.run(2_000)
    const twin = world.boot('a', { address: '10.9.9.9:7946' })
    const d = world.boot('d')
    twin.join()
    d.join(twin)
    world.run(5_000)
    d.sync(nodes[1]!, () => {})
    world.run(5_000)
    const epochs = [nodes[0]!, twin].map(({ membership }) => membership.self.record.epoch)
    expect(nodes[0]!.twins.length).toBeGreaterThan(0)
    expect(twin.twins).toEqual([])
    const before = world.packets
    world.run(60_000)
    expect([nodes[0]!, twin].map(({ membership }) => membership.self.record.epoch)).toEqual(epochs)
    for (const node of [nodes[1]!, nodes[2]!, d]) expect(node.view('a')!.address).toBe('10.9.9.9:7946')
    expect((world.packets - before) / 5 / 60).toBeLessThan(6)
  })
})

describe('news', () => {
  function transmissions(node: MemberNode, name: string): number | undefined {
    return node.membership.queue.select(1e6, false).find(({ key }) => key === name)?.limit
  }

  it('of members that join go one round only while there are many of them, accusations and leaves all rounds', () => {
    const world = new MemberWorld()
    const [a, b] = world.cluster('a', 'b', 'c')
    for (let i = 0; i < 40; i++) a!.membership.learn(recordOf(`new${i}`))
    expect(a!.membership.backlogged).toBe(true)
    expect(transmissions(a!, 'new0')).toBe(Number.POSITIVE_INFINITY)
    expect(transmissions(a!, 'new39')).toBe(3)
    a!.membership.learn(recordOf('left', { left: true }))
    a!.membership.learn({ ...b!.membership.self.record, hard: [1] })
    expect(transmissions(a!, 'left')).toBe(Number.POSITIVE_INFINITY)
    expect(transmissions(a!, 'b')).toBe(Number.POSITIVE_INFINITY)
  })

  it('that a sync brought are not passed on: who lacks them sees it by the digest', () => {
    const world = new MemberWorld()
    const [a, b] = world.cluster('a', 'b')
    world.run(20_000)
    expect([a!, b!].map(({ membership }) => membership.queue.size)).toEqual([0, 0])
    b!.membership.members.add(recordOf('new'), 'alive', world.clock.now)
    a!.sync(b!, () => {})
    world.run(100)
    expect(a!.verdict('new')).toBe('alive')
    expect(a!.membership.queue.size).toBe(0)
  })
})

describe('a ping', () => {
  const token = { high: 1, low: 2 }

  it('for another life is not answered', () => {
    const world = new MemberWorld()
    const [a, b] = world.cluster('a', 'b')
    const { id, record } = a!.membership.self
    const ping = { token, round: 0, targetId: id, sourceId: 7, members: 0, digests: [] }
    const answers = (targetNonce: number): number => {
      const before = world.packets
      a!.membership.onPing({ ...ping, targetNonce }, b!.address)
      return world.packets - before
    }
    expect(answers(record.epoch.nonce)).toBe(1)
    expect(answers(0)).toBe(1)
    expect(answers(record.epoch.nonce ^ 1)).toBe(0)
    expect(a!.membership.counts.misdirected).toBe(1)
  })

  it('that others ask for does not occupy a node for ever, whatever time they name', () => {
    const world = new MemberWorld()
    const [a, b] = world.cluster('a', 'b')
    const request = {
      token,
      address: '10.9.9.9:1',
      targetId: 1,
      targetNonce: 1,
      sourceId: b!.membership.self.id,
    }
    const ask = (budgetMs: number): number => {
      const before = world.packets
      a!.membership.onIndirectPing({ ...request, budgetMs }, b!.address)
      return world.packets - before
    }
    for (let i = 0; i < 1_024; i++) expect(ask(Number.MAX_SAFE_INTEGER)).toBe(1)
    expect(ask(500)).toBe(0)
    world.run(61_000)
    expect(ask(500)).toBe(1)
  })
})
