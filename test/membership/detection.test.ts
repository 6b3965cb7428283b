import { describe, expect, it } from 'vitest'
import { withAccusation } from '../../src/membership/member.ts'
import { accusersNeeded } from '../../src/membership/suspicion-rules.ts'
import { MemberWorld, OPTIONS } from './member-world.ts'
import { all, EIGHT, others, sum } from './views.ts'

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

  it('of one of two is found in half the shortest time, once the other takes itself for isolated', () => {
    const world = new MemberWorld()
    const [a, b] = world.cluster('a', 'b')
    world.run(5_000)
    b!.crash()
    const ms = world.runUntil(() => a!.verdict('b') === 'failed', 20_000)
    const half = (OPTIONS.suspicionMultiplier * OPTIONS.probeIntervalMs) / 2
    // Up to a tick until the probe, its two stages, and the suspicion with its last check.
    expect(ms).toBeGreaterThan(half + 1_000)
    expect(ms).toBeLessThan(half + 1_000 + 1_000 + 100)
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

  it('is hardly ever suspected where every fifth packet is lost and streams do not help, and a crash is found as soon', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT, 'i', 'j')
    world.loss = 0.2
    world.reaches = (_from, _to, by) => by === 'packet'
    const failedProbes = (): number =>
      nodes.reduce((failed, { membership }) => failed + membership.detector.counts.failed, 0)
    world.run(30_000)
    const before = failedProbes()
    world.run(120_000)
    // Of 1,200 probes; with one ping a stage some forty fail.
    expect(failedProbes() - before).toBeLessThan(12)
    nodes[0]!.crash()
    expect(world.runUntil(() => all(nodes.slice(1), 'a', 'failed'), 20_000)).toBeLessThan(6_000)
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
