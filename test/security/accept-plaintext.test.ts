import { describe, expect, it } from 'vitest'
import { type NodeOptions, Simulation } from '../../sim/simulation.ts'
import type { Cluster } from '../../src/cluster.ts'
import { resolveOptions } from '../../src/options.ts'
import { PacketKind } from '../../src/security/packet-codec.ts'

const KEY = new Uint8Array(32).fill(1)
const NAMES = ['a', 'b', 'c', 'd', 'e']

const PLAIN: NodeOptions = {}
const BOTH: NodeOptions = { keys: [KEY], acceptPlaintext: true }
const SEALED: NodeOptions = { keys: [KEY] }

class World {
  readonly sim = new Simulation({ seed: 5 })
  readonly nodes = new Map<string, Cluster>()
  /** Packets that arrived, by kind. */
  readonly kinds: Record<number, number> = {}

  constructor() {
    this.sim.world.tap = (_, bytes) => {
      const kind = bytes[1]!
      if (bytes.length > 6 && bytes[0] === 1) this.kinds[kind] = (this.kinds[kind] ?? 0) + 1
    }
  }

  async start(name: string, options: NodeOptions): Promise<void> {
    if (this.nodes.has(name)) this.sim.kill(name)
    this.nodes.delete(name)
    const seeds = NAMES.filter((other) => other !== name).map((other) => this.sim.address(other))
    const node = await this.sim.start(name, { ...options, seeds })
    this.nodes.set(name, node)
    const network = await this.sim.settled(node.joinNetwork('blue'))
    network.table<string>('t').set(name, name)
  }

  /** What came to nodes that could not open it. */
  get misunderstood(): number {
    let sum = 0
    for (const node of this.nodes.values()) {
      const {
        'dropped.sealed': sealed,
        'dropped.plaintext': plain,
        'dropped.stream-sealed': stream,
      } = node.metrics()
      sum += sealed! + plain! + stream!
    }
    return sum
  }

  /** Whether everyone holds everyone alive, and has everyone's entry. */
  get whole(): boolean {
    return [...this.nodes.values()].every((node) => {
      const alive = node.members().filter(({ status }) => status === 'alive')
      const table = node.network('blue').table<string>('t')
      return alive.length === this.nodes.size && NAMES.every((name) => table.get(name)?.value === name)
    })
  }
}

describe('the way from no keys to keys', () => {
  it('is two rolling restarts, at every step of which the cluster is whole; in the end nothing is plain', async () => {
    const world = new World()
    for (const name of NAMES) await world.start(name, PLAIN)
    await world.sim.until(() => world.whole, 20_000)
    for (const options of [BOTH, SEALED]) {
      for (const name of NAMES) {
        await world.start(name, options)
        await world.sim.until(() => world.whole, 20_000)
        const failed: string[] = []
        for (const node of world.nodes.values())
          node.on('member-failed', (member) => failed.push(member.name))
        await world.sim.advance(1_000)
        const before = world.misunderstood
        await world.sim.advance(10_000)
        expect([world.whole, failed, world.misunderstood - before]).toEqual([true, [], 0])
      }
    }
    await world.sim.advance(5_000)
    world.kinds[PacketKind.plain] = 0
    world.kinds[PacketKind.sealed] = 0
    await world.sim.advance(20_000)
    expect(world.kinds[PacketKind.plain]).toBe(0)
    expect(world.kinds[PacketKind.sealed]).toBeGreaterThan(100)
    expect(world.sim.faults).toEqual([])
  }, 60_000)

  it('speaks sealed between those that hold keys as soon as there are two of them', async () => {
    const world = new World()
    for (const name of ['a', 'b']) await world.start(name, BOTH)
    await world.sim.advance(10_000)
    world.kinds[PacketKind.plain] = 0
    await world.sim.advance(20_000)
    expect(world.kinds[PacketKind.plain]).toBe(0)
  })

  it('sends no key in the clear: a rotation waits for members without keys, and names them', async () => {
    const world = new World()
    await world.start('a', PLAIN)
    for (const name of ['b', 'c']) await world.start(name, BOTH)
    await world.sim.advance(10_000)
    const rotation = world.nodes.get('b')!.rotateKey(new Uint8Array(32).fill(2), { timeoutMs: 20_000 })
    await expect(world.sim.settled(rotation)).rejects.toMatchObject({
      code: 'ERR_ROTATION_BLOCKED',
      message: expect.stringContaining('for a;'),
    })
    expect(world.nodes.get('c')!.metrics()['keys.held']).toBe(2)
    expect(world.nodes.get('a')!.metrics()['keys.held']).toBe(0)
  })

  it('does not wear the nodes out while a rotation waits for members without keys, and lets it go on once they have some', async () => {
    const world = new World()
    for (const name of ['a', 'b']) await world.start(name, PLAIN)
    for (const name of ['c', 'd', 'e']) await world.start(name, BOTH)
    await world.sim.until(() => world.whole, 20_000)
    const syncs = async (): Promise<number> => {
      const started = (): number =>
        [...world.nodes.values()].reduce((sum, node) => sum + node.metrics()['sync.started']!, 0)
      await world.sim.advance(10_000)
      const before = started()
      await world.sim.advance(60_000)
      return started() - before
    }
    const atRest = await syncs()
    const rotation = world.nodes.get('c')!.rotateKey(new Uint8Array(32).fill(2), { timeoutMs: 1_000 })
    await expect(world.sim.settled(rotation)).rejects.toMatchObject({ code: 'ERR_ROTATION_BLOCKED' })
    expect(await syncs()).toBeLessThanOrEqual(atRest + world.nodes.size)
    for (const name of ['a', 'b']) await world.start(name, BOTH)
    await world.sim.until(
      () => [...world.nodes.values()].every((node) => node.metrics()['keys.rotations'] === 1),
      20_000,
    )
  })

  it('is closed to those that do not say so: plaintext against keys is dropped', async () => {
    const world = new World()
    await world.start('a', SEALED)
    await world.start('b', PLAIN)
    await world.sim.advance(10_000)
    expect(world.nodes.get('a')!.members()).toHaveLength(1)
    expect(world.nodes.get('b')!.members()).toHaveLength(1)
  })

  it('is for nodes with keys only', () => {
    const options = { name: 'a', insecure: true, acceptPlaintext: true }
    expect(() => resolveOptions(options)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }))
  })
})
