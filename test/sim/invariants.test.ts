import { describe, expect, it } from 'vitest'
import { checkInvariants } from '../../sim/invariants.ts'
import { Observer } from '../../sim/observer.ts'
import type { Context } from '../../sim/scenario.ts'
import { Simulation } from '../../sim/simulation.ts'
import type { Network } from '../../src/network-state/network.ts'

type Entries = readonly (readonly [string, { value: unknown; owner: string }])[]

/** A healthy cluster of two, which a test then harms. */
async function healthy(): Promise<Context> {
  const sim = new Simulation()
  const observer = new Observer(sim, 3)
  for (const name of ['a', 'b']) observer.watch(name, await sim.start(name))
  await sim.until(() => observer.agreed(), 10_000)
  return {
    sim,
    observer,
    nodes: 2,
    minutes: undefined,
    random: sim.world.random,
    set: {},
    progress() {},
    measured: { violations: [] },
    networks: [],
  }
}

function violations(context: Context): string {
  return checkInvariants(context).violations.join('\n')
}

function network(entries: Entries): Network {
  return { table: () => ({ entries: () => entries }) } as unknown as Network
}

function join(context: Context, a: Entries, b: Entries): void {
  const members = new Map([
    ['a', network(a)],
    ['b', network(b)],
  ])
  context.networks.push({ name: 'blue', tables: ['peers'], members })
}

describe('invariants', () => {
  it('hold for a healthy cluster, and are counted', async () => {
    const context = await healthy()
    expect(checkInvariants(context)).toEqual({ checked: 5, violations: [] })
  })

  it('find a live member that is taken for failed, unless it cannot be reached', async () => {
    const context = await healthy()
    const heal = context.sim.partition(['a'], ['b'])
    await context.sim.until(() => context.sim.cluster('a').member('b')?.status === 'failed', 120_000)
    expect(violations(context)).toBe('')
    heal()
    expect(violations(context)).toContain('a live, reachable member is not failed: a takes b for failed')
  })

  it('find a crashed member that is taken for alive', async () => {
    const context = await healthy()
    context.sim.crash('b')
    expect(violations(context)).toContain(
      'a crashed member is failed at every survivor: a takes the dead b for alive',
    )
  })

  it('find events that tell another story than the snapshots', async () => {
    const context = await healthy()
    const blind = new Observer(context.sim, 2)
    expect(violations({ ...context, observer: blind })).toContain(
      'a told of b as undefined, and shows it as alive',
    )
  })

  it('find tables that differ in a key, a value or an owner, in whatever order they come', async () => {
    const x = ['x', { value: new Uint8Array([1]), owner: 'a' }] as const
    const y = ['y', { value: { port: 1 }, owner: 'b' }] as const
    const cases: [Entries, Entries, boolean][] = [
      [[x, y], [y, x], true],
      [[x, y], [x], false],
      [[x], [['x', { value: new Uint8Array([2]), owner: 'a' }]], false],
      [[x], [['x', { value: new Uint8Array([1]), owner: 'b' }]], false],
      [[y], [['y', { value: { port: 2 }, owner: 'b' }]], false],
    ]
    for (const [a, b, equal] of cases) {
      const context = await healthy()
      join(context, a, b)
      if (equal) expect(violations(context)).toBe('')
      else
        expect(violations(context)).toContain('participants of a network hold equal tables: network "blue"')
    }
  })

  it('find exceptions, and pass on what the scenario found', async () => {
    const context = await healthy()
    context.sim.world.host('a').process!.setTimer(1, () => {
      throw new Error('from a timer')
    })
    await context.sim.advance(5)
    context.measured.violations.push('too slow')
    expect(violations(context)).toContain('no exception reaches the runtime: a at ')
    expect(violations(context)).toContain('from a timer')
    expect(violations(context)).toContain('too slow')
  })

  it('name a few of many', async () => {
    const context = await healthy()
    for (let i = 0; i < 9; i++) context.sim.world.fault('a', `fault ${i}`)
    const found = checkInvariants(context).violations
    expect(found).toHaveLength(6)
    expect(found.at(-1)).toContain('4 more')
  })
})
