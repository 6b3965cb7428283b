import { describe, expect, it } from 'vitest'
import {
  type AppliedStep,
  type FaultSchedule,
  keyOf,
  parseSchedule,
  runSchedule,
} from '../../sim/schedule.ts'
import { Simulation } from '../../sim/simulation.ts'

const NAMES = ['a', 'b', 'c', 'd']

async function started(seed = 1): Promise<Simulation> {
  const sim = new Simulation({ seed })
  for (const name of NAMES) await sim.start(name)
  await sim.until(() => NAMES.every((name) => sim.cluster(name).members().length === 4), 10_000)
  return sim
}

function outcomes(applied: readonly AppliedStep[]): string[] {
  return applied.map(({ step, outcome }) => `${step.kind} ${outcome}`)
}

describe('a fault schedule', () => {
  it('strikes at its times, whatever the order of the list, and tells what it did', async () => {
    const sim = await started()
    const begun = sim.now
    const told: AppliedStep[] = []
    const applied = await runSchedule(
      sim,
      [
        { at: 500, kind: 'kill', node: 'c' },
        { at: 200, kind: 'crash', node: 'd' },
      ],
      { applied: (step) => told.push(step) },
    )
    expect(applied.map(({ atMs, step }) => [atMs - begun, step.kind])).toEqual([
      [200, 'crash'],
      [500, 'kill'],
    ])
    expect(told).toEqual(applied)
    expect(sim.nodes).toEqual(['a', 'b'])
  })

  it('skips what cannot be: faults of nodes that are down or were never there', async () => {
    const sim = await started()
    const applied = await runSchedule(sim, [
      { at: 0, kind: 'crash', node: 'd' },
      { at: 1, kind: 'crash', node: 'd' },
      { at: 2, kind: 'pause', node: 'd', ms: 10 },
      { at: 3, kind: 'restart', node: 'nobody' },
      { at: 4, kind: 'loss', node: 'nobody', egress: 1 },
    ])
    expect(outcomes(applied)).toEqual([
      'crash applied',
      'crash skipped',
      'pause skipped',
      'restart skipped',
      'loss skipped',
    ])
  })

  it('rotates the keys of a cluster that has some, and changes nothing in one that has none', async () => {
    const sealed = new Simulation()
    for (const name of NAMES) await sealed.start(name, { keys: [keyOf(1)] })
    await sealed.advance(5_000)
    const plain = await started()
    for (const sim of [sealed, plain]) {
      const applied = await runSchedule(sim, [
        { at: 0, kind: 'rotate', node: 'b', key: 2 },
        { at: 1, kind: 'rotate', node: 'nobody', key: 3 },
      ])
      expect(outcomes(applied)).toEqual(['rotate applied', 'rotate skipped'])
      await sim.advance(5_000)
    }
    const rotations = (sim: Simulation) => NAMES.map((name) => sim.cluster(name).metrics()['keys.rotations'])
    expect([rotations(sealed), rotations(plain)]).toEqual([
      [1, 1, 1, 1],
      [0, 0, 0, 0],
    ])
  })

  it('restarts a node under its name and at its address, whether it was down or not', async () => {
    const sim = await started()
    const before = sim.cluster('b').self
    const stopped: string[] = []
    const applied = await runSchedule(
      sim,
      [
        { at: 0, kind: 'crash', node: 'a' },
        { at: 100, kind: 'restart', node: 'a' },
        { at: 200, kind: 'restart', node: 'b' },
      ],
      { stopped: (name) => stopped.push(name) },
    )
    expect(outcomes(applied)).toEqual(['crash applied', 'restart applied', 'restart applied'])
    expect(stopped).toEqual(['a', 'b'])
    expect([...sim.nodes].sort()).toEqual(NAMES)
    const { address, epoch } = sim.cluster('b').self
    expect(address).toBe(before.address)
    expect(epoch).not.toEqual(before.epoch)
  })

  it('ends faults with `ms` by itself, and others by `heal`', async () => {
    const sim = await started()
    const { network } = sim.world
    const [a, b] = [sim.world.host('a'), sim.world.host('b')]
    const states: string[] = []
    const look = (): void => {
      states.push(`${Number(network.blocked(a, b))}${Number(network.blocked(b, a))} ${b.egressLoss}`)
    }
    const schedule: FaultSchedule = [
      { at: 0, kind: 'partition', groups: [['a'], ['b', 'c']], ms: 100 },
      { at: 50, kind: 'loss', node: 'b', egress: 0.8, ms: 100 },
      { at: 120, kind: 'one-way', from: ['a'], to: ['b'] },
      { at: 200, kind: 'loss', node: 'b', egress: 0.5 },
      { at: 300, kind: 'heal' },
    ]
    const looks = [10, 60, 110, 130, 160, 210, 310]
    const looking = (async () => {
      for (const [i, at] of looks.entries()) {
        await sim.advance(at - (looks[i - 1] ?? 0))
        look()
      }
    })()
    await Promise.all([runSchedule(sim, schedule), looking])
    expect(states).toEqual(['11 0', '11 0.8', '00 0.8', '10 0.8', '10 0', '10 0.5', '00 0'])
  })

  it('makes a slow node alternate between blocked and normal', async () => {
    const sim = await started()
    const fired: number[] = []
    const begun = sim.now
    const tick = (): void => {
      fired.push(sim.now - begun)
      if (sim.now - begun < 1000) sim.world.host('c').process!.setTimer(10, tick)
    }
    sim.world.host('c').process!.setTimer(10, tick)
    await runSchedule(sim, [{ at: 0, kind: 'slow', node: 'c', ms: 400, blockedMs: 100, normalMs: 50 }])
    await sim.advance(1000)
    const stalls = fired.filter((at, i) => at - (fired[i - 1] ?? 0) > 90)
    expect(stalls.length).toBe(3)
  })

  it('reports a start that failed, and not one that a later step cut short', async () => {
    const sim = await started()
    const failed: string[] = []
    const startFailed = (name: string): void => void failed.push(name)
    await runSchedule(
      sim,
      [
        { at: 0, kind: 'crash', node: 'd' },
        { at: 10, kind: 'restart', node: 'd' },
        { at: 10, kind: 'crash', node: 'd' },
        { at: 20, kind: 'restart', node: 'c' },
      ],
      {
        startFailed,
        start: (name) => sim.start(name, name === 'c' ? { bind: '192.0.2.1:7946' } : {}),
      },
    )
    expect(failed).toEqual(['c'])
    expect(sim.nodes).toEqual(['a', 'b'])
  })

  it('gives the same run twice', async () => {
    const run = async (): Promise<string> => {
      const sim = await started(3)
      await runSchedule(sim, [
        { at: 0, kind: 'slow', node: 'a', ms: 2000, blockedMs: 300, normalMs: 10 },
        { at: 100, kind: 'clock', node: 'b', offsetMs: -60_000 },
        { at: 500, kind: 'restart', node: 'b' },
        { at: 700, kind: 'one-way', from: ['c'], to: ['a', 'd'], ms: 3000 },
      ])
      return sim.traceHash
    }
    expect(await run()).toBe(await run())
  })
})

describe('parseSchedule', () => {
  it('takes what JSON.stringify made of a schedule', () => {
    const schedule: FaultSchedule = [
      { at: 0, kind: 'crash', node: 'a' },
      { at: 1, kind: 'restart', node: 'a' },
      { at: 2, kind: 'pause', node: 'a', ms: 5, wholeHost: true },
      { at: 3, kind: 'slow', node: 'b', ms: 100, blockedMs: 10, normalMs: 0 },
      { at: 4, kind: 'partition', groups: [['a'], ['b', 'c']] },
      { at: 5, kind: 'one-way', from: ['a'], to: ['b'], ms: 1 },
      { at: 6, kind: 'loss', node: 'c', ingress: 0.8 },
      { at: 7, kind: 'clock', node: 'c', offsetMs: -1000 },
      { at: 8, kind: 'heal' },
      { at: 9, kind: 'rotate', node: 'a', key: 7 },
    ]
    expect(parseSchedule(JSON.parse(JSON.stringify(schedule)), NAMES)).toEqual(schedule)
  })

  it.each([
    [{}, 'an array'],
    [[7], 'step 0 of the fault schedule is not an object'],
    [[{ at: -1, kind: 'heal' }], '(heal) has no valid at: -1'],
    [
      [
        { at: 0, kind: 'heal' },
        { at: 0, kind: 'toString' },
      ],
      'step 1 of the fault schedule is of no known kind',
    ],
    [[{ at: 0, kind: 'crash', node: 'nobody' }], '(crash) has no valid node'],
    [[{ at: 0, kind: 'pause', node: 'a' }], '(pause) has no valid ms'],
    [[{ at: 0, kind: 'loss', node: 'a', egress: 2 }], '(loss) has no valid egress'],
    [[{ at: 0, kind: 'partition', groups: ['a'] }], '(partition) has no valid groups'],
    [[{ at: 0, kind: 'rotate', node: 'a', key: -1 }], '(rotate) has no valid key'],
    [[{ at: 0, kind: 'crash', node: 'a', ms: 5 }], 'a field that it cannot have: "ms"'],
  ])('refuses %j', (json, complaint) => {
    expect(() => parseSchedule(json, NAMES)).toThrow(complaint)
  })
})
