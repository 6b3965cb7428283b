import { describe, expect, it } from 'vitest'
import { randomNumbers } from '../dissemination/test-clock.ts'
import { type MemberNode, MemberWorld, OPTIONS } from './member-world.ts'
import { all, EIGHT, equalDigests, others, sum } from './views.ts'

const TWELVE: readonly string[] = [...EIGHT, 'i', 'j', 'k', 'l']

/** Ids of four members that are held alive everywhere, as hard accusers of somebody else. */
function quorum(nodes: readonly MemberNode[]): number[] {
  return nodes
    .slice(-4)
    .map(({ membership }) => membership.self.id)
    .sort((a, b) => a - b)
}

describe('a member that is hardly heard', () => {
  it('is removed for most of the time, and takes nobody with it', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...TWELVE)
    const [a, ...rest] = nodes
    const random = randomNumbers(7)
    world.reaches = (from, to) => (from !== a && to !== a) || (from === a ? random() % 5 === 0 : true)
    let removed = 0
    for (let i = 0; i < 180; i++) {
      world.run(1_000)
      for (const node of rest) if (node.membership.verdicts.statusOf(node.view('a')!) === 'failed') removed++
    }
    expect(removed / 180 / rest.length).toBeGreaterThan(0.6)
    for (const node of rest)
      for (const other of others(rest, node)) expect(node.history(other.name)).not.toContain('failed')
    expect(sum(rest, 'quarantines')).toBeGreaterThan(0)
  })
})

describe('accusations of a member that is held failed', () => {
  it('are not taken over from its packets, whatever else they tell is', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT)
    const [a, b, c] = nodes
    a!.crash()
    world.runUntil(() => all(nodes.slice(1), 'a', 'failed'), 10_000)
    const { record } = c!.membership.self
    const accused = { ...record, hard: [b!.membership.self.id] }
    b!.membership.learn(accused, a!.address)
    expect(b!.verdict('c')).toBe('alive')
    expect(b!.view('c')!.record.hard).toEqual([])
    b!.membership.learn({ ...accused, incarnation: 1 }, a!.address)
    expect(b!.view('c')!.record.incarnation).toBe(1)
    expect(b!.membership.counts.muted).toBe(2)
    b!.membership.learn({ ...accused, incarnation: 1 }, nodes[4]!.address)
    expect(b!.verdict('c')).toBe('suspect')
  })

  it('are heard by the accused itself, which refutes', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT)
    const [a, b] = nodes
    a!.crash()
    world.runUntil(() => all(nodes.slice(1), 'a', 'failed'), 10_000)
    b!.membership.learn({ ...b!.membership.self.record, hard: [a!.membership.self.id] }, a!.address)
    expect(b!.membership.self.record.incarnation).toBe(1)
  })
})

describe('whoever asks a helper about a member that has failed', () => {
  it('is told what it was condemned by', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT)
    const [x, b, c] = nodes
    x!.crash()
    world.reaches = (from, to) => from !== b || to === c
    b!.membership.learn({ ...x!.membership.self.record, hard: quorum(nodes) })
    expect(b!.verdict('a')).toBe('failed')
    expect(c!.verdict('a')).toBe('alive')
    const { id, record } = x!.membership.self
    b!.membership.onIndirectPing(
      {
        token: { high: 1, low: 2 },
        address: x!.address,
        targetId: id,
        targetNonce: record.epoch.nonce,
        sourceId: c!.membership.self.id,
        budgetMs: 500,
      },
      c!.address,
    )
    world.run(2)
    expect(c!.verdict('a')).toBe('failed')
    expect(c!.view('a')!.record.hard).toEqual(quorum(nodes))
  })
})

describe('a quorum', () => {
  it('is believed at once in a quiet cluster, and only after a while by who has seen false alarms', () => {
    for (const alarms of [0, 5]) {
      const world = new MemberWorld()
      const nodes = world.cluster(...EIGHT)
      const [x, b] = nodes
      x!.crash()
      const { record } = x!.membership.self
      for (let incarnation = 0; incarnation < alarms; incarnation++) {
        b!.membership.learn({ ...record, incarnation, hard: quorum(nodes).slice(2) })
        b!.membership.learn({ ...record, incarnation: incarnation + 1 })
      }
      b!.membership.learn({ ...record, incarnation: alarms, hard: quorum(nodes) })
      expect(b!.verdict('a')).toBe(alarms === 0 ? 'failed' : 'suspect')
      world.run(1_500)
      expect(b!.verdict('a')).toBe(alarms === 0 ? 'failed' : 'suspect')
      world.run(600)
      expect(b!.verdict('a')).toBe('failed')
    }
  })

  it('is believed only after `minSuspicionMs`', () => {
    const world = new MemberWorld()
    const nodes = EIGHT.map((name) => world.boot(name, { options: { minSuspicionMs: 3_000 } }))
    for (const node of nodes) node.join(nodes[0]!)
    world.run(5_000)
    nodes[0]!.crash()
    const rest = nodes.slice(1)
    const suspected = world.runUntil(() => all(rest, 'a', 'suspect'), 5_000)
    const failed = world.runUntil(() => all(rest, 'a', 'failed'), 8_000)
    expect(suspected).toBeLessThan(3_000)
    expect(failed).toBeGreaterThan(2_500)
    expect(failed).toBeLessThan(5_000)
    expect(sum(rest, 'timeouts')).toBe(0)
  })
})

describe('a member that is failed again and again', () => {
  it('is in quarantine: reported failed, and yet what it is to the protocol', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...EIGHT)
    const [a, ...rest] = nodes
    for (let i = 0; i < 2; i++) {
      world.reaches = (from, to) => (from === a) === (to === a)
      world.runUntil(() => all(rest, 'a', 'failed'), 20_000)
      world.reaches = () => true
      world.runUntil(() => all(rest, 'a', 'alive'), 60_000)
    }
    const status = (node: MemberNode): string => node.membership.verdicts.statusOf(node.view('a')!)
    expect(rest.map(status)).toEqual(rest.map(() => 'failed'))
    world.run(5_000)
    expect(equalDigests(nodes)).toBe(true)
    for (const node of rest) {
      expect(node.verdict('a')).toBe('alive')
      expect(node.membership.members.live).toHaveLength(7)
    }
    world.run(60_000)
    expect(rest.map(status)).toEqual(rest.map(() => 'alive'))
    // Reported once each time, and alive again only at the end of it.
    const said = ['alive', 'suspect', 'failed', 'alive', 'suspect', 'failed', 'alive']
    for (const node of rest) {
      expect(node.reports.filter((report) => report.startsWith('a '))).toEqual(said.map((one) => `a ${one}`))
      expect(node.history('a')).toEqual(said)
    }
    expect(sum(rest, 'quarantines')).toBe(rest.length)
    expect(a!.membership.counts.quarantines).toBe(0)
  })
})

describe('a member that keeps refuting what others say', () => {
  it('is in quarantine when eight have said it, and none of them alone was wrong often', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...TWELVE)
    const [x, b] = nodes
    const accusers = nodes.slice(2, 10).map(({ membership }) => membership.self.id)
    x!.crash()
    const { record } = x!.membership.self
    for (let i = 0; i < 4; i++) {
      expect(b!.membership.verdicts.statusOf(b!.view('a')!)).not.toBe('failed')
      const hard = accusers.slice(2 * i, 2 * i + 2).sort((one, other) => one - other)
      b!.membership.learn({ ...record, incarnation: i, hard })
      b!.membership.learn({ ...record, incarnation: i + 1 })
    }
    expect(b!.verdict('a')).toBe('alive')
    expect(b!.membership.verdicts.statusOf(b!.view('a')!)).toBe('failed')
    expect(b!.reports.at(-1)).toBe('a failed')
  })
})

describe('when many fail at once', () => {
  it('news are sent more often for a while', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...TWELVE)
    const [survivor] = nodes
    for (const node of nodes.slice(6)) node.crash()
    world.runUntil(() => nodes.slice(6).every(({ name }) => survivor!.verdict(name) === 'failed'), 14_000)
    // λ for six that live, and as many again for those that do not.
    expect(survivor!.membership.transmitLimit()).toBe(2 * OPTIONS.retransmitMultiplier)
    world.run(16_000)
    expect(survivor!.membership.transmitLimit()).toBe(OPTIONS.retransmitMultiplier)
  })
})

describe('a node that saw nobody', () => {
  it('looks at suspects as before as soon as it is answered', () => {
    const world = new MemberWorld()
    const nodes = world.cluster(...TWELVE)
    const [a, b] = nodes
    const { examiner } = a!.membership.verdicts
    world.reaches = (from, to) => (from === a) === (to === a)
    world.run(12_000)
    const looks = (): boolean => examiner.examine(a!.view('b')!, () => {}) !== undefined
    expect([looks(), looks()]).toContain(false)
    world.reaches = (from, to) => (from !== a && to !== a) || from === b || to === b
    world.run(12_000)
    expect([looks(), looks(), looks()]).toEqual([true, true, true])
  })
})
