import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Changes, difference } from '../../src/agent/kernel.ts'
import { MemoryKernel } from '../../src/agent/memory-kernel.ts'
import { type OverlayRow, overlayRules, slotOf } from '../../src/agent/overlay-rows.ts'
import { Reconciler } from '../../src/agent/reconciler.ts'
import { randomNumbers } from '../dissemination/test-clock.ts'
import { row as overlayRow } from './arbitraries.ts'
import { FaultyKernel, type KernelFaults } from './faulty-kernel.ts'
import { row, rows, Scene } from './reconciler-scene.ts'
import { VirtualTime } from './virtual-time.ts'

describe('the difference between rows', () => {
  const A: OverlayRow = { table: 'fdb', mac: '02:42:00:00:00:01', vtep: '10.77.0.1' }
  const A_MOVED: OverlayRow = { ...A, vtep: '10.77.0.2' }
  const B: OverlayRow = { table: 'neighbour', ip: '10.42.0.2', mac: '02:42:00:00:00:02' }

  it('leaves alone what is right, replaces what is wrong in place, and removes what is not wanted', () => {
    const kernel = new MemoryKernel(overlayRules)
    expect(difference(kernel, [A, B], [A, B])).toEqual({ put: [], remove: [] })
    expect(difference(kernel, [A_MOVED], [A, B])).toEqual({ put: [A_MOVED], remove: [B] })
    expect(difference(kernel, [A], [{ ...A, oddity: 'port 53' }])).toEqual({ put: [A], remove: [] })
  })
})

describe('the reconciler', () => {
  it('makes the kernel as desired when triggered, and has settled once it has seen that it is', async () => {
    const scene = new Scene()
    scene.kernel.tamper({ put: [row('r1', 66), row('left by an earlier process')] })
    await scene.want(rows(3), 30)
    expect(scene.kernel.rows()).toEqual(expect.arrayContaining(rows(3)))
    expect(scene.kernel.rows()).toHaveLength(3)
    expect(scene.reconciler.settled).toBe(false)
    await scene.time.pass(100)
    expect(scene.reconciler.settled).toBe(true)
    expect(scene.passes).toMatchObject([{ put: 3, removed: 1 }])
  })

  it('touches nothing before the first trigger', async () => {
    const scene = new Scene()
    scene.kernel.tamper({ put: [row('a')] })
    await scene.time.pass(60_000)
    expect(scene.kernel.rows()).toEqual([row('a')])
    expect(scene.dumps).toBe(0)
  })

  it('answers any number of triggers during a pass by one more pass', async () => {
    const scene = new Scene()
    await scene.settle([])
    const { passes } = scene.reconciler.status()
    await scene.want([row('a')], 1)
    for (let value = 2; value < 100; value++) await scene.want([row('a', value)])
    await scene.time.pass(10)
    expect(scene.kernel.rows()).toEqual([row('a', 99)])
    expect(scene.reconciler.status().passes).toBe(passes + 2)
  })

  it('does not believe in failure: an error about rows that are right afterwards is none', async () => {
    const scene = new Scene()
    const apply = scene.kernel.apply.bind(scene.kernel)
    scene.kernel.apply = async (changes: Changes<{ slot: string; value: number }>) => {
      await apply(changes)
      throw new Error('no such row')
    }
    await scene.want(rows(3), 1_000)
    expect(scene.passes).toEqual([{ put: 3, removed: 0, durationMs: 25 }])
    expect(scene.reconciler.status()).toMatchObject({ settled: true, failed: 0, lastError: undefined })
  })

  it('touches nothing once stopped, and listens no more', async () => {
    const scene = new Scene()
    let listening = 0
    scene.kernel.watch = () => {
      listening++
      return () => listening--
    }
    await scene.settle([])
    expect(listening).toBe(1)
    await scene.reconciler.stop()
    expect(listening).toBe(0)
    await scene.want([row('a')], 60_000)
    expect(scene.kernel.rows()).toEqual([])
  })
})

type Step =
  | { readonly do: 'wish'; readonly rows: readonly OverlayRow[]; readonly silently: boolean }
  | { readonly do: 'tamper'; readonly put: readonly OverlayRow[]; readonly remove: readonly OverlayRow[] }
  | { readonly do: 'break'; readonly how: keyof KernelFaults; readonly times: number }
  | { readonly do: 'lose device' }
  | { readonly do: 'wait'; readonly ms: number }

const someRows = fc.uniqueArray(overlayRow, { selector: slotOf, maxLength: 12 })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('wish' as const), rows: someRows, silently: fc.boolean() }),
  fc.record({ do: fc.constant('tamper' as const), put: someRows, remove: someRows }),
  fc.record({
    do: fc.constant('break' as const),
    how: fc.constantFrom<keyof KernelFaults>(
      'failDumps',
      'breakApplies',
      'refuseLines',
      'ignoreApplies',
      'blameApplies',
      'loseReports',
    ),
    times: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({ do: fc.constant('lose device' as const) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 300 }) }),
)

describe('after any sequence of changed wishes, tampering and faults', () => {
  it('the kernel ends as desired, and never was a slot named twice in one batch', async () => {
    const rule = fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.nat(), async (steps, seed) => {
      const time = new VirtualTime()
      const kernel = new FaultyKernel(time, randomNumbers(seed))
      const applied: Changes<OverlayRow>[] = []
      const apply = kernel.apply.bind(kernel)
      kernel.apply = (changes) => {
        applied.push(changes)
        return apply(changes)
      }
      let desired: readonly OverlayRow[] = []
      const reconciler = new Reconciler({
        kernel,
        desired: () => desired,
        auditIntervalMs: 1_000,
        retryMaxMs: 1_000,
        clock: time.clock(seed),
      })
      reconciler.trigger()
      for (const step of steps) {
        if (step.do === 'wait') await time.pass(step.ms)
        else if (step.do === 'lose device') kernel.loseDevice()
        else if (step.do === 'break') kernel.faults[step.how] += step.times
        else if (step.do === 'tamper') {
          for (const row of step.put) kernel.tables.replace(row)
          const there = new Set(kernel.tables.rows().map(slotOf))
          for (const row of step.remove) if (there.has(slotOf(row))) kernel.tables.delete(row)
        } else {
          desired = step.rows.filter((row) => !('oddity' in row))
          if (!step.silently) reconciler.trigger()
        }
      }
      await time.pass(60_000)
      expect(sorted(kernel.tables.rows())).toEqual(sorted(desired))
      expect(reconciler.settled).toBe(true)
      for (const { put, remove } of applied) {
        const slots = [...put, ...remove].map(slotOf)
        expect(new Set(slots).size).toBe(slots.length)
      }
    })
    await fc.assert(rule, { numRuns: 300 })
  })
})

function sorted(rows: readonly OverlayRow[]): OverlayRow[] {
  return [...rows].sort((a, b) => (slotOf(a) < slotOf(b) ? -1 : 1))
}
