import { expect, it } from 'vitest'
import { Simulation } from '../../sim/index.ts'

const HOUR_MS = 3_600_000
const NAMES = ['n0', 'n1', 'n2', 'n3', 'n4'] as const

it.each([2 * HOUR_MS, -2 * HOUR_MS])(
  'an owner whose clock is off by %i ms is heard like any other, before a restart and after',
  async (offsetMs) => {
    const sim = new Simulation({ seed: 3 })
    for (const name of NAMES) await sim.start(name)
    const blue = await Promise.all(NAMES.map((name) => sim.settled(sim.cluster(name).joinNetwork('blue'))))
    const tables = blue.map((network) => network.table<number>('peers'))
    // Hosts are made by starting a node on them.
    await sim.start('wrong')
    for (const value of [1, 2]) {
      sim.kill('wrong')
      sim.setClock('wrong', offsetMs)
      const network = await sim.settled((await sim.start('wrong')).joinNetwork('blue'))
      network.table<number>('peers').set('key', value)
      await sim.until(() => tables.every((table) => table.get('key')?.value === value), 1_000)
    }
    expect(sim.faults).toEqual([])
  },
)
