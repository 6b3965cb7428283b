import { describe, expect, it } from 'vitest'
import { Simulation } from '../../sim/index.ts'
import type { Profile } from '../../src/options.ts'

/** A cluster of which the first node is cut off, what that one told from then on, and when. */
async function cutOff(
  size: number,
  profile: Profile,
  seed: number,
): Promise<{ sim: Simulation; told: string[]; at: number[]; since: number }> {
  const sim = new Simulation({ seed })
  for (let i = 0; i < size; i++) await sim.start(`n${i}`, { profile })
  await sim.advance(30_000)
  const told: string[] = []
  const at: number[] = []
  for (const event of ['isolated', 'reconnected', 'member-failed', 'member-up'] as const) {
    sim.cluster('n0').on(event, () => {
      told.push(event)
      at.push(sim.now)
    })
  }
  sim.partition(['n0'], sim.nodes.slice(1))
  return { sim, told, at, since: sim.now }
}

describe('a node that is cut off', () => {
  const profiles: Profile[] = ['lan', 'local', 'wan', 'vm']
  const sizes = [2, 3, 10]
  const seeds = [1, 2, 3]
  it.each(
    profiles.flatMap((profile) =>
      sizes.flatMap((size) => seeds.map((seed) => [profile, size, seed] as const)),
    ),
  )('says so before it holds anybody failed: profile %s, %i nodes, seed %i', async (profile, size, seed) => {
    const { sim, told, at, since } = await cutOff(size, profile, seed)
    await sim.until(() => told.includes('member-failed'), 300_000)
    expect(told[0]).toBe('isolated')
    expect(sim.cluster('n0').isolated).toBe(true)
    // Three seconds of silence, five times that in a WAN, and up to a probe interval until it is looked at.
    expect(at[0]! - since).toBeLessThan(profile === 'wan' ? 21_000 : 5_000)
    sim.heal()
    await sim.until(() => !sim.cluster('n0').isolated, 60_000)
    expect(told.filter((event) => event !== 'member-failed' && event !== 'member-up')).toEqual([
      'isolated',
      'reconnected',
    ])
  })

  it.each([2, 5])('withdraws nothing, for as long as it takes: one of %i', async (size) => {
    const { sim, told } = await cutOff(size, 'lan', 4)
    sim.heal()
    await sim.until(() => !sim.cluster('n0').isolated, 30_000)
    const deleted: string[] = []
    for (const node of sim.nodes) {
      const blue = await sim.settled(sim.cluster(node).joinNetwork('blue'))
      blue.table('t').set(node, node)
    }
    await sim.advance(5_000)
    const watching = (async () => {
      for await (const change of sim.cluster('n0').network('blue').table('t').watch()) {
        if (change.type === 'delete') deleted.push(change.key)
      }
    })()
    sim.partition(['n0'], sim.nodes.slice(1))
    await sim.until(() => told.filter((event) => event === 'member-failed').length >= size - 1, 300_000)
    await sim.advance(600_000)
    expect(deleted).toEqual([])
    expect([...sim.cluster('n0').network('blue').table('t').entries()]).toHaveLength(size)
    sim.heal()
    await sim.advance(60_000)
    expect(sim.cluster('n0').isolated).toBe(false)
    expect(deleted).toEqual([])
    const closing = sim.cluster('n0').close()
    await sim.settled(closing)
    await watching
  })

  it('is not one whose only other member has left', async () => {
    const sim = new Simulation({ seed: 5 })
    await sim.start('a')
    await sim.start('b')
    await sim.advance(5_000)
    await sim.settled(sim.cluster('b').leave())
    sim.kill('b')
    await sim.advance(120_000)
    expect(sim.cluster('a').isolated).toBe(false)
  })

  it('has others again as soon as anybody answers, were it one that is new', async () => {
    const { sim } = await cutOff(3, 'lan', 6)
    await sim.until(() => sim.cluster('n0').isolated, 10_000)
    const before = sim.now
    await sim.start('new', { seeds: [sim.address('n0')] })
    expect(sim.cluster('n0').isolated).toBe(false)
    expect(sim.now - before).toBeLessThan(100)
  })

  it('is whole with the others within 15 s of its return', async () => {
    const { sim } = await cutOff(8, 'lan', 7)
    await sim.until(
      () =>
        sim
          .cluster('n0')
          .members()
          .filter(({ status }) => status === 'failed').length === 7,
      300_000,
    )
    expect(sim.cluster('n0').metrics()['membership.oldViews']).toBe(1)
    sim.heal()
    await sim.until(
      () =>
        sim.nodes.every((node) =>
          sim
            .cluster(node)
            .members()
            .every(({ status }) => status === 'alive'),
        ),
      15_000,
    )
  })
})
