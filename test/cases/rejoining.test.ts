import { describe, expect, it } from 'vitest'
import { Hosts } from './hosts.ts'

describe('a host that leaves a network and joins it again', () => {
  it('inherits nothing from those who pass on what it had, before they hear that it left', async () => {
    for (let seed = 0; seed < 4; seed++) {
      const hosts = await Hosts.joined(2 + (seed % 2), seed)
      const others = hosts.sim.nodes.filter((name) => name !== 'n1')
      hosts.table('n1').set('x', 'before')
      await hosts.sim.until(() => others.every((name) => hosts.table(name).get('x') !== undefined), 1_000)
      // They pass it on when they go on, and only then answer whoever joins.
      for (const name of others) hosts.sim.pause(name, 300)
      await hosts.rejoin('n1')
      expect(hosts.shown('n1')).toEqual({})
      await hosts.allShow({}, hosts.sim.nodes, 5_000)
    }
  })

  it('shows others what it wrote since, and nothing else, however often it does so', async () => {
    const hosts = await Hosts.joined(3, 1)
    hosts.table('n2').set('old', 'before')
    for (let round = 0; round < 10; round++) {
      await hosts.rejoin('n2')
      hosts.table('n2').set('x', String(round))
      await hosts.sim.advance(round * 7)
    }
    await hosts.allShow({ x: '9 of n2' })
  })

  it('learns again what others have, also what they changed meanwhile', async () => {
    const hosts = await Hosts.joined(3, 2)
    hosts.table('n0').set('stays', '1')
    hosts.table('n0').set('changes', '1')
    hosts.table('n1').set('goes', '1')
    await hosts.sim.advance(2_000)
    await hosts.sim.settled(hosts.node('n2').network('blue').leave())
    hosts.table('n0').set('changes', '2')
    hosts.table('n1').delete('goes')
    await hosts.join(['n2'])
    expect(hosts.shown('n2')).toEqual({ changes: '2 of n0', stays: '1 of n0' })
  })

  it('is known to take part when all others left in the same moment', async () => {
    const hosts = await Hosts.joined(4, 3)
    for (const name of hosts.sim.nodes) hosts.table(name).set(name, 'before')
    await hosts.sim.advance(5_000)
    await Promise.all(
      hosts.sim.nodes.map((name) => hosts.sim.settled(hosts.node(name).network('blue').leave())),
    )
    await hosts.join(['n3', 'n1'])
    hosts.table('n1').set('n1', 'after')
    await hosts.allShow({ n1: 'after of n1' }, ['n1', 'n3'])
    expect(hosts.node('n1').network('blue').participants()).toEqual(['n1', 'n3'])
  })
})
