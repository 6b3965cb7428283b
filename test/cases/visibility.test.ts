import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { NodeOptions } from '../../sim/index.ts'
import { Scene, type Shown } from './scene.ts'

const HOLD_DOWN_MS = 20_000
const HELD: NodeOptions = { withdrawAfterMs: HOLD_DOWN_MS }

/** How each row of the table comes about. */
const ROWS: Readonly<Record<string, () => Promise<Scene>>> = {
  'a sets it': async () => {
    const scene = await Scene.with({})
    scene.set('a', '1')
    await scene.pass(2_000)
    return scene
  },
  'a sets it again, to the same value': async () => {
    const scene = await Scene.with({ a: '1' })
    scene.set('a', '1')
    await scene.pass(2_000)
    return scene
  },
  'a deletes it': async () => {
    const scene = await Scene.with({ a: '1' })
    scene.delete('a')
    await scene.pass(2_000)
    return scene
  },
  'b deletes it, and has no claim': async () => {
    const scene = await Scene.with({ a: '1' })
    expect(scene.hosts.table('b').delete('k')).toBe(false)
    await scene.pass(2_000)
    return scene
  },
  'a is suspect': async () => {
    const scene = await Scene.with({ a: '1' })
    scene.hosts.sim.pause('a', 120_000)
    await scene.seen('a', 'suspect')
    return scene
  },
  'a is failed, within the hold-down': async () => {
    const scene = await Scene.with({ a: '1' }, HELD)
    await scene.fail('a', HOLD_DOWN_MS / 2)
    return scene
  },
  'a is back within the hold-down': async () => {
    const scene = await Scene.with({ a: '1' }, { withdrawAfterMs: 300_000 })
    await scene.fail('a')
    await scene.resume('a')
    await scene.pass(400_000)
    return scene
  },
  'a is failed': async () => {
    const scene = await Scene.with({ a: '1' })
    await scene.fail('a')
    return scene
  },
  'a is failed, after the hold-down': async () => {
    const scene = await Scene.with({ a: '1' }, HELD)
    await scene.fail('a', HOLD_DOWN_MS + 1)
    return scene
  },
  'a was failed, and is back': async () => {
    const scene = await Scene.with({ a: '1' })
    await scene.fail('a')
    scene.forget()
    await scene.resume('a')
    return scene
  },
  'a leaves the cluster': async () => {
    const scene = await Scene.with({ a: '1' })
    await scene.hosts.sim.settled(scene.hosts.node('a').leave())
    return scene
  },
  'a leaves the network': async () => {
    const scene = await Scene.with({ a: '1' })
    await scene.hosts.sim.settled(scene.hosts.node('a').network('blue').leave())
    await scene.pass(2_000)
    return scene
  },
  'a left the network, joins it again and sets 2': async () => {
    const scene = await Scene.with({ a: '1' })
    await scene.hosts.sim.settled(scene.hosts.node('a').network('blue').leave())
    await scene.pass(2_000)
    scene.forget()
    await scene.rejoin('a')
    scene.set('a', '2')
    await scene.pass(2_000)
    return scene
  },
  'a left the cluster, and starts anew': async () => {
    const scene = await Scene.with({ a: '1' })
    await scene.hosts.sim.settled(scene.hosts.node('a').leave())
    scene.forget()
    await scene.restart('a')
    await scene.pass(5_000)
    return scene
  },
  'a left the cluster, starts anew, joins and sets 2': async () => {
    const scene = await Scene.with({ a: '1' })
    await scene.hosts.sim.settled(scene.hosts.node('a').leave())
    scene.forget()
    await scene.restart('a')
    await scene.rejoin('a')
    scene.set('a', '2')
    await scene.pass(5_000)
    return scene
  },
  'a starts anew': async () => {
    const scene = await Scene.with({ a: '1' })
    await scene.restart('a')
    await scene.pass(500)
    return scene
  },
  'a starts anew and sets the same': async () => {
    const scene = await Scene.with({ a: '1' })
    await scene.restart('a')
    await scene.rejoin('a')
    scene.set('a', '1')
    await scene.pass(60_000)
    return scene
  },
  'a starts anew and sets 2': async () => {
    const scene = await Scene.with({ a: '1' })
    await scene.restart('a')
    await scene.rejoin('a')
    scene.set('a', '2')
    await scene.pass(60_000)
    return scene
  },
  'a starts anew, joins, and does not set it within inheritMs': async () => {
    const scene = await Scene.with({ a: '1' })
    await scene.restart('a')
    await scene.rejoin('a')
    await scene.pass(15_000)
    return scene
  },
  'a starts anew, and does not join within inheritMs': async () => {
    const scene = await Scene.with({ a: '1' })
    await scene.restart('a')
    await scene.pass(15_000)
    return scene
  },
  'a starts anew with inheritMs 0': async () => {
    const scene = await Scene.with({ a: '1' })
    await scene.restart('a', { inheritMs: 0 })
    await scene.pass(5_000)
    return scene
  },
  'a was failed, and starts anew': async () => {
    const scene = await Scene.with({ a: '1' })
    scene.hosts.sim.crash('a')
    await scene.seen('a', 'failed')
    scene.forget()
    await scene.hosts.start('a')
    await scene.pass(2_000)
    return scene
  },
  'a was failed, and is forgotten': async () => {
    const scene = await Scene.with({ a: '1' }, { forgetAfterMs: 60_000 })
    scene.hosts.sim.crash('a')
    await scene.seen('a', 'failed')
    scene.forget()
    await scene.pass(120_000)
    return scene
  },
  'b sets it, too': async () => {
    const scene = await Scene.with({ a: '1' })
    scene.set('b', '2')
    await scene.pass(2_000)
    return scene
  },
  'b sets it, too, by a clock that is an hour behind': async () => {
    const scene = await Scene.with({ a: '1' })
    scene.hosts.sim.setClock('b', -3_600_000)
    scene.set('b', '2')
    await scene.pass(2_000)
    return scene
  },
  'a and b set it at the same moment': async () => {
    const scene = await Scene.with({})
    scene.set('a', '1')
    scene.set('b', '2')
    await scene.pass(5_000)
    scene.forget()
    return scene
  },
  'a and b set it at the same moment, and the clock of a is ahead': async () => {
    const scene = await Scene.with({})
    scene.hosts.sim.setClock('a', 1_000)
    scene.set('a', '1')
    scene.set('b', '2')
    await scene.pass(5_000)
    scene.forget()
    return scene
  },
  'b has it, and a deletes its claim': async () => {
    const scene = await Scene.with({ a: '1', b: '2' })
    scene.delete('a')
    await scene.pass(2_000)
    return scene
  },
  'b has it, and deletes its claim': async () => {
    const scene = await Scene.with({ a: '1', b: '2' })
    scene.delete('b')
    await scene.pass(2_000)
    return scene
  },
  'b has it, and a sets it again': async () => {
    const scene = await Scene.with({ a: '1', b: '2' })
    scene.set('a', '1')
    await scene.pass(2_000)
    return scene
  },
  'b has it, and a starts anew and declares its set by replaceOwn': async () => {
    const scene = await Scene.with({ a: '1', b: '2' })
    await scene.restart('a')
    await scene.rejoin('a')
    scene.hosts.table('a').replaceOwn([['k', '1']])
    await scene.pass(60_000)
    return scene
  },
  'b has it, and is suspect': async () => {
    const scene = await Scene.with({ a: '1', b: '2' })
    scene.hosts.sim.pause('b', 120_000)
    await scene.seen('b', 'suspect')
    return scene
  },
  'b has it, and is failed, within the hold-down': async () => {
    const scene = await Scene.with({ a: '1', b: '2' }, HELD)
    await scene.fail('b', HOLD_DOWN_MS / 2)
    return scene
  },
  'b has it, and is failed': async () => {
    const scene = await Scene.with({ a: '1', b: '2' })
    await scene.fail('b')
    return scene
  },
  'b had it, was failed, and is back': async () => {
    const scene = await Scene.with({ a: '1', b: '2' })
    await scene.fail('b')
    scene.forget()
    await scene.resume('b')
    return scene
  },
  'b has it, and leaves the cluster': async () => {
    const scene = await Scene.with({ a: '1', b: '2' })
    await scene.hosts.sim.settled(scene.hosts.node('b').leave())
    return scene
  },
  'b has it, and leaves the network': async () => {
    const scene = await Scene.with({ a: '1', b: '2' })
    await scene.hosts.sim.settled(scene.hosts.node('b').network('blue').leave())
    await scene.pass(2_000)
    return scene
  },
  'b has it, and a is failed': async () => {
    const scene = await Scene.with({ a: '1', b: '2' })
    await scene.fail('a')
    return scene
  },
  'a and b are failed': async () => {
    const scene = await Scene.with({ a: '1', b: '2' })
    await scene.fail('a')
    scene.forget()
    await scene.fail('b')
    return scene
  },
  'a is failed, and me is isolated': async () => {
    const scene = await Scene.with({ a: '1' })
    await scene.cutOff()
    await scene.pass(60_000)
    return scene
  },
  'a is failed, me is isolated and has an older claim': async () => {
    const scene = await Scene.with({ me: '0', a: '1' })
    await scene.cutOff()
    return scene
  },
  'a is failed, me is isolated and sets it': async () => {
    const scene = await Scene.with({ a: '1' })
    await scene.cutOff()
    scene.set('me', '0')
    await scene.pass(1)
    return scene
  },
  'me was isolated and set it, and is not isolated any more': async () => {
    const scene = await Scene.with({ a: '1' })
    const heal = await scene.cutOff()
    scene.set('me', '0')
    await scene.pass(1)
    scene.forget()
    heal()
    await scene.pass(60_000)
    await scene.hosts.sim.until(() => scene.hosts.table('c').get('k')?.owner === 'me', 1)
    return scene
  },
  'me was isolated, and reaches a again': async () => {
    const scene = await Scene.with({ a: '1' })
    const heal = await scene.cutOff()
    heal()
    await scene.pass(60_000)
    return scene
  },
  'me was isolated, a crashed meanwhile, within reconnectGraceMs': async () => {
    const scene = await Scene.with({ a: '1' }, { reconnectGraceMs: 60_000 })
    const heal = await scene.cutOff()
    scene.hosts.sim.crash('a')
    heal()
    await scene.hosts.sim.until(() => !scene.hosts.node('me').isolated, 60_000)
    await scene.pass(30_000)
    return scene
  },
  'me was isolated, a crashed meanwhile, after reconnectGraceMs': async () => {
    const scene = await Scene.with({ a: '1' })
    const heal = await scene.cutOff()
    scene.hosts.sim.crash('a')
    heal()
    await scene.pass(60_000)
    return scene
  },
  'me was isolated, a left meanwhile': async () => {
    const scene = await Scene.with({ a: '1' })
    const heal = await scene.cutOff()
    await scene.hosts.sim.settled(scene.hosts.node('a').leave())
    scene.hosts.sim.kill('a')
    heal()
    await scene.pass(60_000)
    return scene
  },
  'me was isolated, a deleted it meanwhile': async () => {
    const scene = await Scene.with({ a: '1' })
    const heal = await scene.cutOff()
    scene.delete('a')
    heal()
    await scene.pass(60_000)
    return scene
  },
}

/** Rows of the first table below a heading: the first cell is the row's name. */
function tableBelow(heading: string): Map<string, Shown> {
  const section = readFileSync('docs/network-state.md', 'utf8')
    .split(`\n## ${heading}\n`)[1]!
    .split('\n## ')[0]!
  const lines = section.split('\n').filter((line) => line.startsWith('|'))
  const rows = lines.slice(2).map((line) => line.split('|').map((cell) => cell.trim()))
  return new Map(
    rows.map(([, name, get, claims, watch]) => [name!, { get: get!, claims: claims!, told: watch! }]),
  )
}

describe('what a host shows of a key, and tells its watchers, when', () => {
  const documented = tableBelow('What is shown, and when')

  it('anything happens that the table in the docs knows of: each row has its test', () => {
    expect(Object.keys(ROWS)).toEqual([...documented.keys()])
  })

  for (const [name, scene] of Object.entries(ROWS)) {
    it(name, async () => {
      expect((await scene()).shown).toEqual(documented.get(name))
    })
  }
})
