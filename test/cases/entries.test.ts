import { describe, expect, it } from 'vitest'
import { Hosts, namesOf } from './hosts.ts'

describe('an entry', () => {
  it('is shown to those who take part in its network, and to nobody else', async () => {
    const hosts = await Hosts.joined(2, 1)
    await hosts.start('n2')
    await hosts.join(['n0', 'n2'], 'red')
    hosts.table('n0').set('k', 'blue')
    hosts.table('n0', 'red').set('k', 'red')
    await hosts.sim.advance(5_000)
    expect(hosts.shown('n1')).toEqual({ k: 'blue of n0' })
    expect(hosts.shown('n2', 'red')).toEqual({ k: 'red of n0' })
    expect(() => hosts.table('n2')).toThrow(expect.objectContaining({ code: 'ERR_NETWORK_NOT_JOINED' }))
    expect(() => hosts.table('n1', 'red')).toThrow(
      expect.objectContaining({ code: 'ERR_NETWORK_NOT_JOINED' }),
    )
    // What a host is told that takes part in nothing: who takes part where.
    await hosts.start('n3')
    await hosts.sim.advance(5_000)
    expect(hosts.node('n3').metrics()['entries.applied']).toBe(4)
  })

  it('can be made anew where one was deleted, by its owner and by another', async () => {
    const hosts = await Hosts.joined(3, 2)
    hosts.table('n0').set('own', '1')
    hosts.table('n0').set('others', '1')
    hosts.table('n0').delete('own')
    hosts.table('n0').delete('others')
    hosts.table('n0').set('own', '2')
    await hosts.sim.advance(1_000)
    hosts.table('n1').set('others', '2')
    await hosts.allShow({ others: '2 of n1', own: '2 of n0' })
  })

  it('that is not there can be given a value, and its deletion says that there was nothing', async () => {
    const hosts = await Hosts.joined(2, 3)
    hosts.table('n1').set('theirs', '1')
    await hosts.sim.advance(1_000)
    const before = hosts.node('n0').metrics()['entries.queue']
    expect(hosts.table('n0').delete('nothing')).toBe(false)
    expect(hosts.table('n0').delete('theirs')).toBe(false)
    expect(hosts.node('n0').metrics()['entries.queue']).toBe(before)
    hosts.table('n0').set('new', '1')
    expect(hosts.table('n0').delete('new')).toBe(true)
    expect(hosts.table('n0').delete('new')).toBe(false)
    await hosts.allShow({ theirs: '1 of n1' })
  })

  it('is there, with a thousand others, as soon as joinNetwork has resolved', async () => {
    const hosts = await Hosts.joined(2, 4)
    const written: Record<string, string> = {}
    for (let i = 0; i < 1_000; i++) {
      hosts.table('n0').set(`k${1_000 + i}`, String(i))
      written[`k${1_000 + i}`] = `${i} of n0`
    }
    await hosts.allShow(written, ['n1'])
    await hosts.start('n2')
    const network = await hosts.sim.settled(hosts.node('n2').joinNetwork('blue'))
    expect(network.synced).toBe(true)
    expect(hosts.shown('n2')).toEqual(written)
  })

  it('reaches who joins while it, and a thousand others, are on their way', async () => {
    const hosts = await Hosts.joined(3, 5)
    const written: Record<string, string> = {}
    for (let i = 0; i < 1_000; i++) {
      hosts.table('n0').set(`k${1_000 + i}`, String(i))
      written[`k${1_000 + i}`] = `${i} of n0`
    }
    await hosts.start('n3')
    await hosts.sim.settled(hosts.node('n3').joinNetwork('blue'))
    await hosts.allShow(written)
  })

  it('that twenty hosts make at the same moment is shown as the same one of theirs everywhere', async () => {
    const hosts = await Hosts.joined(20, 5)
    for (const name of hosts.sim.nodes) hosts.table(name).set('k', name)
    await hosts.sim.advance(10_000)
    const [shown, ...others] = hosts.sim.nodes.map((name) => hosts.table(name).claims('k'))
    expect(shown!.map(({ owner }) => owner).sort()).toEqual(namesOf(20).sort())
    for (const other of others) expect(other).toEqual(shown)
    for (const name of hosts.sim.nodes) expect(hosts.table(name).delete('k')).toBe(true)
    await hosts.allShow({})
  })

  it('that was deleted does not come back through whoever joins late or was cut off meanwhile', async () => {
    const hosts = await Hosts.joined(4, 6)
    hosts.table('n0').set('deleted', '1')
    hosts.table('n0').set('kept', '1')
    await hosts.sim.advance(1_000)
    const heal = hosts.sim.partition(['n3'], ['n0', 'n1', 'n2'])
    hosts.table('n0').delete('deleted')
    await hosts.sim.advance(120_000)
    const changes = hosts.watch('n1')
    heal()
    await hosts.start('n4', { seeds: [hosts.sim.address('n3')] })
    await hosts.join(['n4'])
    await hosts.allShow({ kept: '1 of n0' })
    const back = changes.filter((change) => change.type === 'set' && change.key === 'deleted')
    expect(back).toEqual([])
  })
})
