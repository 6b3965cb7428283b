import { describe, expect, it } from 'vitest'
import { Simulation } from '../../sim/index.ts'

const VALUE = '0123456789abcdef'

/** Bytes of state as the bars count them: key, value as JSON, and 12. */
function stateBytes(keys: readonly string[]): number {
  return keys.reduce((sum, key) => sum + key.length + VALUE.length + 2 + 12, 0)
}

function streamBytesIn(sim: Simulation, node: string): number {
  return sim.cluster(node).metrics()['traffic.streamBytesIn']!
}

async function join(sim: Simulation, node: string): Promise<void> {
  let joined = false
  void sim
    .cluster(node)
    .joinNetwork('blue')
    .then(() => {
      joined = true
    })
  await sim.until(() => joined, 20_000)
}

function set(sim: Simulation, node: string, keys: readonly string[]): void {
  const table = sim.cluster(node).network('blue').table<string>('endpoints')
  for (const key of keys) table.set(key, VALUE)
}

function count(sim: Simulation, node: string): number {
  return [...sim.cluster(node).network('blue').table<string>('endpoints').entries()].length
}

/** Eight nodes that all hold what three of them have written. */
async function holders(seed: number, keys: readonly string[]): Promise<Simulation> {
  const sim = new Simulation({ seed })
  for (let i = 0; i < 8; i++) await sim.start(`n${i}`)
  for (const node of sim.nodes) await join(sim, node)
  for (let i = 0; i < 3; i++) {
    set(
      sim,
      `n${i}`,
      keys.filter((_, at) => at % 3 === i),
    )
  }
  await sim.until(() => sim.nodes.every((node) => count(sim, node) === keys.length), 60_000)
  await sim.advance(40_000)
  return sim
}

function keysOf(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}.${i >> 8}.${i & 255}`)
}

describe('a sync costs what differs', () => {
  it.each([1, 2])('when a node joins a network: all entries come once, seed %i', async (seed) => {
    const keys = keysOf('10.0', 2_000)
    const sim = await holders(seed, keys)
    await sim.start('late')
    await sim.advance(5_000)
    const before = streamBytesIn(sim, 'late')
    await join(sim, 'late')
    expect(count(sim, 'late')).toBe(keys.length)
    await sim.advance(5_000)
    expect(streamBytesIn(sim, 'late') - before).toBeLessThan(1.2 * stateBytes(keys))
  })

  it.each([1, 2])(
    'when a partition has ended: what one side has written comes once, seed %i',
    async (seed) => {
      const keys = keysOf('10.0', 2_000)
      const sim = await holders(seed, keys)
      const [left, right] = [sim.nodes.slice(0, 4), sim.nodes.slice(4)]
      const heal = sim.partition(left, right)
      await sim.advance(20_000)
      const written = keysOf('10.9', 300)
      set(sim, left[0]!, written)
      await sim.advance(20_000)
      const before = right.map((node) => streamBytesIn(sim, node))
      heal()
      await sim.until(() => right.every((node) => count(sim, node) === keys.length + written.length), 60_000)
      for (const [i, node] of right.entries()) {
        expect(streamBytesIn(sim, node) - before[i]!).toBeLessThan(2 * stateBytes(written) + 8_000)
      }
    },
  )

  it('when nothing does: the greeting', async () => {
    const sim = await holders(1, keysOf('10.0', 2_000))
    const before = sim.nodes.map((node) => sim.cluster(node).metrics())
    await sim.advance(300_000)
    const more = (name: string): number =>
      sim.nodes.reduce((sum, node, i) => sum + sim.cluster(node).metrics()[name]! - before[i]![name]!, 0)
    expect(more('sync.completed')).toBeGreaterThan(20)
    expect(more('sync.completed')).toBe(more('traffic.streamsIn'))
    // Both ways, greeting of the stream included.
    expect(more('traffic.streamBytesIn') / more('sync.completed')).toBeLessThan(300)
  })
})
