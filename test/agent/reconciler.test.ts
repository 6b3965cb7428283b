import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Changes } from '../../src/agent/kernel.ts'
import { difference } from '../../src/agent/kernel.ts'
import { MemoryKernel } from '../../src/agent/memory-kernel.ts'
import { nodeClock } from '../../src/agent/node-clock.ts'
import { type OverlayRow, overlayRules, slotOf } from '../../src/agent/overlay-rows.ts'
import { Reconciler, type ReconcilerOptions } from '../../src/agent/reconciler.ts'
import type { Pass } from '../../src/agent/reconciler-status.ts'
import { row } from './arbitraries.ts'

const A: OverlayRow = { table: 'fdb', mac: '02:42:00:00:00:01', vtep: '10.77.0.1' }
const A_MOVED: OverlayRow = { ...A, vtep: '10.77.0.2' }
const B: OverlayRow = { table: 'neighbour', ip: '10.42.0.2', mac: '02:42:00:00:00:02' }

/** A kernel that takes its time and can be broken in the ways in which the real one breaks. */
class FaultyKernel extends MemoryKernel<OverlayRow> {
  applied: Changes<OverlayRow>[] = []
  failDumps = 0
  /** Rejects having done only half. */
  failApplies = 0
  /** Reports success and does nothing, as a delete with a wrong destination would. */
  ignoreApplies = 0

  override async dump(): Promise<OverlayRow[]> {
    await new Promise((resolve) => setTimeout(resolve, 5))
    if (this.failDumps-- > 0) throw new Error('device is gone')
    return super.dump()
  }

  override async apply(changes: Changes<OverlayRow>): Promise<void> {
    this.applied.push(changes)
    await new Promise((resolve) => setTimeout(resolve, 5))
    if (this.ignoreApplies-- > 0) return
    if (this.failApplies-- > 0) {
      await super.apply({ put: changes.put.slice(1), remove: changes.remove.slice(1) })
      throw new Error('one line failed')
    }
    await super.apply(changes)
  }
}

const sorted = (rows: readonly OverlayRow[]): OverlayRow[] =>
  [...rows].sort((a, b) => (slotOf(a) < slotOf(b) ? -1 : 1))

/** A pass under way needs its timers to come to an end. */
async function stop(reconciler: Reconciler<OverlayRow>): Promise<void> {
  const stopped = reconciler.stop()
  await vi.advanceTimersByTimeAsync(50)
  await stopped
}

describe('the difference between rows', () => {
  it('leaves alone what is right, replaces what is wrong in place, and removes what is not wanted', () => {
    const kernel = new MemoryKernel(overlayRules)
    expect(difference(kernel, [A, B], [A, B])).toEqual({ put: [], remove: [] })
    expect(difference(kernel, [A_MOVED], [A, B])).toEqual({ put: [A_MOVED], remove: [B] })
    expect(difference(kernel, [A], [{ ...A, oddity: 'port 53' }])).toEqual({ put: [A], remove: [] })
  })
})

describe('the reconciler', () => {
  let desired: OverlayRow[]
  let kernel: FaultyKernel
  let passes: Pass[]
  let reconciler: Reconciler<OverlayRow>

  const start = (options: Partial<ReconcilerOptions<OverlayRow>> = {}): void => {
    reconciler = new Reconciler({
      kernel,
      desired: () => desired,
      onPass: (pass) => passes.push(pass),
      clock: { ...nodeClock, randomUint32: () => 0 },
      ...options,
    })
  }

  beforeEach(() => {
    vi.useFakeTimers()
    desired = []
    passes = []
    kernel = new FaultyKernel(overlayRules)
    start()
  })

  afterEach(async () => {
    await stop(reconciler)
    vi.useRealTimers()
  })

  it('makes the kernel as desired when triggered', async () => {
    desired = [A, B]
    reconciler.trigger()
    expect(reconciler.settled).toBe(false)
    await vi.advanceTimersByTimeAsync(20)
    expect(kernel.rows()).toEqual([A, B])
    // It has yet to be seen.
    expect(reconciler.settled).toBe(false)
    await vi.advanceTimersByTimeAsync(100)
    expect(reconciler.settled).toBe(true)
    expect(passes).toMatchObject([{ put: 2, removed: 0 }])
  })

  it('touches nothing before the first trigger', async () => {
    kernel.tamper({ put: [A] })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(kernel.rows()).toEqual([A])
  })

  it('answers any number of triggers during a pass by one more pass', async () => {
    reconciler.trigger()
    await vi.advanceTimersByTimeAsync(1)
    for (let i = 0; i < 100; i++) {
      desired = [i % 2 === 0 ? A : A_MOVED]
      reconciler.trigger()
    }
    await vi.advanceTimersByTimeAsync(100)
    expect(kernel.rows()).toEqual([A_MOVED])
    expect(reconciler.status().passes).toBe(2)
  })

  it('notices in an audit what somebody else changed, and repairs it', async () => {
    desired = [A, B]
    start({ auditIntervalMs: 1_000 })
    reconciler.trigger()
    await vi.advanceTimersByTimeAsync(50)
    kernel.tamper({ put: [A_MOVED, { table: 'port', mac: A.mac }], remove: [B] })
    await vi.advanceTimersByTimeAsync(1_100)
    expect(sorted(kernel.rows())).toEqual([A, B])
  })

  it('does not believe in success: a command that changed nothing is tried again', async () => {
    desired = [A]
    kernel.ignoreApplies = 1
    reconciler.trigger()
    await vi.advanceTimersByTimeAsync(100)
    expect(passes).toMatchObject([{ put: 1 }, { put: 0, error: expect.any(Error) }])
    expect(reconciler.settled).toBe(false)
    await vi.advanceTimersByTimeAsync(300)
    expect(kernel.rows()).toEqual([A])
    expect(reconciler.settled).toBe(true)
  })

  it('does not believe in failure: an error about rows that are right afterwards is none', async () => {
    kernel.apply = async (changes) => {
      await MemoryKernel.prototype.apply.call(kernel, changes)
      throw new Error('no such row')
    }
    desired = [A]
    reconciler.trigger()
    await vi.advanceTimersByTimeAsync(50)
    expect(passes).toEqual([{ put: 1, removed: 0, durationMs: expect.any(Number) }])
    kernel.apply = FaultyKernel.prototype.apply
  })

  it('backs off while it fails, doubling up to the maximum, whatever triggers come', async () => {
    start({ retryMinMs: 100, retryMaxMs: 400 })
    kernel.failDumps = Number.POSITIVE_INFINITY
    const triggering = setInterval(() => reconciler.trigger(), 1)
    // Passes of 5 ms after pauses of 0, 100, 200, 400, 400 … ms.
    await vi.advanceTimersByTimeAsync(2_000)
    clearInterval(triggering)
    expect(reconciler.status().failed).toBe(7)
    kernel.failDumps = 0
    desired = [A]
    await vi.advanceTimersByTimeAsync(500)
    expect(kernel.rows()).toEqual([A])
    expect(reconciler.settled).toBe(true)
  })

  it('says why a pass failed, with what the kernel said as the cause', async () => {
    desired = [A]
    kernel.failApplies = 1
    reconciler.trigger()
    await vi.advanceTimersByTimeAsync(100)
    const { lastError, wrong } = reconciler.status()
    expect(lastError?.message).toBe('1 row is not as desired: fdb 02:42:00:00:00:01')
    expect(lastError?.cause).toEqual(new Error('one line failed'))
    expect(wrong).toEqual(['fdb 02:42:00:00:00:01'])
  })

  it('touches nothing once stopped', async () => {
    reconciler.trigger()
    await vi.advanceTimersByTimeAsync(50)
    await stop(reconciler)
    desired = [A]
    reconciler.trigger()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(kernel.rows()).toEqual([])
  })

  it('ends as desired after any sequence of changed wishes, tampering and faults', async () => {
    type Step =
      | { readonly do: 'wish'; readonly rows: readonly OverlayRow[]; readonly silently: boolean }
      | { readonly do: 'tamper'; readonly put: readonly OverlayRow[]; readonly remove: readonly OverlayRow[] }
      | {
          readonly do: 'break'
          readonly how: 'failDumps' | 'failApplies' | 'ignoreApplies'
          readonly times: number
        }
      | { readonly do: 'wait'; readonly ms: number }
    const rows = fc.uniqueArray(row, { selector: slotOf, maxLength: 12 })
    const step: fc.Arbitrary<Step> = fc.oneof(
      fc.record({ do: fc.constant('wish' as const), rows, silently: fc.boolean() }),
      fc.record({ do: fc.constant('tamper' as const), put: rows, remove: rows }),
      fc.record({
        do: fc.constant('break' as const),
        how: fc.constantFrom('failDumps' as const, 'failApplies' as const, 'ignoreApplies' as const),
        times: fc.integer({ min: 1, max: 4 }),
      }),
      fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 300 }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const kernel = new FaultyKernel(overlayRules)
        let desired: readonly OverlayRow[] = []
        const reconciler = new Reconciler({
          kernel,
          desired: () => desired,
          auditIntervalMs: 1_000,
          retryMaxMs: 1_000,
        })
        reconciler.trigger()
        for (const step of steps) {
          if (step.do === 'wait') await vi.advanceTimersByTimeAsync(step.ms)
          else if (step.do === 'tamper') kernel.tamper(step)
          else if (step.do === 'break') kernel[step.how] = step.times
          else {
            desired = step.rows.filter((row) => !('oddity' in row))
            if (!step.silently) reconciler.trigger()
          }
        }
        await vi.advanceTimersByTimeAsync(15_000)
        expect(sorted(kernel.rows())).toEqual(sorted(desired))
        expect(reconciler.settled).toBe(true)
        for (const { put, remove } of kernel.applied) {
          const slots = [...put, ...remove].map(slotOf)
          expect(new Set(slots).size).toBe(slots.length)
        }
        await stop(reconciler)
      }),
      { numRuns: 300 },
    )
  })
})
