import { describe, expect, it } from 'vitest'
import { row, rows, Scene } from './reconciler-scene.ts'

describe('a change', () => {
  it('is applied at once and alone, without a dump, whatever else is there; a dump verifies it soon after', async () => {
    const scene = new Scene()
    await scene.settle(rows(20_000))
    await scene.time.pass(1_000)
    await scene.want([...rows(20_000).slice(1), row('r0', 2)], 6)
    expect(scene.kernel.value('r0')).toBe(2)
    expect(scene.kernel.applied).toEqual([{ put: [row('r0', 2)], remove: [] }])
    expect(scene.dumps).toBe(0)
    expect(scene.reconciler.settled).toBe(false)
    await scene.time.pass(100)
    expect(scene.dumps).toBe(1)
    expect(scene.reconciler.settled).toBe(true)
  })

  it('is applied while a stream of others keeps coming, and dumps take a fifth of the time at most', async () => {
    const scene = new Scene()
    scene.kernel.dumpMs = 100
    await scene.settle(rows(10))
    for (let value = 2; value < 200; value++) {
      await scene.want([...rows(9), row('r9', value)], 50)
      expect(scene.kernel.value('r9')).toBeGreaterThanOrEqual(value - 3)
    }
    // 10 s, a dump of 100 ms in each half second.
    expect(scene.dumps).toBeGreaterThan(15)
    expect(scene.dumps).toBeLessThanOrEqual(20)
    await scene.time.pass(1_000)
    expect(scene.reconciler.settled).toBe(true)
  })

  it('that comes while another is being applied is applied right after it', async () => {
    const scene = new Scene()
    await scene.settle([])
    await scene.want([row('a')], 2)
    await scene.want([row('a'), row('b')], 10)
    expect(scene.kernel.applied.map(({ put }) => put)).toEqual([[row('a')], [row('b')]])
  })

  it('that comes while the kernel is dumped is part of what is applied then', async () => {
    const scene = new Scene()
    await scene.want([row('a')], 10)
    await scene.want([row('b')], 20)
    expect(scene.kernel.applied).toEqual([{ put: [row('b')], remove: [] }])
  })

  it('is not lost when it comes right as a pass ends', async () => {
    for (let ms = 0; ms < 120; ms++) {
      const scene = new Scene()
      await scene.want([row('a')], ms)
      await scene.want([row('b')], 30)
      expect(scene.kernel.rows()).toEqual([row('b')])
    }
  })

  it('of many rows is applied in batches, between which newer wishes are heard', async () => {
    const scene = new Scene({ batchRows: 10 })
    await scene.settle([])
    scene.kernel.applyMs = 100
    await scene.want(rows(30), 150)
    await scene.want(rows(15), 400)
    expect(scene.kernel.applied.map(({ put, remove }) => [put.length, remove.length])).toEqual([
      [10, 0],
      [10, 0],
      [0, 5],
    ])
    expect(scene.kernel.rows()).toEqual(rows(15))
  })

  it('with two rows for one slot puts the first of them, and then rests', async () => {
    const scene = new Scene()
    await scene.want([row('a', 1), row('a', 2)], 60_000)
    expect(scene.kernel.applied).toEqual([{ put: [row('a', 1)], remove: [] }])
    await scene.want([row('a', 3), row('a', 1)], 60_000)
    expect(scene.kernel.applied.slice(1)).toEqual([{ put: [row('a', 3)], remove: [] }])
  })
})

describe('as long as it is not known what is wanted', () => {
  it('nothing is touched, not even looked at', async () => {
    const scene = new Scene()
    scene.kernel.tamper({ put: [row('left by an earlier process')] })
    await scene.want(undefined, 60_000)
    expect(scene.dumps).toBe(0)
    expect(scene.reconciler.status()).toMatchObject({ desired: undefined, actual: undefined, settled: false })
    await scene.want([row('a')], 30)
    expect(scene.kernel.rows()).toEqual([row('a')])
  })

  it('nothing is touched either if it was known before', async () => {
    const scene = new Scene()
    await scene.settle([row('a')])
    await scene.want(undefined, 10)
    scene.kernel.tamper({ put: [row('b')] })
    await scene.time.pass(60_000)
    expect(scene.kernel.applied).toEqual([])
    expect(scene.dumps).toBe(0)
  })

  it('the rows may become anything, so the kernel is looked at when it is known again', async () => {
    const scene = new Scene()
    scene.kernel.reportDrift = () => {}
    await scene.settle(rows(3))
    await scene.time.pass(1_000)
    await scene.want(undefined, 10)
    scene.kernel.tamper({ remove: rows(3) })
    await scene.want(rows(3), 40)
    expect(scene.kernel.rows()).toEqual(rows(3))
  })

  it('and it becomes so while the kernel is dumped, nothing is touched', async () => {
    const scene = new Scene()
    await scene.want([row('a')], 10)
    await scene.want(undefined, 60_000)
    expect(scene.kernel.applied).toEqual([])
  })
})
