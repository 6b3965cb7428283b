import { describe, expect, it } from 'vitest'
import { Simulation } from '../../sim/index.ts'

const MINUTE_MS = 60_000

function whole(sim: Simulation): boolean {
  const all = sim.nodes.length
  return sim.nodes.every((node) => {
    const live = sim
      .cluster(node)
      .members()
      .filter(({ status }) => status === 'alive')
    return live.length === all
  })
}

function cutOff(sim: Simulation, parts: readonly (readonly string[])[]): boolean {
  return parts.every((part) =>
    part.every((node) => {
      const members = sim.cluster(node).members()
      return members.every(({ name, status }) => (status === 'failed') === !part.includes(name))
    }),
  )
}

/** Nodes in so many parts, cut off from each other until every one sees just its own part. */
async function cut(
  size: number,
  count: number,
  seed: number,
): Promise<{ sim: Simulation; parts: string[][] }> {
  const sim = new Simulation({ seed })
  for (let i = 0; i < size; i++) await sim.start(`n${i}`)
  await sim.advance(5_000)
  const parts = Array.from({ length: count }, (_, part) => sim.nodes.filter((_, i) => i % count === part))
  sim.partition(...parts)
  await sim.until(() => cutOff(sim, parts), 3 * MINUTE_MS)
  return { sim, parts }
}

describe('a cluster that was cut into parts is whole again', () => {
  it.each([
    [2, 2, 1],
    [2, 2, 2],
    [3, 3, 3],
    [5, 5, 4],
    [10, 2, 5],
    [20, 3, 6],
    [20, 5, 7],
  ])('10 s after ten minutes: %i nodes in %i parts (seed %i)', async (size, count, seed) => {
    const { sim } = await cut(size, count, seed)
    await sim.advance(10 * MINUTE_MS)
    sim.heal()
    await sim.until(() => whole(sim), 10_000)
  })

  it('within two minutes after hours', async () => {
    const { sim } = await cut(4, 2, 8)
    await sim.advance(4 * 60 * MINUTE_MS)
    sim.heal()
    await sim.until(() => whole(sim), 2 * MINUTE_MS)
  })

  it('when only one direction was cut for a while', async () => {
    const sim = new Simulation({ seed: 9 })
    for (let i = 0; i < 8; i++) await sim.start(`n${i}`)
    await sim.advance(5_000)
    const [here, there] = [sim.nodes.slice(0, 4), sim.nodes.slice(4)]
    const unblock = sim.blockOneWay(here, there)
    await sim.advance(10 * MINUTE_MS)
    unblock()
    await sim.until(() => whole(sim), 10_000)
  })

  it('part by part, as far as the parts reach each other', async () => {
    const { sim, parts } = await cut(9, 3, 10)
    sim.heal()
    sim.partition([...parts[0]!, ...parts[1]!], parts[2]!)
    await sim.until(() => cutOff(sim, [[...parts[0]!, ...parts[1]!], parts[2]!]), 20_000)
    await sim.advance(MINUTE_MS)
    sim.heal()
    await sim.until(() => whole(sim), 10_000)
  })
})

describe('two parts one of which has restarted under new addresses meet', () => {
  async function moved(
    movers: (part: readonly string[]) => readonly string[],
    seeds: (sim: Simulation) => readonly string[] | (() => readonly string[]),
    everyonesSeeds: (sim: Simulation) => readonly string[] | (() => readonly string[]) = seeds,
  ): Promise<Simulation> {
    const sim = new Simulation({ seed: 11 })
    for (let i = 0; i < 10; i++) await sim.start(`n${i}`, { seeds: everyonesSeeds(sim) })
    await sim.advance(10_000)
    const parts = [sim.nodes.slice(0, 5), sim.nodes.slice(5)]
    sim.partition(...parts)
    await sim.until(() => cutOff(sim, parts), 3 * MINUTE_MS)
    for (const node of movers(parts[1]!)) {
      sim.kill(node)
      await sim.start(node, { bind: sim.address(node).replace(/\d+$/, '9999'), seeds: seeds(sim) })
    }
    await sim.advance(10 * MINUTE_MS)
    return sim
  }

  /** A name service that knows where everybody is. */
  const everywhere = (sim: Simulation) => (): readonly string[] =>
    sim.nodes.map((node) => sim.cluster(node).self.address)

  it('where seeds is a function', async () => {
    const sim = await moved((part) => part, everywhere)
    expect(whole(sim)).toBe(false)
    sim.heal()
    await sim.until(() => whole(sim), 30_000)
  })

  it('where one old member is still at its address', async () => {
    const sim = await moved(
      (part) => part.slice(1),
      (sim) => [sim.address('n5')],
      (sim) => [sim.address('n0')],
    )
    sim.heal()
    await sim.until(() => whole(sim), 30_000)
  })

  it('where a list of seeds names one that is still there', async () => {
    const sim = await moved(
      (part) => part,
      (sim) => [sim.address('n5').replace(/\d+$/, '9999'), sim.address('n0')],
      (sim) => [sim.address('n0')],
    )
    sim.heal()
    await sim.until(() => whole(sim), MINUTE_MS)
  })
})

describe('a join storm', () => {
  it('through one seed ends with everybody knowing everybody', async () => {
    const sim = new Simulation({ seed: 12 })
    await sim.start('seed')
    const seeds = [sim.address('seed')]
    await Promise.all(Array.from({ length: 60 }, (_, i) => sim.start(`n${i}`, { seeds })))
    await sim.until(() => whole(sim), 10_000)
  })
})
