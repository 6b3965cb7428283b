import { describe, expect, it } from 'vitest'
import { Simulation } from '../../sim/index.ts'
import { HearsayError } from '../../src/index.ts'

interface Scene {
  readonly sim: Simulation
  /** How often the node that is to yield was warned. */
  readonly warned: { count: number }
}

/**
 * Two clusters, cut off from each other, in each of which a process is called `twin`, and both write into one network; then they meet. The
 * one on host `low` is the older.
 */
async function meeting(seed: number): Promise<Scene> {
  const sim = new Simulation({ seed })
  for (const name of ['a', 'b', 'low']) {
    await sim.start(name, { seeds: name === 'a' ? [] : [sim.address('a')], ...named(name) })
  }
  await sim.advance(5_000)
  for (const name of ['x', 'y', 'high']) {
    await sim.start(name, { seeds: name === 'x' ? [] : [sim.address('x')], ...named(name) })
  }
  await sim.advance(5_000)
  for (const node of sim.nodes) {
    const blue = await sim.settled(sim.cluster(node).joinNetwork('blue'))
    blue.table('t').set(`by ${node}`, node)
  }
  await sim.advance(5_000)
  const warned = { count: 0 }
  sim.cluster('low').on('warning', ({ code }) => {
    if (code === 'WARN_NAME_CONFLICT') warned.count++
  })
  await sim.settled(sim.cluster('b').join([sim.address('y')]))
  return { sim, warned }
}

function named(host: string): { name?: string } {
  return host === 'low' || host === 'high' ? { name: 'twin' } : {}
}

function codeOf(act: () => unknown): string | undefined {
  try {
    act()
    return undefined
  } catch (error) {
    return error instanceof HearsayError ? error.code : String(error)
  }
}

describe.each([1, 2, 3])('two live processes of one name that write (seed %i)', (seed) => {
  it('the lower writes no more, and is told so; reading goes on, of what the other one has', async () => {
    const { sim, warned } = await meeting(seed)
    await sim.until(() => warned.count > 0, 10_000)
    const low = sim.cluster('low')
    const table = low.network('blue').table('t')
    expect(codeOf(() => table.set('k', 1))).toBe('ERR_NAME_CONFLICT')
    expect(codeOf(() => table.delete('by low'))).toBe('ERR_NAME_CONFLICT')
    expect(codeOf(() => table.replaceOwn([]))).toBe('ERR_NAME_CONFLICT')
    expect(codeOf(() => low.setMetadata(Uint8Array.of(1)))).toBe('ERR_NAME_CONFLICT')
    const joining = low.joinNetwork('green').catch((error: HearsayError) => error.code)
    expect(await sim.settled(joining)).toBe('ERR_NAME_CONFLICT')
    sim.cluster('high').network('blue').table('t').set('later', 'high')
    // In whatever order: gossip may bring the later one ahead of the sync that brings the other.
    for (const key of ['later', 'by high']) {
      await sim.until(() => table.get(key)?.value === 'high', 60_000)
      expect(table.get(key)).toEqual({ value: 'high', owner: 'twin' })
    }
  })

  it('neither spins: epochs, incarnations and bumps rest, and all agree on the higher one', async () => {
    const { sim, warned } = await meeting(seed)
    await sim.advance(20_000)
    const at = (): unknown[] =>
      ['low', 'high'].map((host) => {
        const { epoch, incarnation } = sim.cluster(host).self
        return { epoch, incarnation, bumps: sim.cluster(host).metrics()['entries.bumps'] }
      })
    const before = at()
    const packets = sim.traffic('low').packetsSent
    await sim.advance(300_000)
    expect(at()).toEqual(before)
    expect(sim.traffic('low').packetsSent - packets).toBe(0)
    // At first three at once, then one in ten seconds at most.
    expect(warned.count).toBeGreaterThan(1)
    expect(warned.count).toBeLessThanOrEqual(35)
    for (const node of ['a', 'b', 'x', 'y']) {
      const { address } = sim.cluster('high').self
      expect(sim.cluster(node).member('twin')).toMatchObject({ address, status: 'alive' })
      const table = sim.cluster(node).network('blue').table('t')
      expect([...table.entries()].map(([key]) => key).sort()).toEqual([
        'by a',
        'by b',
        'by high',
        'by x',
        'by y',
      ])
    }
    expect(sim.faults).toEqual([])
  })

  it('a join that meets the other one rejects', async () => {
    const sim = new Simulation({ seed })
    await sim.start('low', { ...named('low') })
    await sim.advance(2_000)
    await sim.start('x', { seeds: [] })
    await sim.start('high', { seeds: [sim.address('x')], ...named('high') })
    await sim.settled(sim.cluster('high').joinNetwork('blue'))
    await sim.advance(2_000)
    const before = sim.cluster('high').self
    // It answers late, but it does answer.
    sim.pause('high', 700)
    const joining = sim.cluster('low').join([sim.address('x')])
    const code = await sim.settled(joining.catch((error: HearsayError) => error.code))
    expect(code).toBe('ERR_NAME_CONFLICT')
    await sim.advance(20_000)
    for (const host of ['low', 'high']) expect(sim.cluster(host).metrics()['entries.bumps']).toBe(0)
    expect(sim.cluster('high').self.epoch).toEqual(before.epoch)
  })
})
