import { expect } from 'vitest'
import type { NodeOptions } from '../../sim/index.ts'
import type { Change, Owned } from '../../src/index.ts'
import { Hosts } from './hosts.ts'

/** What host `me` shows of a key and was told of it, in the words of the table in docs/network-state.md. */
export interface Shown {
  readonly get: string
  readonly claims: string
  readonly told: string
}

/** Hosts `me`, `a`, `b` and `c`; at `me` the key `k` is watched. */
export class Scene {
  readonly hosts: Hosts
  #changes: Change<string>[] = []

  private constructor(options: NodeOptions) {
    this.hosts = new Hosts(1, options)
  }

  /** Claims are made one after the other, each in knowledge of those before. */
  static async with(claims: Readonly<Record<string, string>>, options: NodeOptions = {}): Promise<Scene> {
    const scene = new Scene(options)
    const names = ['me', 'a', 'b', 'c']
    for (const name of names) await scene.hosts.start(name)
    await scene.hosts.join(names)
    scene.#changes = scene.hosts.watch('me')
    for (const [name, value] of Object.entries(claims)) {
      scene.set(name, value)
      await scene.pass(2_000)
    }
    scene.forget()
    return scene
  }

  set(name: string, value: string): void {
    this.hosts.table(name).set('k', value)
  }

  delete(name: string): void {
    expect(this.hosts.table(name).delete('k')).toBe(true)
  }

  async pass(ms: number): Promise<void> {
    await this.hosts.sim.advance(ms)
  }

  async seen(name: string, status: string, by = 'me'): Promise<void> {
    await this.hosts.sim.until(() => this.hosts.node(by).member(name)?.status === status, 180_000)
    await this.pass(1)
  }

  /** A host stands still until it is held failed, and for so long after that. */
  async fail(name: string, afterMs = 1): Promise<void> {
    this.hosts.sim.pause(name, 120_000)
    await this.seen(name, 'failed')
    await this.pass(afterMs)
  }

  /** The host that stands still goes on. */
  async resume(name: string): Promise<void> {
    await this.seen(name, 'alive')
  }

  /** The process dies and is started anew at once; `join` says whether it takes part again. */
  async restart(name: string, options: NodeOptions = {}): Promise<void> {
    this.hosts.sim.kill(name)
    await this.hosts.start(name, options)
  }

  async rejoin(name: string): Promise<void> {
    await this.hosts.sim.settled(this.hosts.node(name).joinNetwork('blue'))
  }

  /** Cuts `me` off, until it knows, and everyone else is failed to it. */
  async cutOff(): Promise<() => void> {
    const heal = this.hosts.sim.partition(['me'], ['a', 'b', 'c'])
    await this.hosts.sim.until(() => this.hosts.node('me').isolated, 30_000)
    for (const name of ['a', 'b', 'c']) await this.seen(name, 'failed')
    return heal
  }

  forget(): void {
    this.#changes.length = 0
  }

  get shown(): Shown {
    const table = this.hosts.table('me')
    const winner = table.get('k')
    const claims = table.claims('k').map((claim) => (claim.hidden ? `(${words(claim)})` : words(claim)))
    return {
      get: winner === undefined ? '–' : words(winner),
      claims: claims.join(', ') || '–',
      told: this.#changes.map(told).join('; ') || '–',
    }
  }
}

function words({ value, owner }: Owned<string>): string {
  return `${value} of ${owner}`
}

function told(change: Change<string>): string {
  if (change.type === 'synced') return 'synced'
  if (change.type === 'delete') return `delete ${words(change.previous)}: ${change.reason}`
  return change.previous === undefined
    ? `set ${words(change)}`
    : `set ${words(change)} after ${words(change.previous)}`
}
