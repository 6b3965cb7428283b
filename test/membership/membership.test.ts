import { describe, expect, it, vi } from 'vitest'
import { MAX_MEMBERS, MemberList } from '../../src/membership/member-list.ts'
import type { MemberRecord } from '../../src/wire/member-record.ts'
import { MESSAGE, readMessages, readPing } from '../../src/wire/messages.ts'
import { type MemberNode, MemberWorld } from './member-world.ts'
import { recordOf } from './records.ts'
import { EIGHT, equalDigests } from './views.ts'

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

  it('keeps its probe rounds together, also with those who come later', () => {
    const world = new MemberWorld()
    const rounds = new Map<string, number>()
    world.tap = (from, body) => {
      readMessages(body, (type, payload) => {
        if (type === MESSAGE.ping) rounds.set(from.name, readPing(payload).round)
        return true
      })
    }
    const [a] = world.cluster('a', 'b', 'c')
    world.run(60_000)
    world.boot('late').join(a)
    world.run(10_000)
    expect(rounds.size).toBe(4)
    expect(Math.max(...rounds.values()) - Math.min(...rounds.values())).toBeLessThanOrEqual(1)
    expect(Math.min(...rounds.values())).toBeGreaterThan(60)
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

describe('news', () => {
  function transmissions(node: MemberNode, name: string): number | undefined {
    return node.membership.queue.select(1e6, false).find(({ key }) => key === name)?.limit
  }

  it('of members that join go one round only while there are many of them, accusations and leaves all rounds', () => {
    const world = new MemberWorld()
    const [a, b] = world.cluster('a', 'b', 'c')
    for (let i = 0; i < 80; i++) a!.membership.learn(recordOf(`new${i}`))
    expect(a!.membership.backlogged).toBe(true)
    expect(transmissions(a!, 'new0')).toBe(Number.POSITIVE_INFINITY)
    expect(transmissions(a!, 'new79')).toBe(3)
    a!.membership.learn(recordOf('left', { left: true }))
    a!.membership.learn({ ...b!.membership.self.record, hard: [1] })
    expect(transmissions(a!, 'left')).toBe(Number.POSITIVE_INFINITY)
    expect(transmissions(a!, 'b')).toBe(Number.POSITIVE_INFINITY)
  })

  it('of the keys that members hold go one round only while there are many of them; refutations go all rounds, with whatever keys', () => {
    const world = new MemberWorld()
    const [a] = world.cluster('a', 'b', 'c')
    for (let i = 0; i < 80; i++) a!.membership.learn(recordOf(`new${i}`, { keys: [1] }))
    const learn = (name: string, change: Partial<MemberRecord>): number | undefined => {
      a!.membership.learn(recordOf(name, change))
      return transmissions(a!, name)
    }
    expect(a!.membership.backlogged).toBe(true)
    expect(learn('new7', { incarnation: 1, keys: [2, 1] })).toBe(3)
    expect(learn('new8', { incarnation: 1, keys: [1], metadata: Uint8Array.of(1) })).toBe(
      Number.POSITIVE_INFINITY,
    )
    expect(learn('new9', { keys: [1], hard: [1] })).toBe(Number.POSITIVE_INFINITY)
    expect(learn('new9', { incarnation: 1, keys: [2, 1] })).toBe(Number.POSITIVE_INFINITY)
    expect(learn('new9', { incarnation: 2, keys: [2], left: true })).toBe(Number.POSITIVE_INFINITY)
  })

  it('of a refutation are told again to those who have not heard, but not for every old accusation that comes', () => {
    const world = new MemberWorld()
    const [a, b] = world.cluster('a', 'b')
    const accused = { ...a!.membership.self.record, hard: [b!.membership.self.id] }
    a!.membership.learn(accused)
    expect(a!.membership.self.record.incarnation).toBe(1)
    const reminded = (): boolean => {
      a!.membership.queue.clear()
      a!.membership.learn(accused)
      return a!.membership.queue.size > 0
    }
    expect([1, 2, 3].map(reminded)).toEqual([true, false, false])
    world.run(2_000)
    expect(reminded()).toBe(true)
    expect(a!.membership.counts.refutations).toBe(1)
  })

  it('of members beyond the bound are not taken in', () => {
    const world = new MemberWorld()
    const [a] = world.cluster('a')
    const size = vi.spyOn(MemberList.prototype, 'size', 'get').mockReturnValue(MAX_MEMBERS)
    a!.membership.learn(recordOf('one too many'))
    size.mockRestore()
    expect(a!.verdict('one too many')).toBeUndefined()
    a!.membership.learn(recordOf('the last'))
    expect(a!.verdict('the last')).toBe('alive')
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
