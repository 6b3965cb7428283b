import { describe, expect, it } from 'vitest'
import { row, rows, Scene } from './reconciler-scene.ts'

describe('a row that does not take', () => {
  it('keeps no other row waiting', async () => {
    const scene = new Scene()
    scene.kernel.refused.add('bad')
    await scene.want([row('bad')], 20_000)
    for (let value = 1; value < 20; value++) {
      await scene.want([row('bad'), row('good', value)], 40)
      expect(scene.kernel.value('good')).toBe(value)
      await scene.time.pass(777)
    }
  })

  it.each([
    ['that says so', false],
    ['that reports success', true],
  ])('is tried again after pauses that double up to the maximum, in a kernel %s', async (_, silent) => {
    const scene = new Scene({ retryMinMs: 100, retryMaxMs: 1_000, auditIntervalMs: 100_000 })
    scene.kernel.refused.add('bad')
    scene.kernel.silent = silent
    const triedAt: number[] = []
    const apply = scene.kernel.apply.bind(scene.kernel)
    scene.kernel.apply = (changes) => {
      triedAt.push(scene.time.now)
      return apply(changes)
    }
    await scene.want([row('bad')], 8_000)
    const gaps = triedAt.slice(1).map((at, index) => at - triedAt[index]!)
    expect(gaps.length).toBeGreaterThan(6)
    for (const [index, gap] of gaps.entries()) {
      const pauseMs = Math.min(100 * 2 ** index, 1_000)
      // Between two tries there is a look, which may have to wait for its share of the time.
      expect(gap).toBeGreaterThanOrEqual(pauseMs)
      expect(gap).toBeLessThan(pauseMs + 200)
    }
  })

  it('is no less stubborn for what else is applied in between', async () => {
    const scene = new Scene({ retryMinMs: 100, retryMaxMs: 100_000 })
    scene.kernel.refused.add('bad')
    scene.kernel.silent = true
    for (let value = 0; value < 300; value++) await scene.want([row('bad'), row('good', value)], 20)
    const tries = scene.kernel.applied.filter(({ put }) => put.some(({ slot }) => slot === 'bad'))
    // After about 0, 100, 300, 700, 1,500 and 3,100 ms, and what it takes to see them fail.
    expect(tries.length).toBeGreaterThan(3)
    expect(tries.length).toBeLessThan(7)
    // Nobody else has changed anything.
    expect(scene.reconciler.status().tampered).toBe(0)
  })

  it('starts afresh when something else is wanted in its place', async () => {
    const scene = new Scene({ retryMinMs: 1_000, retryMaxMs: 60_000 })
    scene.kernel.refused.add('bad')
    await scene.want([row('bad')], 30_000)
    scene.kernel.refused.clear()
    await scene.want([row('bad', 2)], 40)
    expect(scene.kernel.value('bad')).toBe(2)
  })

  it('starts afresh also when it is wanted no more and then again', async () => {
    const scene = new Scene({ retryMinMs: 1_000, retryMaxMs: 60_000 })
    scene.kernel.refused.add('bad')
    await scene.want([row('bad')], 30_000)
    await scene.want([], 100)
    expect(scene.reconciler.status()).toMatchObject({ settled: true, stubborn: 0 })
    scene.kernel.refused.clear()
    await scene.want([row('bad')], 40)
    expect(scene.kernel.value('bad')).toBe(1)
  })

  it('is named in the status, the first twenty of them, with what the kernel said', async () => {
    const scene = new Scene()
    for (const { slot } of rows(30)) scene.kernel.refused.add(slot)
    await scene.want([...rows(30), row('good')], 300)
    const { wrong, stubborn, lastError, settled } = scene.reconciler.status()
    expect(wrong).toEqual(rows(20).map(({ slot }) => slot))
    expect({ stubborn, settled }).toEqual({ stubborn: 30, settled: false })
    expect(lastError?.message).toBe('30 rows are not as desired: r0, r1, r2')
    expect(lastError?.cause).toEqual(new Error('some lines failed'))
    scene.kernel.refused.clear()
    await scene.time.pass(2_000)
    expect(scene.reconciler.status()).toMatchObject({ stubborn: 0, wrong: [], settled: true })
    expect(scene.reconciler.status().lastError).toBeUndefined()
  })

  it('that is to go and does not is tried again as well', async () => {
    const scene = new Scene()
    await scene.settle([row('bad'), row('good')])
    scene.kernel.refused.add('bad')
    await scene.want([row('good')], 300)
    expect(scene.reconciler.status().wrong).toEqual(['bad'])
    scene.kernel.refused.clear()
    await scene.time.pass(1_000)
    expect(scene.kernel.rows()).toEqual([row('good')])
  })
})

describe('after an error of a batch', () => {
  it('nothing is believed: the next thing is a dump', async () => {
    const scene = new Scene()
    await scene.settle(rows(3))
    await scene.time.pass(1_000)
    scene.kernel.gone = true
    await scene.want(rows(3, 2), 6)
    // All of it is gone, not only what was applied.
    scene.kernel.gone = false
    await scene.kernel.remove()
    await scene.want(rows(4, 2), 25)
    expect(scene.dumps).toBe(1)
    expect(scene.kernel.applied.at(-1)?.put).toContainEqual(row('r3', 2))
    await scene.time.pass(1_000)
    expect(scene.kernel.rows()).toEqual(expect.arrayContaining(rows(4, 2)))
  })

  it('nothing is applied before that dump, even if it has to wait for its share of the time', async () => {
    const scene = new Scene()
    scene.kernel.dumpMs = 100
    await scene.settle(rows(3))
    scene.kernel.gone = true
    await scene.want(rows(3, 2), 6)
    scene.kernel.gone = false
    await scene.want(rows(3, 3), 100)
    expect(scene.dumps).toBe(0)
    expect(scene.kernel.applied).toHaveLength(1)
    await scene.time.pass(1_000)
    expect(scene.kernel.rows()).toEqual(rows(3, 3))
  })
})

describe('when the kernel cannot be read', () => {
  it('everything waits for the retry, and the first that succeeds does all that was asked for', async () => {
    const scene = new Scene({ retryMinMs: 100, retryMaxMs: 400 })
    scene.kernel.gone = true
    for (let i = 0; i < 2_000; i++) await scene.want(rows(i % 7), 1)
    // Dumps of 20 ms after pauses of 100, 200, 400, 400 … ms.
    expect(scene.dumps).toBe(6)
    expect(scene.kernel.applied).toEqual([])
    scene.kernel.gone = false
    await scene.time.pass(500)
    expect(scene.kernel.rows()).toEqual(rows(1_999 % 7))
  })
})

describe('an agent whose own code throws', () => {
  it('when asked what is desired is asked again, later and later', async () => {
    const scene = new Scene({ retryMinMs: 100, retryMaxMs: 400 })
    await scene.settle(rows(3))
    const fault = new Error('closed')
    let asked = 0
    Object.defineProperty(scene, 'desired', {
      get: () => {
        asked++
        throw fault
      },
    })
    scene.reconciler.trigger()
    await scene.time.pass(2_000)
    expect(asked).toBeLessThan(10)
    expect(scene.reconciler.status().lastError).toBe(fault)
    Object.defineProperty(scene, 'desired', { value: rows(4) })
    await scene.time.pass(1_000)
    expect(scene.kernel.rows()).toEqual(rows(4))
  })

  it('when told of a pass stops nothing', async () => {
    const scene = new Scene({
      onPass: () => {
        throw new Error('the log is full')
      },
    })
    await scene.want(rows(3), 25)
    expect(scene.reconciler.status().lastError?.message).toBe('the log is full')
    await scene.want(rows(4), 500)
    expect(scene.kernel.rows()).toEqual(rows(4))
  })
})

describe('waiting until it has settled', () => {
  it('ends when a look has shown the kernel as desired', async () => {
    const scene = new Scene()
    await scene.want(rows(3), 0)
    let isOver = false
    const waiting = scene.reconciler.whenSettled().then(() => {
      isOver = true
    })
    await scene.time.pass(30)
    expect(scene.kernel.rows()).toEqual(rows(3))
    expect(isOver).toBe(false)
    await scene.time.pass(200)
    await waiting
    await scene.reconciler.whenSettled()
    expect(scene.reconciler.settled).toBe(true)
  })

  it('can be given up, for the reason of the signal', async () => {
    const scene = new Scene()
    await expect(scene.reconciler.whenSettled({ signal: AbortSignal.abort('enough') })).rejects.toBe('enough')
    const giveUp = new AbortController()
    const waiting = scene.reconciler.whenSettled({ signal: giveUp.signal })
    giveUp.abort('too late')
    await expect(waiting).rejects.toBe('too late')
  })

  it('ends with ERR_CLOSED when it is stopped', async () => {
    const scene = new Scene()
    const waiting = scene.reconciler.whenSettled()
    await scene.reconciler.stop()
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    await expect(scene.reconciler.whenSettled()).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  })
})

describe('stopping', () => {
  it('waits for what is under way, and begins nothing more', async () => {
    const scene = new Scene()
    await scene.want(rows(3), 10)
    let isOver = false
    void scene.reconciler.stop().then(() => {
      isOver = true
    })
    await scene.time.pass(5)
    expect(isOver).toBe(false)
    await scene.time.pass(60_000)
    expect(isOver).toBe(true)
    expect(scene.dumps).toBe(1)
    expect(scene.kernel.applied).toEqual([])
  })
})

describe('the status', () => {
  it('says how long ago the kernel was seen, how long that took, and for how long a pass has been running', async () => {
    const scene = new Scene()
    expect(scene.reconciler.status()).toMatchObject({ sinceLookMs: undefined, runningMs: undefined })
    await scene.want(rows(3), 7)
    expect(scene.reconciler.status()).toMatchObject({ sinceLookMs: undefined, runningMs: 7, looks: 1 })
    await scene.time.pass(193)
    expect(scene.reconciler.status()).toMatchObject({
      settled: true,
      desired: 3,
      actual: 3,
      looks: 2,
      passes: 2,
      put: 3,
      removed: 0,
      failed: 0,
      lastLookMs: 20,
      runningMs: undefined,
    })
    expect(scene.reconciler.status().sinceLookMs).toBeGreaterThan(50)
  })
})
