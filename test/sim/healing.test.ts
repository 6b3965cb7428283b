import { describe, expect, it } from 'vitest'
import { Simulation } from '../../sim/index.ts'

function aliveAt(sim: Simulation, name: string): string[] {
  return sim
    .cluster(name)
    .members()
    .filter(({ status }) => status === 'alive')
    .map((member) => member.name)
    .sort()
}

describe('a partition that ends', () => {
  const sizes = [2, 3, 4, 10, 25]
  const seeds = [1, 2, 3, 4, 5, 6]
  it.each(sizes.flatMap((size) => seeds.map((seed) => [size, seed])))(
    'heals by itself: %i nodes, seed %i',
    async (size, seed) => {
      const sim = new Simulation({ seed })
      for (let i = 0; i < size; i++) await sim.start(`n${i}`)
      await sim.advance(5_000)
      const half = Math.ceil(size / 2)
      const heal = sim.partition(sim.nodes.slice(0, half), sim.nodes.slice(half))
      await sim.advance(30_000)
      const wrong: string[] = []
      heal()
      for (const [i, observer] of sim.nodes.entries()) {
        const side = (name: string): boolean => sim.nodes.indexOf(name) < half
        sim.cluster(observer).on('member-failed', ({ name }) => {
          if (side(name) === i < half) wrong.push(`${observer} held ${name} failed`)
        })
      }
      await sim.until(() => sim.nodes.every((node) => aliveAt(sim, node).length === size), 60_000)
      await sim.advance(30_000)
      expect(sim.nodes.every((node) => aliveAt(sim, node).length === size)).toBe(true)
      expect(wrong).toEqual([])
    },
  )
})

describe('a node that starts', () => {
  it('does not wait for a silent seed when another one answers', async () => {
    const sim = new Simulation({ seed: 1 })
    await sim.start('a')
    await sim.start('silent')
    sim.crash('silent')
    const before = sim.now
    await sim.start('b', { seeds: [sim.address('silent'), sim.address('a')] })
    expect(sim.now - before).toBeLessThan(1_000)
    expect(sim.cluster('b').member('a')?.status).toBe('alive')
  })
})
