import { describe, expect, it } from 'vitest'
import { MAX_METADATA_BYTES } from '../../src/wire/limits.ts'
import { type MemberNode, MemberWorld, OPTIONS } from './member-world.ts'
import { all, EIGHT, equalDigests } from './views.ts'

function contacts(nodes: readonly MemberNode[]): number {
  return nodes.reduce((sum, { membership }) => sum + membership.counts.healPings!, 0)
}

/** A cluster one member of which is gone, and those who miss it. */
function missingOne(names: readonly string[]): { world: MemberWorld; rest: MemberNode[] } {
  const world = new MemberWorld()
  const [gone, ...rest] = world.cluster(...names)
  gone!.membership.setMetadata(new Uint8Array(MAX_METADATA_BYTES))
  world.run(2_000)
  gone!.crash()
  world.runUntil(() => all(rest, gone!.name, 'failed'), 60_000)
  return { world, rest }
}

describe('a member that failed is contacted', () => {
  it.each([
    ['two', ['a', 'b', 'c']],
    ['seven', EIGHT],
  ])('once an interval at first, by %s nodes together', (_, names) => {
    const { world, rest } = missingOne(names)
    const before = contacts(rest)
    world.run(600_000)
    const expected = 600_000 / OPTIONS.healIntervalMs
    expect(contacts(rest) - before).toBeGreaterThan(0.8 * expected)
    expect(contacts(rest) - before).toBeLessThan(1.2 * expected)
  })

  it('less and less often, but at a twelfth of that rate to the end', () => {
    const { world, rest } = missingOne(['a', 'b', 'c'])
    world.run(2 * 3_600_000)
    const later = contacts(rest)
    world.run(600_000)
    expect(contacts(rest) - later).toBeLessThan(0.25 * (600_000 / OPTIONS.healIntervalMs))
    world.run(5 * 3_600_000)
    const last = contacts(rest)
    world.run(3_600_000)
    const slowest = 3_600_000 / OPTIONS.healIntervalMs / 12
    expect(contacts(rest) - last).toBeGreaterThan(0.8 * slowest)
    expect(contacts(rest) - last).toBeLessThan(1.2 * slowest)
  })

  it('by the only one that misses it within 120 intervals, however many others there are', () => {
    const world = new MemberWorld()
    const [a, b, c] = world.cluster('a', 'b', 'c')
    b!.crash()
    c!.crash()
    world.runUntil(() => all([a!], 'b', 'failed') && all([a!], 'c', 'failed'), 60_000)
    // As if it shared the work with a thousand others.
    Object.defineProperty(a!.membership.members, 'liveCount', { get: () => 1_000 })
    const before = contacts([a!])
    world.run(120 * OPTIONS.healIntervalMs)
    expect(contacts([a!]) - before).toBe(1)
  })

  it('by nobody more than twice an interval, however many are missed', () => {
    const world = new MemberWorld()
    const names = Array.from({ length: 40 }, (_, i) => `n${i}`)
    const [one, ...others] = world.cluster(...names)
    world.reaches = (from, to) => (from === one) === (to === one)
    world.runUntil(() => others.every(({ name }) => one!.verdict(name) === 'failed'), 300_000)
    const before = contacts([one!])
    world.run(20 * OPTIONS.healIntervalMs)
    expect(contacts([one!]) - before).toBeGreaterThan(37)
    expect(contacts([one!]) - before).toBeLessThanOrEqual(41)
  })

  it.each([0, MAX_METADATA_BYTES])(
    'whatever life it leads now: one that has restarted and knows nobody is found (%i bytes of metadata)',
    (bytes) => {
      const { world, rest } = missingOne(EIGHT)
      for (const { membership } of rest) membership.setMetadata(new Uint8Array(bytes))
      world.run(5_000)
      const back = world.boot('a')
      back.join()
      back.membership.setMetadata(new Uint8Array(bytes))
      world.runUntil(() => all(rest, 'a', 'alive') && back.membership.members.live.length === 7, 30_000)
      world.run(10_000)
      expect(equalDigests([back, ...rest])).toBe(true)
    },
  )
})
