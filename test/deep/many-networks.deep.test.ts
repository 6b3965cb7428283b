import { describe, expect, it } from 'vitest'
import type { Network } from '../../src/index.ts'
import { Hosts, namesOf } from '../cases/hosts.ts'

describe('a host that joins more networks at once than one session takes', () => {
  it('takes all of them over, in a few sessions', async () => {
    const names = Array.from({ length: 1_100 }, (_, i) => `net-${i}`)
    const hosts = new Hosts(1)
    for (const name of namesOf(2)) await hosts.start(name)
    const joinAll = (node: string): Promise<Network[]> =>
      hosts.sim.settled(Promise.all(names.map((name) => hosts.node(node).joinNetwork(name))))
    for (const network of await joinAll('n0')) network.table<string>('t').set('k', network.name)
    await hosts.sim.advance(10_000)
    const before = hosts.node('n1').metrics()['traffic.streamsOut']!
    for (const network of await joinAll('n1')) {
      expect(network.synced).toBe(true)
      expect(network.table<string>('t').get('k')?.value).toBe(network.name)
    }
    expect(hosts.node('n1').metrics()['traffic.streamsOut']! - before).toBeLessThan(20)
  })
})
