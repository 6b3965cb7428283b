import { describe, expect, it } from 'vitest'
import { row, rows, Scene } from './reconciler-scene.ts'

describe('a report of drift', () => {
  it('is followed by a look, which repairs what somebody else changed, deleted or added', async () => {
    const scene = new Scene()
    await scene.settle(rows(3))
    await scene.time.pass(1_000)
    scene.kernel.tamper({ put: [row('r0', 66), row('foreign')], remove: [row('r1')] })
    await scene.time.pass(80)
    expect(scene.kernel.rows().sort((a, b) => (a.slot < b.slot ? -1 : 1))).toEqual(rows(3))
    expect(scene.reconciler.status()).toMatchObject({ drift: 1, tampered: 3 })
  })

  it('comes in swarms, and one look answers them all', async () => {
    const scene = new Scene()
    await scene.settle(rows(3))
    await scene.time.pass(1_000)
    for (let i = 0; i < 40; i++) {
      scene.kernel.reportDrift()
      await scene.time.pass(1)
    }
    await scene.time.pass(500)
    expect(scene.dumps).toBe(1)
  })

  it('caused by a change of its own adds no look to the one that verifies it', async () => {
    const scene = new Scene()
    await scene.settle(rows(3))
    await scene.time.pass(1_000)
    await scene.want(rows(3, 2), 2)
    scene.kernel.reportDrift()
    await scene.time.pass(20)
    scene.kernel.reportDrift()
    await scene.time.pass(2_000)
    expect(scene.dumps).toBe(1)
    expect(scene.reconciler.settled).toBe(true)
  })

  it('caused by a long change of its own adds none either', async () => {
    const scene = new Scene()
    await scene.settle(rows(3))
    await scene.time.pass(1_000)
    scene.kernel.applyMs = 500
    await scene.want(rows(3, 2), 10)
    scene.kernel.reportDrift()
    await scene.time.pass(490 + 30)
    expect(scene.dumps).toBe(0)
    scene.kernel.reportDrift()
    await scene.time.pass(2_000)
    expect(scene.dumps).toBe(1)
  })

  it('during a look is answered by another one, since the dump may have missed the change', async () => {
    const scene = new Scene()
    await scene.settle(rows(3))
    await scene.time.pass(1_000)
    await scene.want(rows(3, 2), 5 + 50 + 10)
    expect(scene.dumps).toBe(1)
    scene.kernel.reportDrift()
    await scene.time.pass(20)
    expect(scene.reconciler.settled).toBe(false)
    await scene.time.pass(500)
    expect(scene.dumps).toBe(2)
    expect(scene.reconciler.settled).toBe(true)
  })

  it('without end costs a fifth of the time at most, and changes are applied all the same', async () => {
    const scene = new Scene()
    scene.kernel.dumpMs = 250
    await scene.settle(rows(3))
    scene.kernel.dumpedAt.length = 0
    for (let value = 0; value < 1_000; value++) {
      scene.kernel.reportDrift()
      if (value % 100 === 0) await scene.want([row('r0', value)])
      await scene.time.pass(10)
      if (value % 100 === 99) expect(scene.kernel.value('r0')).toBe(value - 99)
    }
    expect(scene.dumps).toBeGreaterThanOrEqual(6)
    expect(scene.dumps).toBeLessThanOrEqual(8)
  })

  it('before the first trigger, or after the end, moves nothing', async () => {
    const scene = new Scene()
    scene.kernel.reportDrift()
    await scene.time.pass(1_000)
    await scene.settle(rows(3))
    await scene.reconciler.stop()
    scene.kernel.tamper({ remove: rows(3) })
    await scene.time.pass(60_000)
    expect(scene.dumps).toBe(0)
    expect(scene.kernel.rows()).toEqual([])
  })
})

describe('an audit', () => {
  it('comes at least as often as asked for, and earlier by chance, so that agents do not audit together', async () => {
    const gaps = async (chance: number): Promise<number[]> => {
      const scene = new Scene()
      const clock = { ...scene.time.clock(1), randomUint32: () => chance * 2 ** 32 }
      const other = new Scene({ clock, kernel: scene.kernel, auditIntervalMs: 1_000 })
      other.desired = []
      other.reconciler.trigger()
      await scene.time.pass(5_000)
      const at = scene.kernel.dumpedAt
      return at.slice(1).map((time, index) => time - at[index]!)
    }
    for (const gap of await gaps(0)) expect(gap).toBe(1_000)
    for (const gap of await gaps(0.999_999)) expect(Math.round(gap)).toBe(750)
    expect((await gaps(0.5)).length).toBeGreaterThan(3)
  })

  it('finds what nobody reported', async () => {
    const scene = new Scene({ auditIntervalMs: 1_000 })
    await scene.settle(rows(3))
    scene.kernel.reportDrift = () => {}
    scene.kernel.tamper({ remove: rows(3) })
    await scene.time.pass(1_100)
    expect(scene.kernel.rows()).toEqual(rows(3))
  })

  it('brings everything back that was in a device that somebody removed and the kernel made anew', async () => {
    const scene = new Scene({ auditIntervalMs: 1_000 })
    await scene.settle(rows(3))
    scene.kernel.gone = true
    scene.kernel.tamper({ remove: rows(3) })
    await scene.time.pass(3_000)
    expect(scene.reconciler.status()).toMatchObject({ settled: false, actual: undefined })
    expect(scene.reconciler.status().lastError?.message).toBe('device is gone')
    scene.kernel.gone = false
    await scene.time.pass(6_000)
    expect(scene.kernel.rows()).toEqual(rows(3))
    expect(scene.reconciler.status()).toMatchObject({ settled: true, lastError: undefined })
  })
})
