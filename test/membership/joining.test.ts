import { beforeEach, describe, expect, it } from 'vitest'
import type { SyncOutcome } from '../../src/dissemination/sync-session.ts'
import { Joining } from '../../src/membership/joining.ts'
import type { Runtime } from '../../src/runtime/runtime.ts'
import { TestClock } from '../dissemination/test-clock.ts'

const OPTIONS = { joinTimeoutMs: 5_000, healIntervalMs: 10_000 }
const SELF = '10.0.0.9:1'
const A = '10.0.0.1:1'
const B = '10.0.0.2:1'
const C = '10.0.0.3:1'
const ANSWER_MS = 5

let clock: TestClock
let joining: Joining
let contacted: string[]
let aborted: string[]
/** Who answers, and who says no; all others are silent. */
let answering: Set<string>
let refusing: Set<string>
/** How many live as far as the node knows, and where. */
let live: number
let known: Set<string>
let resolving: Promise<void> | undefined

beforeEach(() => {
  clock = new TestClock()
  contacted = []
  aborted = []
  answering = new Set()
  refusing = new Set()
  live = 1
  known = new Set()
  resolving = undefined
  const runtime: Runtime = {
    ...clock.outside(1),
    resolve: async (host) => {
      await resolving
      if (host !== 'seeds.example') throw new Error('no such host')
      return ['10.0.0.1', '10.0.0.2']
    },
  }
  joining = new Joining(runtime, OPTIONS, {
    isSelf: (address) => address === SELF,
    liveCount: () => live,
    knows: (address) => known.has(address),
    sync: (address, onEnd) => {
      contacted.push(address)
      const end = (ok: boolean): void => {
        clock.schedule(ok ? ANSWER_MS : 1, () => {
          if (ended) return
          ended = true
          const outcome: SyncOutcome = { ok, peer: undefined, common: [], error: undefined }
          onEnd(outcome)
        })
      }
      let ended = false
      if (answering.has(address)) end(true)
      if (refusing.has(address)) end(false)
      return {
        abort: () => {
          aborted.push(address)
          end(false)
        },
      }
    },
  })
})

interface Ending<T> {
  value?: T
  error?: unknown
}

/** Watches a promise, and lets time go by together with the promises that wait. */
async function ending<T>(promise: Promise<T>, ms: number): Promise<Ending<T>> {
  const seen: Ending<T> = {}
  promise.then(
    (value) => {
      seen.value = value
    },
    (error: unknown) => {
      seen.error = error
    },
  )
  await run(ms)
  return seen
}

async function run(ms: number): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve()
  const step = ms < 60_000 ? 10 : 500
  for (let done = 0; done < ms; done += step) {
    clock.run(Math.min(step, ms - done))
    for (let i = 0; i < 20; i++) await Promise.resolve()
  }
}

describe('joining', () => {
  it('tells how many answered, once all have', async () => {
    answering = new Set([A, C])
    refusing = new Set([B])
    expect(await ending(joining.join([A, B, C]), 1_000)).toEqual({ value: 2 })
    expect(contacted).toEqual([A, B, C])
    expect(clock.waiting).toBe(0)
  })

  it('asks all addresses behind a name, each once, and never itself; what cannot be resolved is passed over', async () => {
    answering = new Set([A, B])
    const seeds = ['seeds.example:1', A, SELF, 'nowhere.example:1']
    expect(await ending(joining.join(seeds), 1_000)).toEqual({ value: 2 })
    expect(contacted.sort()).toEqual([A, B])
  })

  it('of nobody but itself ends at once', async () => {
    expect(await ending(joining.join([SELF]), 0)).toEqual({ value: 0 })
    expect(await ending(joining.joinSeeds([]), 0)).toEqual({ value: undefined })
  })

  it('ends in time with those that answered until then, and drops the others', async () => {
    answering = new Set([A])
    const promise = joining.join([A, B])
    expect(await ending(promise, OPTIONS.joinTimeoutMs - 10)).toEqual({})
    expect(await ending(promise, 20)).toEqual({ value: 1 })
    expect(aborted).toEqual([B])
  })

  it('contacts the next when one has had a head start, so that a silent one does not hold the others up', async () => {
    answering = new Set([B])
    void joining.join([A, B])
    await run(0)
    expect(contacted).toEqual([A])
    await run(OPTIONS.joinTimeoutMs / 2)
    expect(contacted).toEqual([A, B])
  })

  it('of seeds does not wait for more than one, but hears the others, too', async () => {
    answering = new Set([A, B])
    expect(await ending(joining.joinSeeds([A, B, C]), 500)).toEqual({ value: 1 })
    expect(contacted).toEqual([A, B, C])
  })

  it('asks a function for seeds', async () => {
    answering = new Set([A])
    expect(
      await ending(
        joining.joinSeeds(() => [A]),
        100,
      ),
    ).toEqual({ value: 1 })
    expect(
      await ending(
        joining.joinSeeds(async () => [A]),
        100,
      ),
    ).toEqual({ value: 1 })
  })
})

describe('joining is given up', () => {
  it('when its signal says so, with the reason of that', async () => {
    const controller = new AbortController()
    const promise = joining.join([A, B], controller.signal)
    expect(await ending(promise, 1_000)).toEqual({})
    controller.abort('enough')
    expect(await ending(promise, 0)).toEqual({ error: 'enough' })
    expect(aborted).toEqual([A, B])
    await run(10)
    expect(clock.waiting).toBe(0)
    expect(await ending(joining.join([A], controller.signal), 0)).toEqual({ error: 'enough' })
    expect(contacted).toHaveLength(2)
  })

  it('when the node closes', async () => {
    const promise = joining.join([A])
    await run(0)
    joining.stop()
    expect((await ending(promise, 0)).error).toMatchObject({ code: 'ERR_CLOSED' })
    expect(aborted).toEqual([A])
  })

  it('when the node closes while names are still resolved', async () => {
    let resolved: () => void = () => {}
    resolving = new Promise((resolve) => {
      resolved = resolve
    })
    const promise = joining.join(['seeds.example:1'])
    await run(0)
    joining.stop()
    resolved()
    expect((await ending(promise, 0)).error).toMatchObject({ code: 'ERR_CLOSED' })
    expect(contacted).toEqual([])
  })
})

describe('in the background', () => {
  it('all seeds are tried again while the node is alone, at intervals that back off', async () => {
    joining.start([A, B])
    await run(20 * 60_000)
    const early = contacted.length
    expect(new Set(contacted)).toEqual(new Set([A, B]))
    expect(early / 2).toBeGreaterThan(60)
    expect(early / 2).toBeLessThan(120)
    await run(5 * 3_600_000)
    const before = contacted.length
    await run(3_600_000)
    expect((contacted.length - before) / 2).toBeGreaterThan(25)
    expect((contacted.length - before) / 2).toBeLessThan(35)
  })

  it('one seed where nobody is known to live is tried again when it is not, by all nodes together as often', async () => {
    live = 4
    known = new Set([A])
    joining.start([A, B, SELF])
    await run(20 * 60_000)
    expect(new Set(contacted)).toEqual(new Set([B]))
    expect(contacted.length).toBeGreaterThan(20)
    expect(contacted.length).toBeLessThan(35)
  })

  it('a seed that is known to live costs nothing', async () => {
    live = 3
    known = new Set([A, B])
    joining.start([A, B, SELF])
    await run(3_600_000)
    expect(contacted).toEqual([])
  })

  it('no node of many waits for its turn for ever: it may be the only one that has seeds', async () => {
    live = 10_000
    joining.start([A])
    await run(130 * OPTIONS.healIntervalMs)
    expect(contacted).toEqual([A])
  })

  it('seeds are tried as often as at first again when a member was lost', async () => {
    live = 2
    joining.start([A])
    await run(6 * 3_600_000)
    contacted = []
    await run(600_000)
    expect(contacted.length).toBeLessThan(6)
    joining.lost()
    contacted = []
    await run(600_000)
    expect(contacted.length).toBeGreaterThan(20)
  })

  it('a function is asked anew at every try, and may fail', async () => {
    let asked = 0
    joining.start(() => {
      asked++
      throw new Error('the registry is down')
    })
    await run(5 * 1.25 * OPTIONS.healIntervalMs)
    expect(asked).toBeGreaterThanOrEqual(5)
  })

  it('nothing is tried once stopped, nor without seeds', async () => {
    joining.start([])
    expect(clock.waiting).toBe(0)
    joining.start([A])
    joining.stop()
    await run(10 * OPTIONS.healIntervalMs)
    expect(contacted).toEqual([])
    expect(clock.waiting).toBe(0)
  })
})
