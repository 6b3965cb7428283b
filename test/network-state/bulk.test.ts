import { expect, test } from 'vitest'
import { Simulation } from '../../sim/index.ts'
import type { Cluster, Network } from '../../src/index.ts'

const NODES = 12
const ENTRIES = 500

interface World {
  readonly sim: Simulation
  readonly clusters: readonly Cluster[]
  readonly networks: readonly Network[]
}

async function world(): Promise<World> {
  const sim = new Simulation({ seed: 1 })
  const clusters: Cluster[] = []
  for (let i = 0; i < NODES; i++) clusters.push(await sim.start(`node-${i}`))
  const networks = await Promise.all(clusters.map((cluster) => sim.settled(cluster.joinNetwork('blue'))))
  await sim.advance(15_000)
  return { sim, clusters, networks }
}

function write(network: Network, from: number, to: number): void {
  for (let i = from; i < to; i++) network.table<string>('endpoints').set(`key ${i}`, 'x'.repeat(100))
}

const count = (network: Network): number => [...network.table('endpoints').entries()].length

const sum = (clusters: readonly Cluster[], metric: string): number =>
  clusters.reduce((total, cluster) => total + cluster.metrics()[metric]!, 0)

test('what is written at once reaches everyone by streams, before a tick of gossip, and hardly twice', async () => {
  const { sim, clusters, networks } = await world()
  const before = sum(clusters, 'traffic.streamBytesIn')
  write(networks[0]!, 0, ENTRIES)
  await sim.until(() => networks.every((network) => count(network) === ENTRIES), 190)
  await sim.advance(20_000)
  // Gossip without streams tells each of them a dozen times.
  expect(sum(clusters, 'entries.duplicates')).toBeLessThan(0.5 * ENTRIES * NODES)
  // A session under way may bring what another one has just brought.
  expect(sum(clusters, 'traffic.streamBytesIn') - before).toBeLessThan(1.5 * ENTRIES * 120 * (NODES - 1))
})

test('what everyone has is not gossiped on: the queues are empty within a few probe rounds', async () => {
  const { sim, clusters, networks } = await world()
  write(networks[0]!, 0, 5 * ENTRIES)
  await sim.advance(8_000)
  expect(networks.map(count)).toEqual(networks.map(() => 5 * ENTRIES))
  // By gossip alone it would take half a minute.
  expect(sum(clusters, 'entries.queue')).toBe(0)
})

test('many who each write a little fill a backlog together, and it reaches everyone', async () => {
  const { sim, networks } = await world()
  const each = Math.ceil(ENTRIES / NODES)
  for (const [i, network] of networks.entries()) write(network, i * each, (i + 1) * each)
  await sim.until(() => networks.every((network) => count(network) === each * NODES), 3_000)
})
