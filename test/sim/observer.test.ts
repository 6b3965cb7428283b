import { describe, expect, it } from 'vitest'
import { Observer } from '../../sim/observer.ts'
import { Simulation } from '../../sim/simulation.ts'
import type { Cluster } from '../../src/cluster.ts'

type Event = 'up' | 'suspect' | 'failed' | 'left'
const STATUS = { up: 'alive', suspect: 'suspect', failed: 'failed', left: 'left' } as const

/** Nodes that say of each other what the test wants. */
class Theatre {
  readonly sim = new Simulation()
  readonly observer: Observer
  readonly #lives = new Map<string, number>()
  readonly #listeners = new Map<string, (member: unknown) => void>()

  constructor(names: readonly string[]) {
    this.observer = new Observer(this.sim, names.length)
    for (const name of names) this.start(name)
    for (const one of names) for (const other of names) if (one !== other) this.say(one, 'up', other)
  }

  start(name: string): void {
    this.#lives.set(name, this.life(name) + 1)
    const cluster = {
      self: { epoch: { time: this.life(name), nonce: 0 } },
      members: () => [],
      on: (event: string, listener: (member: unknown) => void) =>
        this.#listeners.set(`${name} ${event}`, listener),
    }
    this.observer.watch(name, cluster as unknown as Cluster)
  }

  /** How often the node was started. */
  life(name: string): number {
    return this.#lives.get(name) ?? 0
  }

  say(observer: string, event: Event, subject: string, life: number = this.life(subject)): void {
    const epoch = { time: life, nonce: 0 }
    this.#listeners.get(`${observer} member-${event}`)!({
      name: subject,
      status: STATUS[event],
      epoch,
      incarnation: 0,
    })
  }

  at(ms: number): this {
    this.sim.world.now = ms
    return this
  }
}

describe('Observer', () => {
  it('measures from a crash to the first survivor who knows, and to the last', () => {
    const theatre = new Theatre(['a', 'b', 'c', 'd'])
    theatre.at(1000).observer.crashed('d')
    theatre.at(1500).say('b', 'failed', 'd')
    theatre.at(1600).say('a', 'suspect', 'd')
    expect(theatre.observer.allNoticed()).toBe(false)
    theatre.at(1700).say('a', 'failed', 'd')
    theatre.at(1900).say('c', 'failed', 'd')
    theatre.at(2500).say('c', 'failed', 'd')
    expect(theatre.observer.allNoticed()).toBe(true)
    expect(theatre.observer.detections()).toEqual({ firstMs: [500], everyoneMs: [900] })
    expect([theatre.observer.falseHealthy, theatre.observer.suspicions]).toEqual([0, 0])
  })

  it('waits for nobody who has crashed meanwhile', () => {
    const theatre = new Theatre(['a', 'b', 'c'])
    theatre.at(1000).observer.crashed('c')
    theatre.at(2000).say('a', 'failed', 'c')
    theatre.at(3000).observer.crashed('b')
    theatre.at(5000).say('a', 'failed', 'b')
    expect(theatre.observer.detections()).toEqual({ firstMs: [1000, 2000], everyoneMs: [2000, 2000] })
  })

  it('measures to when nobody takes the crashed for alive any more, whoever did so again meanwhile', () => {
    const theatre = new Theatre(['a', 'b', 'c'])
    theatre.at(1000).observer.crashed('c')
    for (const one of ['a', 'b']) theatre.at(2000).say(one, 'failed', 'c')
    theatre.at(2100).say('a', 'up', 'c')
    expect(theatre.observer.allNoticed()).toBe(false)
    theatre.at(5000).say('a', 'failed', 'c')
    theatre.at(6000).say('b', 'up', 'c', 2)
    expect(theatre.observer.detections()).toEqual({ firstMs: [1000], everyoneMs: [4000] })
  })

  it('measures to each survivor as well', () => {
    const theatre = new Theatre(['a', 'b', 'c'])
    theatre.at(1000).observer.crashed('c')
    theatre.at(1500).say('b', 'failed', 'c')
    theatre.at(1800).say('a', 'failed', 'c')
    expect(theatre.observer.pairsMs).toEqual([500, 800])
  })

  it('counts wrong verdicts by whether something was the matter with either node', () => {
    const theatre = new Theatre(['a', 'b', 'c', 'd'])
    theatre.say('a', 'suspect', 'b')
    theatre.say('a', 'failed', 'b')
    theatre.say('b', 'failed', 'c')
    theatre.observer.impair('d')
    theatre.say('a', 'failed', 'd')
    theatre.say('d', 'failed', 'a')
    theatre.observer.excuse((one, other) => one === 'c' && other === 'b')
    theatre.say('c', 'failed', 'b')
    theatre.say('c', 'suspect', 'b')
    expect(theatre.observer).toMatchObject({ falseHealthy: 2, falseAnomalous: 2, suspicions: 1 })
  })

  it('knows when everyone takes everyone for alive or suspect, and nobody else', () => {
    const theatre = new Theatre(['a', 'b', 'c'])
    expect(theatre.observer.agreed()).toBe(true)
    theatre.say('a', 'suspect', 'b')
    expect(theatre.observer.agreed()).toBe(true)
    theatre.say('a', 'failed', 'b')
    expect(theatre.observer.agreed()).toBe(false)
    expect(theatre.observer.sees('b', ['a', 'b', 'c'])).toBe(true)
    expect(theatre.observer.sees('a', ['a', 'b', 'c'])).toBe(false)
    expect(theatre.observer.sees('a', ['a', 'c'])).toBe(true)
    theatre.say('a', 'up', 'b')
    theatre.observer.crashed('c')
    expect(theatre.observer.agreed()).toBe(false)
    theatre.say('a', 'failed', 'c')
    theatre.say('b', 'left', 'c')
    expect(theatre.observer.agreed()).toBe(true)
    expect(theatre.observer.view('b', 'c')).toBe('left')
  })

  it('counts a wrong verdict once as an episode, however many observers share it', () => {
    const theatre = new Theatre(['a', 'b', 'c'])
    theatre.say('a', 'failed', 'b')
    theatre.say('c', 'failed', 'b')
    expect(theatre.observer).toMatchObject({ falseHealthy: 2, falseEpisodes: 1 })
    theatre.say('a', 'failed', 'c')
    expect(theatre.observer).toMatchObject({ falseHealthy: 3, falseEpisodes: 2 })
  })

  it('takes no verdict for wrong that is about the former life of a node that runs again', () => {
    const theatre = new Theatre(['a', 'b'])
    theatre.at(1000).observer.crashed('b')
    theatre.start('b')
    theatre.say('a', 'failed', 'b', 1)
    expect(theatre.observer.falseHealthy).toBe(0)
    theatre.say('a', 'failed', 'b', 2)
    expect(theatre.observer.falseHealthy).toBe(1)
  })

  it('waits for nobody to notice a crash when the node runs again, and measures no detection of it', () => {
    const theatre = new Theatre(['a', 'b', 'c'])
    theatre.at(1000).observer.crashed('b')
    theatre.at(1500).say('a', 'failed', 'b')
    expect(theatre.observer.allNoticed()).toBe(false)
    theatre.start('b')
    expect(theatre.observer.allNoticed()).toBe(true)
    theatre.at(9000).say('c', 'failed', 'b', 1)
    expect(theatre.observer.detections()).toEqual({ firstMs: [500], everyoneMs: [] })
  })

  it('takes it for no crash when everyone knew before that the node would go', () => {
    const theatre = new Theatre(['a', 'b', 'c'])
    for (const one of ['a', 'c']) theatre.say(one, 'left', 'b')
    theatre.observer.crashed('b')
    expect(theatre.observer.crashCount).toBe(0)
    expect(theatre.observer.allNoticed()).toBe(true)
  })

  it('knows nothing of a node that has started anew until it says so', () => {
    const theatre = new Theatre(['a', 'b'])
    theatre.observer.crashed('b')
    theatre.say('a', 'failed', 'b')
    theatre.start('b')
    theatre.say('a', 'up', 'b')
    expect(theatre.observer.agreed()).toBe(false)
    theatre.say('b', 'up', 'a')
    expect(theatre.observer.agreed()).toBe(true)
  })
})
