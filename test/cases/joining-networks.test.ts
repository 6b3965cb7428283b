import { describe, expect, it } from 'vitest'
import type { HearsayWarning, Network } from '../../src/index.ts'
import { Hosts, namesOf } from './hosts.ts'

const SYNC_TIMEOUT_MS = 10_000

/** Two hosts that reach each other only through a third one, which does not take part; the first has joined `blue`. */
async function apart(seed: number): Promise<{ hosts: Hosts; heal: () => void; warnings: HearsayWarning[] }> {
  const hosts = new Hosts(seed, { syncTimeoutMs: SYNC_TIMEOUT_MS })
  for (const name of namesOf(3)) await hosts.start(name)
  await hosts.join(['n0'])
  await hosts.sim.advance(5_000)
  const warnings: HearsayWarning[] = []
  hosts.node('n1').on('warning', (warning) => warnings.push(warning))
  return { hosts, heal: hosts.sim.partition(['n0'], ['n1']), warnings }
}

describe('joinNetwork', () => {
  it('resolves in time though nobody answers, says so, and is synced once somebody does', async () => {
    const { hosts, heal, warnings } = await apart(1)
    hosts.table('n0').set('k', '1')
    const began = hosts.sim.now
    const network = await hosts.sim.settled(hosts.node('n1').joinNetwork('blue'))
    expect(hosts.sim.now - began).toBeLessThanOrEqual(SYNC_TIMEOUT_MS + 1)
    expect(network.synced).toBe(false)
    await hosts.sim.advance(1)
    expect(warnings.map(({ code }) => code)).toEqual(['WARN_NOT_SYNCED'])
    network.table<string>('t').set('mine', '2')
    await hosts.sim.advance(10_000)
    expect(network.synced).toBe(false)
    heal()
    await hosts.sim.until(() => network.synced, 30_000)
    expect(hosts.shown('n1')).toEqual({ k: '1 of n0', mine: '2 of n1' })
  })

  it('becomes synced also where there was nothing to take over', async () => {
    const { hosts, heal } = await apart(2)
    const network = await hosts.sim.settled(hosts.node('n1').joinNetwork('blue'))
    expect(network.synced).toBe(false)
    expect(hosts.node('n1').metrics()).toMatchObject({ 'networks.joined': 1, 'networks.notSynced': 1 })
    heal()
    await hosts.sim.until(() => network.synced, 15_000)
    expect(hosts.node('n1').metrics()).toMatchObject({ 'networks.joined': 1, 'networks.notSynced': 0 })
  })

  it('does not take a host that is cut off for one that is alone', async () => {
    const hosts = new Hosts(3)
    for (const name of namesOf(3)) await hosts.start(name)
    await hosts.join(['n0', 'n2'])
    hosts.table('n0').set('k', '1')
    await hosts.sim.advance(5_000)
    const heal = hosts.sim.partition(['n1'], ['n0', 'n2'])
    await hosts.sim.until(() => hosts.node('n1').member('n0')?.status === 'failed', 60_000)
    await hosts.sim.until(() => hosts.node('n1').member('n2')?.status === 'failed', 60_000)
    const network = await hosts.sim.settled(hosts.node('n1').joinNetwork('blue'))
    expect(network.synced).toBe(false)
    heal()
    await hosts.sim.until(() => network.synced, 60_000)
    expect(hosts.shown('n1')).toEqual({ k: '1 of n0' })
  })

  it('is synced at once for whoever is alone in a network', async () => {
    const hosts = new Hosts(4)
    for (const name of namesOf(3)) await hosts.start(name)
    const began = hosts.sim.now
    const network = await hosts.sim.settled(hosts.node('n1').joinNetwork('blue'))
    expect(network.synced).toBe(true)
    expect(hosts.sim.now - began).toBeLessThan(1_000)
  })

  it('asks again whoever did not answer at first', async () => {
    const hosts = new Hosts(11)
    for (const name of namesOf(2)) await hosts.start(name)
    await hosts.join(['n0'])
    await hosts.sim.advance(5_000)
    hosts.sim.kill('n0')
    const joining = hosts.node('n1').joinNetwork('blue')
    await hosts.sim.advance(200)
    await hosts.start('n0')
    await hosts.sim.settled(hosts.node('n0').joinNetwork('blue'))
    hosts.table('n0').set('k', '1')
    const network = await hosts.sim.settled(joining)
    expect(network.synced).toBe(true)
    expect(hosts.shown('n1')).toEqual({ k: '1 of n0' })
  })

  it('gives up when its signal aborts, and leaves no trace', async () => {
    const { hosts, heal } = await apart(5)
    const controller = new AbortController()
    const joining = hosts.node('n1').joinNetwork('blue', { signal: controller.signal })
    const failing = expect(joining).rejects.toBe('changed my mind')
    await hosts.sim.advance(1_000)
    controller.abort('changed my mind')
    await failing
    expect(() => hosts.node('n1').network('blue')).toThrow()
    await hosts.sim.advance(SYNC_TIMEOUT_MS)
    heal()
    await hosts.sim.advance(10_000)
    expect(hosts.node('n0').network('blue').participants()).toEqual(['n0'])
    await expect(
      hosts.node('n1').joinNetwork('blue', { signal: AbortSignal.abort('never wanted') }),
    ).rejects.toBe('never wanted')
    await hosts.join(['n0', 'n1'])
  })

  it('goes on for whoever else has asked when the signal of one aborts', async () => {
    const { hosts, heal } = await apart(6)
    const controller = new AbortController()
    const given = hosts.node('n1').joinNetwork('blue', { signal: controller.signal })
    const failing = expect(given).rejects.toBe('changed my mind')
    const kept = hosts.node('n1').joinNetwork('blue')
    await hosts.sim.advance(1_000)
    controller.abort('changed my mind')
    await failing
    heal()
    const network = await hosts.sim.settled(kept)
    expect(hosts.node('n1').network('blue')).toBe(network)
  })

  it('gives one network to all who ask for it, before and after it is there', async () => {
    const hosts = await Hosts.joined(2, 7)
    const { signal } = new AbortController()
    const asked = [1, 2, 3].map(() => hosts.node('n0').joinNetwork('red', { signal }))
    const [first, ...others] = await hosts.sim.settled(Promise.all(asked))
    others.push(await hosts.sim.settled(hosts.node('n0').joinNetwork('red')), hosts.node('n0').network('red'))
    for (const other of others) expect(other).toBe(first)
  })

  it('takes over many networks at once, with few streams', async () => {
    const names = Array.from({ length: 100 }, (_, i) => `net-${i}`)
    const hosts = new Hosts(8)
    for (const name of namesOf(4)) await hosts.start(name)
    const joinAll = (node: string): Promise<Network[]> =>
      hosts.sim.settled(Promise.all(names.map((name) => hosts.node(node).joinNetwork(name))))
    for (const network of await joinAll('n0')) network.table<string>('t').set('k', network.name)
    await joinAll('n1')
    await hosts.sim.advance(10_000)
    const before = hosts.node('n3').metrics()['traffic.streamsOut']!
    const joined = await joinAll('n3')
    expect(hosts.node('n3').metrics()['traffic.streamsOut']! - before).toBeLessThan(5)
    for (const network of joined) {
      expect(network.synced).toBe(true)
      expect(network.table<string>('t').get('k')).toEqual({ value: network.name, owner: 'n0' })
    }
  })

  it('ends with ERR_CLOSED when its node leaves or is closed meanwhile, and calls do afterwards', async () => {
    for (const end of ['close', 'leave'] as const) {
      const { hosts } = await apart(9)
      const joined = await hosts.sim.settled(hosts.node('n1').joinNetwork('red'))
      const joining = hosts.node('n1').joinNetwork('blue')
      const failing = expect(joining).rejects.toMatchObject({ code: 'ERR_CLOSED' })
      await hosts.sim.advance(10)
      await hosts.sim.settled(hosts.node('n1')[end]())
      await failing
      await expect(hosts.node('n1').joinNetwork('blue')).rejects.toMatchObject({ code: 'ERR_CLOSED' })
      expect(() => joined.table('t')).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }))
    }
  })
})

describe('leaving a network', () => {
  it('withdraws at once what its host had there, and ends all that hangs on it', async () => {
    const hosts = await Hosts.joined(5, 10)
    const left = hosts.node('n4').network('blue')
    const table = hosts.table('n4')
    table.set('k', '1')
    await hosts.sim.advance(5_000)
    const others = namesOf(4).map((name) => hosts.watch(name))
    const own = table.watch()
    await hosts.sim.settled(own.next())
    await hosts.sim.settled(own.next())
    const last = own.next()
    await hosts.sim.settled(left.leave())
    expect(await last).toEqual({ done: true, value: undefined })
    await hosts.sim.advance(300)
    for (const changes of others) {
      expect(changes.at(-1)).toEqual({
        type: 'delete',
        key: 'k',
        previous: { value: '1', owner: 'n4' },
        reason: 'left',
      })
    }
    await left.leave()
    const closed = expect.objectContaining({ code: 'ERR_CLOSED' })
    expect(() => left.participants()).toThrow(closed)
    expect(() => left.table('t')).toThrow(closed)
    expect(() => table.set('k', '1')).toThrow(closed)
    expect(() => table.delete('k')).toThrow(closed)
    expect(() => table.replaceOwn([])).toThrow(closed)
    expect(() => table.get('k')).toThrow(closed)
    expect(() => table.entries()).toThrow(closed)
    expect(() => table.claims('k')).toThrow(closed)
    expect(() => table.watch()).toThrow(closed)
  })
})
