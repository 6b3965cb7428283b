import { describe, expect, it } from 'vitest'
import { Simulation } from '../../sim/index.ts'

async function started(names: readonly string[], seed = 1): Promise<Simulation> {
  const sim = new Simulation({ seed })
  for (const name of names) await sim.start(name)
  await sim.until(() => names.every((name) => sim.cluster(name).members().length === names.length), 10_000)
  return sim
}

describe('Simulation', () => {
  it('starts nodes that find each other, without keys and without further options', async () => {
    const sim = await started(['a', 'b', 'c'])
    expect(sim.nodes).toEqual(['a', 'b', 'c'])
    expect(sim.cluster('a').self.address).toBe(sim.address('a'))
    expect(sim.now).toBeLessThan(5000)
    expect(sim.faults).toEqual([])
  })

  it('takes names of nodes as host names of seeds', async () => {
    const sim = new Simulation()
    await sim.start('a')
    await sim.start('b', { seeds: ['a:7946'] })
    await sim.until(() => sim.cluster('a').member('b') !== undefined, 5000)
  })

  it('runs the same way twice', async () => {
    const run = async (seed: number): Promise<string> => {
      const sim = await started(['a', 'b', 'c', 'd'], seed)
      sim.pause('b', 400)
      await sim.advance(3000)
      sim.crash('d')
      const heal = sim.partition(['a'], ['b', 'c'])
      await sim.advance(10_000)
      heal()
      await sim.advance(10_000)
      return `${sim.now} ${sim.traceHash}`
    }
    const first = await run(5)
    expect(await run(5)).toBe(first)
    expect(await run(6)).not.toBe(first)
  })

  it('lets nodes see a crash, and the host come back with its address', async () => {
    const sim = await started(['a', 'b', 'c', 'd'])
    const address = sim.address('d')
    sim.crash('d')
    expect(sim.nodes).toEqual(['a', 'b', 'c'])
    expect(() => sim.cluster('d')).toThrow('"d"')
    expect(() => sim.crash('d')).toThrow('"d"')
    await sim.until(
      () => sim.nodes.every((name) => sim.cluster(name).member('d')?.status === 'failed'),
      30_000,
    )
    await sim.start('d')
    await sim.until(
      () => sim.nodes.every((name) => sim.cluster(name).member('d')?.status === 'alive'),
      30_000,
    )
    expect(sim.address('d')).toBe(address)
  })

  it('carries entries of tables, and user code awaits them in virtual time', async () => {
    const sim = await started(['a', 'b', 'c'])
    const networks = await Promise.all(
      sim.nodes.map(async (name) => {
        const joining = sim.cluster(name).joinNetwork('blue')
        await sim.advance(10_000)
        return joining
      }),
    )
    networks[0]!.table<string>('peers').set('10.1.0.1', 'here')
    await sim.until(
      () => networks.every((network) => network.table<string>('peers').get('10.1.0.1')?.owner === 'a'),
      5000,
    )
  })

  it('rejects `until` with a sentence when time is over', async () => {
    const sim = await started(['a', 'b'])
    await expect(sim.until(() => false, 100)).rejects.toThrow('still not so after 100 virtual ms')
  })

  it('lends the time of a process to what runs beside the node, and takes it back with the process', async () => {
    const sim = await started(['a', 'b'])
    const clock = sim.runtime('a')
    const began = clock.now()
    const fired: number[] = []
    clock.setTimer(30, () => fired.push(clock.now() - began))
    clock.setTimer(70, () => fired.push(clock.now() - began))
    await sim.advance(50)
    sim.kill('a')
    await sim.advance(50)
    expect(fired).toEqual([30])
    expect(() => sim.runtime('a')).toThrow('does not run')
  })

  it('frees the host when a start fails, and passes the error on', async () => {
    const sim = new Simulation()
    await expect(sim.start('a', { bind: '192.0.2.1:7946' })).rejects.toMatchObject({
      code: 'ERR_BIND_FAILED',
    })
    await expect(sim.start('a')).resolves.toBeDefined()
    await expect(sim.start('a')).rejects.toThrow('runs already')
  })

  it('runs the same way twice with keys, whose cipher is the real one', async () => {
    const run = async (): Promise<string> => {
      const sim = new Simulation({ seed: 9 })
      const keys = [new Uint8Array(32).fill(7)]
      await sim.start('a', { keys })
      await sim.start('b', { keys })
      await sim.until(() => sim.nodes.every((name) => sim.cluster(name).members().length === 2), 10_000)
      await sim.advance(5000)
      return sim.traceHash
    }
    expect(await run()).toBe(await run())
  })
})
