import { describe, expect, it } from 'vitest'
import { Simulation } from '../../sim/index.ts'
import type { Cluster, Network } from '../../src/index.ts'

const FORGET_MS = 30_000
const OPTIONS = { forgetAfterMs: FORGET_MS, syncIntervalMs: 3_000 }
const KEYS = ['a', 'b', 'c']

/** Nodes that all take part in one network, each with entries of its own. */
class Scene {
  readonly sim: Simulation
  readonly names: readonly string[]
  readonly #networks = new Map<string, Network>()

  private constructor(seed: number, size: number) {
    this.sim = new Simulation({ seed })
    this.names = Array.from({ length: size }, (_, i) => `n${i}`)
  }

  static async begin(seed: number, size: number): Promise<Scene> {
    const scene = new Scene(seed, size)
    for (const name of scene.names) await scene.start(name)
    await scene.sim.until(() => scene.names.every((name) => scene.logs(name) === 2 * size), 30_000)
    await scene.sim.until(() => scene.names.every((name) => scene.seen(name).length === size), 30_000)
    return scene
  }

  async start(name: string): Promise<void> {
    const cluster = await this.sim.start(name, OPTIONS)
    const network = await this.sim.settled(cluster.joinNetwork('blue'))
    this.#networks.set(name, network)
    const table = network.table<string>('peers')
    for (const key of KEYS) table.set(`${key} of ${name}`, name)
  }

  cluster(name: string): Cluster {
    return this.sim.cluster(name)
  }

  /** Whose entries a node shows, all of them. */
  seen(name: string): string[] {
    const counts = new Map<string, number>()
    for (const [, { owner }] of this.#networks.get(name)!.table<string>('peers').entries()) {
      counts.set(owner, (counts.get(owner) ?? 0) + 1)
    }
    return [...counts].filter(([, count]) => count === KEYS.length).map(([owner]) => owner)
  }

  /** Whether a node holds anything of an owner, shown or hidden. */
  holds(name: string, owner: string): boolean {
    const table = this.#networks.get(name)!.table<string>('peers')
    return KEYS.some((key) => table.claims(`${key} of ${owner}`).length > 0)
  }

  logs(name: string): number {
    return this.cluster(name).metrics()['entries.logs'] ?? 0
  }

  applied(names: readonly string[]): number {
    return names.reduce((sum, name) => sum + (this.cluster(name).metrics()['entries.applied'] ?? 0), 0)
  }
}

describe.each([1, 2, 3])('an owner that failed long ago, seed %i', (seed) => {
  it('is forgotten everywhere, and syncs among those who forget at different times do not bring it back', async () => {
    const size = 5 + 3 * seed - 2
    const scene = await Scene.begin(seed, size)
    const others = scene.names.slice(1)
    scene.sim.crash('n0')
    await scene.sim.until(() => others.some((name) => !scene.holds(name, 'n0')), 2 * FORGET_MS)
    // From the first to the last one who forgets nobody learns it anew.
    const forgot = new Set<string>()
    for (let i = 0; i < 600; i++) {
      for (const name of others) {
        if (scene.holds(name, 'n0')) expect(forgot.has(name), `${name} has it back`).toBe(false)
        else forgot.add(name)
      }
      await scene.sim.advance(100)
    }
    expect(forgot.size).toBe(others.length)
    for (const name of others) {
      expect(scene.logs(name)).toBe(2 * others.length)
      expect(scene.cluster(name).member('n0')).toBeUndefined()
    }
  })

  it('is not brought back by a node that slept meanwhile and still takes it for alive', async () => {
    const scene = await Scene.begin(seed, 6)
    const [failed, sleeper, ...others] = scene.names as [string, string, ...string[]]
    scene.sim.pause(sleeper, 2 * FORGET_MS + 20_000, { wholeHost: true })
    scene.sim.crash(failed)
    await scene.sim.until(() => others.every((name) => !scene.holds(name, failed)), 2 * FORGET_MS)
    await scene.sim.until(
      () => others.every((name) => scene.cluster(name).member(failed) === undefined),
      FORGET_MS,
    )
    const before = scene.applied(others)
    let shown = 0
    for (let i = 0; i < 1_000; i++) {
      await scene.sim.advance(100)
      for (const name of others) {
        if (scene.seen(name).includes(failed) || scene.holds(name, failed)) shown++
      }
    }
    expect(shown).toBe(0)
    expect(scene.seen(sleeper)).not.toContain(failed)
    await scene.sim.until(() => others.every((name) => scene.seen(name).includes(sleeper)), 30_000)
    // The sleeper tells of itself again; it does not push what it alone still holds.
    expect(scene.applied(others) - before).toBeLessThan(20 * others.length)
    await scene.sim.until(() => !scene.holds(sleeper, failed), 2 * FORGET_MS)
  })

  it('comes back whole when it returns, forgotten or not', async () => {
    const scene = await Scene.begin(seed, 5)
    const others = scene.names.slice(1)
    scene.sim.crash('n0')
    await scene.sim.advance(seed === 1 ? 10_000 : 2 * FORGET_MS)
    await scene.start('n0')
    await scene.sim.until(() => others.every((name) => scene.seen(name).includes('n0')), 30_000)
    await scene.sim.until(() => scene.names.every((name) => scene.logs(name) === 10), 30_000)
    expect(scene.seen('n0').sort()).toEqual([...scene.names])
  })
})
