import { describe, expect, it } from 'vitest'
import { Hosts, namesOf } from './hosts.ts'

const SEEDS = namesOf(3)

describe('the entries of a host', () => {
  it('vanish when it leaves the cluster, and are there again when it is back and has declared them', async () => {
    const hosts = await Hosts.joined(3, 1)
    hosts.table('n2').set('k', '1')
    await hosts.sim.advance(1_000)
    await hosts.sim.settled(hosts.node('n2').leave())
    await hosts.sim.advance(500)
    expect([hosts.shown('n0'), hosts.shown('n1')]).toEqual([{}, {}])
    hosts.sim.kill('n2')
    await hosts.start('n2')
    await hosts.join(['n2'])
    hosts.table('n2').replaceOwn([['k', '2']])
    await hosts.allShow({ k: '2 of n2' })
  })

  it('do not come back by what still travels of them when it has left', async () => {
    const hosts = await Hosts.joined(4, 6)
    for (let i = 0; i < 100; i++) hosts.table('n3').set(`k${i}`, '1')
    await hosts.sim.settled(hosts.node('n3').leave())
    await hosts.sim.advance(15_000)
    for (const name of ['n0', 'n1', 'n2']) {
      expect(hosts.table(name).claims('k0')).toEqual([])
      // Of three hosts, in two networks.
      expect(hosts.node(name).metrics()).toMatchObject({ 'entries.logs': 6, 'entries.parkedNow': 0 })
    }
  })

  it('vanish when it fails, and come back with it as they were', async () => {
    const hosts = await Hosts.joined(4, 2)
    hosts.table('n3').set('k', '1')
    await hosts.sim.advance(1_000)
    hosts.sim.pause('n3', 20_000)
    await hosts.sim.until(
      () => ['n0', 'n1', 'n2'].every((name) => hosts.table(name).get('k') === undefined),
      15_000,
    )
    await hosts.allShow({ k: '1 of n3' })
  })

  it('that its restart finds and does not declare again are deleted, and others are not touched', async () => {
    const hosts = await Hosts.joined(3, 3)
    hosts.table('n2').set('again', '1')
    hosts.table('n2').set('changed', '1')
    hosts.table('n2').set('forgotten', '1')
    await hosts.sim.advance(1_000)
    const changes = hosts.watch('n0')
    hosts.sim.kill('n2')
    await hosts.start('n2')
    await hosts.join(['n2'])
    hosts.table('n2').set('again', '1')
    hosts.table('n2').set('changed', '2')
    await hosts.allShow({ again: '1 of n2', changed: '2 of n2' })
    const told = changes.slice(4).map((change) => [change.type, 'key' in change && change.key])
    expect(told).toEqual([
      ['set', 'changed'],
      ['delete', 'forgotten'],
    ])
  })

  it('that others pass on while it is held failed are shown once it is back, and not before', async () => {
    const hosts = await Hosts.joined(5, 4)
    // Only n1 hears of it before n4 stands still.
    for (const name of ['n0', 'n2', 'n3']) hosts.sim.blockOneWay('n4', name)
    hosts.table('n4').set('k', '1')
    await hosts.sim.until(() => hosts.table('n1').get('k') !== undefined, 1_000)
    hosts.sim.pause('n4', 40_000)
    hosts.sim.heal()
    await hosts.sim.until(() => hosts.node('n1').member('n4')?.status === 'failed', 15_000)
    await hosts.start('n5')
    await hosts.join(['n0', 'n1', 'n2', 'n3', 'n5'])
    expect(hosts.sim.nodes.filter((name) => name !== 'n4').map((name) => hosts.shown(name))).toEqual(
      Array.from({ length: 5 }, () => ({})),
    )
    await hosts.allShow({ k: '1 of n4' })
  })

  it('are known to whoever joined while it was failed, once it is back', async () => {
    const hosts = await Hosts.joined(4, 5)
    hosts.table('n3').set('k', '1')
    await hosts.sim.advance(1_000)
    hosts.sim.pause('n3', 60_000)
    await hosts.sim.until(() => hosts.node('n0').member('n3')?.status === 'failed', 15_000)
    await hosts.start('n4')
    await hosts.sim.settled(hosts.node('n4').joinNetwork('blue'))
    expect(hosts.shown('n4')).toEqual({})
    await hosts.allShow({ k: '1 of n3' })
  })
})

describe('five hosts, three of them the seeds', () => {
  /** All seeds die at once; the other two go on alone. */
  async function withoutSeeds(hosts: Hosts): Promise<void> {
    for (const name of hosts.sim.nodes) hosts.table(name).set(name, 'before')
    await hosts.sim.advance(10_000)
    for (const name of SEEDS) hosts.sim.crash(name)
    await hosts.allShow({ n3: 'before of n3', n4: 'before of n4' })
  }

  it('are one again when the seeds are back under other names', async () => {
    const seeds = new Hosts(6).sim
    const hosts = await Hosts.joined(5, 6, { seeds: SEEDS.map((name) => seeds.address(name)) })
    await withoutSeeds(hosts)
    for (const name of SEEDS) await hosts.start(name, { name: `new-${name}` })
    await hosts.join(SEEDS)
    for (const name of SEEDS) hosts.table(name).set(name, 'after')
    await hosts.allShow({
      n0: 'after of new-n0',
      n1: 'after of new-n1',
      n2: 'after of new-n2',
      n3: 'before of n3',
      n4: 'before of n4',
    })
  })

  it('are one again when the seeds are back at other addresses, which the others learn when they ask', async () => {
    let port = 7946
    const found: string[] = []
    const hosts = new Hosts(7, { seeds: () => Promise.resolve(found) })
    const address = (name: string): string => hosts.sim.address(name).replace('7946', String(port))
    found.push(...SEEDS.map(address))
    for (const name of namesOf(5)) await hosts.start(name)
    await hosts.join(namesOf(5))
    await withoutSeeds(hosts)
    port = 7000
    found.splice(0, 3, ...SEEDS.map(address))
    for (const name of SEEDS) await hosts.start(name, { bind: address(name) })
    await hosts.join(SEEDS)
    for (const name of SEEDS) hosts.table(name).set(name, 'after')
    await hosts.allShow({
      n0: 'after of n0',
      n1: 'after of n1',
      n2: 'after of n2',
      n3: 'before of n3',
      n4: 'before of n4',
    })
    expect(hosts.node('n4').member('n0')?.address).toBe(address('n0'))
  })
})
