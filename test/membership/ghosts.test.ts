import { describe, expect, it } from 'vitest'
import { Simulation } from '../../sim/index.ts'
import { generateKey } from '../../src/index.ts'

const FORGET_MS = 20_000

/** What each node shows of a member, by node. */
function shown(sim: Simulation, name: string, but: readonly string[] = []): (string | undefined)[] {
  const nodes = sim.nodes.filter((node) => node !== name && !but.includes(node))
  return nodes.map((node) => sim.cluster(node).member(name)?.status)
}

async function clusterOf(names: readonly string[], seed = 1): Promise<Simulation> {
  const sim = new Simulation({ seed })
  for (const name of names) await sim.start(name, { forgetAfterMs: FORGET_MS })
  await sim.advance(10_000)
  return sim
}

/** Counts how often nodes say of a member that it is up. */
function countUps(sim: Simulation, name: string): { count: number } {
  const ups = { count: 0 }
  for (const node of sim.nodes) {
    if (node === name) continue
    sim.cluster(node).on('member-up', (member) => {
      if (member.name === name) ups.count++
    })
  }
  return ups
}

const FIVE = ['a', 'b', 'c', 'd', 'e']

describe('a member that died and was forgotten', () => {
  it.each([1, 2, 3, 4, 5])('does not come back from those who forget it later (seed %i)', async (seed) => {
    const names = Array.from({ length: 12 }, (_, i) => `n${i}`)
    const sim = await clusterOf(names, seed)
    const ups = countUps(sim, 'n3')
    sim.crash('n3')
    await sim.until(() => shown(sim, 'n3').every((status) => status === 'failed'), 30_000)
    await sim.until(() => shown(sim, 'n3').every((status) => status === undefined), FORGET_MS + 30_000)
    for (let i = 0; i < 120; i++) {
      await sim.advance(1_000)
      expect(shown(sim, 'n3').every((status) => status === undefined)).toBe(true)
    }
    expect(ups.count).toBe(0)
  })

  it.each([
    ['a process that stood still', {}, false],
    ['a machine that was suspended', { wholeHost: true }, false],
    ['one for which no packets have waited', { wholeHost: true }, true],
  ])('meanwhile is no news from %s', async (_, how, deaf) => {
    const sim = await clusterOf(FIVE)
    const others = ['b', 'c', 'd', 'e']
    sim.pause('a', 60_000, how)
    if (deaf) sim.blockOneWay(others, 'a')
    await sim.advance(1_000)
    const ups = countUps(sim, 'e')
    sim.crash('e')
    await sim.advance(58_000)
    sim.heal()
    expect(shown(sim, 'e', ['a'])).toEqual([undefined, undefined, undefined])
    expect(sim.cluster('a').member('e')?.status).toBe('alive')
    let knownAfterMs = Number.POSITIVE_INFINITY
    for (let i = 0; i < 300; i++) {
      await sim.advance(300)
      expect(shown(sim, 'e', ['a'])).toEqual([undefined, undefined, undefined])
      if (sim.cluster('a').member('e')?.status === 'failed') knownAfterMs = Math.min(knownAfterMs, i * 300)
    }
    expect(ups.count).toBe(0)
    expect(sim.cluster('a').metrics()['membership.oldViews']).toBeGreaterThan(0)
    // It finds out for itself, and does not wait for others to say the same: three pings and the shortest suspicion.
    expect(knownAfterMs).toBeLessThan(12_000)
    for (const node of sim.nodes) {
      const live = sim
        .cluster(node)
        .members()
        .filter(({ status }) => status === 'alive')
      expect(live.map(({ name }) => name).sort()).toEqual(['a', 'b', 'c', 'd'])
    }
  })

  it('can come back itself at once', async () => {
    const sim = await clusterOf(FIVE)
    sim.crash('e')
    await sim.until(() => shown(sim, 'e').every((status) => status === 'failed'), 30_000)
    await sim.advance(FORGET_MS / 2)
    await sim.start('e', { forgetAfterMs: FORGET_MS })
    await sim.until(() => shown(sim, 'e').every((status) => status === 'alive'), 3_000)
    await sim.advance(2 * FORGET_MS)
    expect(shown(sim, 'e').every((status) => status === 'alive')).toBe(true)
  })
})

describe('a member that left', () => {
  it('is forgotten by all in time, and can return at once before and after', async () => {
    const sim = await clusterOf(FIVE)
    for (const wait of [0, FORGET_MS / 2, 2 * FORGET_MS]) {
      await sim.settled(sim.cluster('e').leave())
      sim.kill('e')
      await sim.until(() => shown(sim, 'e').every((status) => status === 'left'), 2_000)
      await sim.advance(wait)
      if (wait > FORGET_MS) expect(shown(sim, 'e').every((status) => status === undefined)).toBe(true)
      await sim.start('e', { forgetAfterMs: FORGET_MS })
      await sim.until(() => shown(sim, 'e').every((status) => status === 'alive'), 3_000)
    }
  })
})

describe('a wall clock that jumps', () => {
  it('begins a new session, so that no nonce is used twice by a copy of this machine', async () => {
    const sim = new Simulation({ seed: 2 })
    const keys = [generateKey()]
    for (const name of ['a', 'b']) await sim.start(name, { keys })
    await sim.advance(5_000)
    const sessions = (): number => sim.cluster('b').metrics()['traffic.sessions']!
    const before = sessions()
    await sim.advance(5_000)
    expect(sessions()).toBe(before)
    sim.setClock('a', -10_000)
    await sim.advance(5_000)
    expect(sessions()).toBe(before + 1)
    expect(sim.cluster('b').member('a')?.status).toBe('alive')
  })

  it('counts as a stall, and does no harm', async () => {
    const sim = await clusterOf(['a', 'b', 'c'])
    const bad: string[] = []
    for (const node of sim.nodes) sim.cluster(node).on('member-failed', ({ name }) => bad.push(name))
    for (const offset of [3_600_000, -3_600_000, 0, 1_000, 0]) {
      sim.setClock('a', offset)
      await sim.advance(20_000)
    }
    const metrics = sim.cluster('a').metrics()
    expect(metrics['membership.clockJumps']).toBe(3)
    expect(metrics['membership.oldViews']).toBe(3)
    expect(sim.cluster('b').metrics()['membership.clockJumps']).toBe(0)
    expect(bad).toEqual([])
  })
})
