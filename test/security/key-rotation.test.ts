import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { type NodeOptions, Simulation } from '../../sim/simulation.ts'
import type { Cluster } from '../../src/cluster.ts'

const OLD = new Uint8Array(32).fill(1)
const NEW = new Uint8Array(32).fill(2)
const OTHER = new Uint8Array(32).fill(3)
const OPTIONS: NodeOptions = { keys: [OLD] }

class World {
  readonly sim: Simulation
  readonly nodes = new Map<string, Cluster>()
  readonly warnings: string[] = []
  /** What the last `keyring` event of each node said. */
  readonly keys = new Map<string, readonly Uint8Array[]>()

  constructor(seed = 1, loss = 0) {
    this.sim = new Simulation({ seed, network: { loss } })
  }

  async start(name: string, options: NodeOptions = OPTIONS): Promise<Cluster> {
    const node = await this.sim.start(name, options)
    this.nodes.set(name, node)
    this.keys.set(name, options.keys as Uint8Array[])
    node.on('keyring', (keys) => this.keys.set(name, keys))
    node.on('warning', ({ code, message }) => this.warnings.push(`${code} ${message}`))
    return node
  }

  async cluster(size: number): Promise<Cluster[]> {
    const nodes: Cluster[] = []
    for (let i = 0; i < size; i++) nodes.push(await this.start(`n${i}`))
    await this.sim.until(() => nodes.every((node) => live(node).length === size), 60_000)
    await this.sim.advance(2_000)
    return nodes
  }

  crash(name: string): void {
    this.sim.crash(name)
    this.nodes.delete(name)
  }

  /** Waits until all nodes that run hold one and the same key. */
  async agreed(key: Uint8Array, withinMs = 30_000): Promise<void> {
    await this.sim.until(() => {
      for (const [name, node] of this.nodes) {
        const { 'keys.held': held, 'keys.stage': stage } = node.metrics()
        const [primary] = this.keys.get(name)!
        if (held !== 1 || stage !== 0 || primary === undefined || !equal(primary, key)) return false
      }
      return true
    }, withinMs)
  }

  sum(metric: string): number {
    let sum = 0
    for (const node of this.nodes.values()) sum += node.metrics()[metric] ?? 0
    return sum
  }

  /** Packets and streams that were dropped for the sake of keys. */
  get lost(): number {
    return ['unknown-key', 'forged', 'stream-unknown-key', 'stream-forged']
      .map((cause) => this.sum(`dropped.${cause}`))
      .reduce((a, b) => a + b)
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

function live(node: Cluster): string[] {
  return node
    .members()
    .filter(({ status }) => status === 'alive')
    .map(({ name }) => name)
}

describe('a rotation of keys', () => {
  it('under load loses no packet: every probe is answered and every entry arrives', async () => {
    const world = new World(3)
    const nodes = await world.cluster(20)
    const tables = await Promise.all(
      nodes.map(async (node) => (await world.sim.settled(node.joinNetwork('blue'))).table<number>('t')),
    )
    await world.sim.advance(3_000)
    const failedBefore = world.sum('probe.failed')
    const rotation = nodes[7]!.rotateKey(NEW)
    for (let round = 0; round < 40; round++) {
      for (const [i, table] of tables.entries()) table.set(`k${i}`, round)
      await world.sim.advance(50)
    }
    await world.sim.settled(rotation)
    await world.agreed(NEW)
    await world.sim.until(
      () => tables.every((t) => nodes.every((_, i) => t.get(`k${i}`)?.value === 39)),
      5_000,
    )
    await world.sim.advance(40_000)
    expect(world.lost).toBe(0)
    expect(world.sum('probe.failed')).toBe(failedBefore)
    expect(world.warnings).toEqual([])
    expect(world.sim.faults).toEqual([])
    for (const node of nodes) expect(node.metrics()['keys.rotations']).toBe(1)
  })

  it('with losses on the way is done all the same, and drops nothing for the sake of keys', async () => {
    const world = new World(4, 0.15)
    const nodes = await world.cluster(12)
    await world.sim.settled(nodes[0]!.rotateKey(NEW))
    await world.agreed(NEW)
    expect(world.lost).toBe(0)
  })

  it('resolves at once where nobody else is, and tells the keys in order, the one that seals first', async () => {
    const world = new World()
    const node = await world.start('a')
    const told: (readonly Uint8Array[])[] = []
    node.on('keyring', (keys) => told.push(keys))
    await world.sim.settled(node.rotateKey(NEW))
    await world.sim.advance(1)
    expect(told).toEqual([[OLD, NEW], [NEW, OLD], [NEW]])
  })

  it('goes on when whoever began it is gone', async () => {
    const world = new World()
    const nodes = await world.cluster(6)
    nodes[0]!.rotateKey(NEW).catch(() => {})
    await world.sim.until(() => nodes.slice(1).some((node) => node.metrics()['keys.held'] === 2), 5_000)
    world.crash('n0')
    await world.agreed(NEW)
  })

  it('of two at once both take their turn, and the one of the higher id stays', async () => {
    for (const seed of [1, 2, 3]) {
      const world = new World(seed)
      const nodes = await world.cluster(8)
      const outcomes = Promise.all([nodes[1]!.rotateKey(NEW), nodes[6]!.rotateKey(OTHER)])
      await world.sim.settled(outcomes)
      await world.sim.until(
        () => [...world.nodes.values()].every((n) => n.metrics()['keys.stage'] === 0),
        20_000,
      )
      await world.sim.advance(5_000)
      const [last] = world.keys.get('n0')!
      await world.agreed(last!)
      expect([NEW, OTHER]).toContainEqual(last)
      expect(world.lost).toBe(0)
    }
  })

  it('follows upon another one, back to an old key, too', async () => {
    const world = new World()
    const [a] = await world.cluster(4)
    for (const key of [NEW, OTHER, OLD]) {
      await world.sim.settled(a!.rotateKey(key))
      await world.agreed(key)
    }
    await world.sim.advance(60_000)
    expect(world.lost).toBe(0)
  })

  it('of the key that all seal with already changes nothing for others', async () => {
    const world = new World()
    const [a] = await world.cluster(3)
    await world.sim.settled(a!.rotateKey(OLD))
    await world.agreed(OLD)
    await world.sim.settled(a!.rotateKey(OLD))
  })

  it('waits for a member that is silent for a while, and names it', async () => {
    const world = new World()
    const nodes = await world.cluster(5)
    world.sim.pause('n3', 1_500, { wholeHost: true })
    const blocked = nodes[0]!.rotateKey(NEW, { timeoutMs: 1_000 })
    await expect(world.sim.settled(blocked)).rejects.toMatchObject({
      code: 'ERR_ROTATION_BLOCKED',
      message: expect.stringContaining('n3'),
    })
    await world.agreed(NEW)
    expect(world.lost).toBe(0)
  })

  it('does not wait for a member that is held failed', async () => {
    const world = new World()
    const nodes = await world.cluster(5)
    world.crash('n3')
    await world.sim.settled(nodes[0]!.rotateKey(NEW))
    await world.agreed(NEW)
    expect(nodes[0]!.member('n3')?.status).toBe('failed')
  })

  it('stops where half of the members are missing, and ends well when they are back', async () => {
    const world = new World()
    const nodes = await world.cluster(6)
    const [minority, majority] = [
      ['n0', 'n1', 'n2'],
      ['n3', 'n4', 'n5'],
    ]
    const end = world.sim.partition(minority, majority)
    await world.sim.until(() => live(nodes[0]!).length === 3 && live(nodes[5]!).length === 3, 30_000)
    const blocked = nodes[0]!.rotateKey(NEW, { timeoutMs: 10_000 })
    await expect(world.sim.settled(blocked)).rejects.toMatchObject({ message: expect.stringContaining('n4') })
    expect(world.keys.get('n0')).toEqual([OLD, NEW])
    end()
    await world.agreed(NEW, 120_000)
  })

  it('reaches whoever joins with the old key while it is under way', async () => {
    const world = new World()
    const nodes = await world.cluster(5)
    // Holds it up until the newcomer is there.
    world.sim.pause('n4', 2_000)
    void nodes[0]!.rotateKey(NEW)
    await world.sim.advance(200)
    await world.start('late')
    await world.agreed(NEW)
    expect(live(nodes[0]!)).toContain('late')
  })

  it('loses no packet to or from those who join with the old key at any moment of it', async () => {
    for (const seed of [1, 2, 3, 4]) {
      const world = new World(seed, seed % 2 === 0 ? 0.1 : 0)
      const nodes = await world.cluster(8)
      void nodes[seed]!.rotateKey(NEW)
      const joining: Promise<Cluster>[] = []
      for (let i = 0; i < 6; i++) {
        await world.sim.advance(seed * 25)
        joining.push(world.start(`late${i}`))
      }
      await world.sim.settled(Promise.all(joining))
      await world.agreed(NEW)
      await world.sim.advance(40_000)
      expect([world.lost, world.nodes.size]).toEqual([0, 14])
    }
  })

  it('takes each node fewer than eight streams: only those are told who seem to lack what is new', async () => {
    const world = new World(9)
    const nodes = await world.cluster(40)
    const before = world.sum('sync.started')
    await world.sim.settled(nodes[0]!.rotateKey(NEW))
    await world.agreed(NEW)
    expect((world.sum('sync.started') - before) / nodes.length).toBeLessThan(8)
  })

  it('reaches whoever restarts with the old key, as long as that is on the ring', async () => {
    const world = new World()
    const nodes = await world.cluster(5)
    world.sim.pause('n4', 2_500)
    void nodes[0]!.rotateKey(NEW)
    await world.sim.advance(500)
    world.sim.kill('n2')
    await world.start('n2')
    await world.agreed(NEW)
    await world.sim.until(() => live(nodes[0]!).length === 5, 10_000)
  })

  it('lets in whoever starts with several keys of which only a later one is still in use', async () => {
    const world = new World()
    const nodes = await world.cluster(4)
    await world.sim.settled(nodes[0]!.rotateKey(NEW))
    await world.sim.advance(60_000)
    await world.start('n9', { keys: [OLD, NEW] })
    await world.agreed(NEW)
    await world.sim.until(() => live(nodes[0]!).length === 5, 10_000)
  })

  it('that a member was away for is said of it, by both sides', async () => {
    const world = new World()
    const nodes = await world.cluster(5)
    const end = world.sim.partition(['n4'], ['n0', 'n1', 'n2', 'n3'])
    await world.sim.until(() => live(nodes[0]!).length === 4, 30_000)
    await world.sim.settled(nodes[0]!.rotateKey(NEW))
    await world.sim.advance(40_000)
    expect(world.warnings.filter((text) => text.startsWith('WARN_KEY_UNKNOWN'))).toEqual([])
    end()
    await world.sim.advance(30_000)
    const told = world.warnings.filter((text) => text.startsWith('WARN_KEY_UNKNOWN'))
    expect(told.some((text) => text.includes("'n4'"))).toBe(true)
    expect(told.some((text) => text.includes("'n0'"))).toBe(true)
    world.warnings.length = 0
    world.sim.kill('n4')
    await world.start('n4')
    await world.sim.advance(1)
    expect(world.warnings.some((text) => text.includes('missed a rotation'))).toBe(true)
    world.sim.kill('n4')
    await world.start('n4', { keys: [NEW] })
    await world.sim.until(() => live(nodes[0]!).length === 5, 30_000)
  })
})

describe('what a caller of rotateKey is told', () => {
  it('a key of another form is refused, and nothing changes', async () => {
    const world = new World()
    const [a] = await world.cluster(2)
    await expect(a!.rotateKey('short')).rejects.toMatchObject({ code: 'ERR_KEY_INVALID' })
    await expect(a!.rotateKey(new Uint8Array(32))).rejects.toMatchObject({ code: 'ERR_KEY_INVALID' })
    expect(a!.metrics()['keys.held']).toBe(1)
  })

  it('where there are no keys, none can be rotated', async () => {
    const sim = new Simulation()
    const node = await sim.start('a')
    await expect(node.rotateKey(NEW)).rejects.toMatchObject({ code: 'ERR_INSECURE' })
  })

  it('the reason of its signal, while the rotation goes on', async () => {
    const world = new World()
    const [a] = await world.cluster(3)
    const abort = new AbortController()
    const rotation = a!.rotateKey(NEW, { signal: abort.signal })
    abort.abort(new Error('enough'))
    await expect(world.sim.settled(rotation)).rejects.toThrow('enough')
    await world.agreed(NEW)
    await expect(a!.rotateKey(OTHER, { signal: abort.signal })).rejects.toThrow('enough')
  })

  it('that the node was closed', async () => {
    const world = new World()
    const [a] = await world.cluster(3)
    const rotation = a!.rotateKey(NEW)
    const told = expect(world.sim.settled(rotation)).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    void a!.close()
    await told
    await expect(a!.rotateKey(NEW)).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  })

  it('nothing that holds bytes of a key, wherever one looks', async () => {
    const key = Uint8Array.from({ length: 32 }, (_, i) => 200 + i)
    const world = new World()
    const [a] = await world.cluster(3)
    await world.sim.settled(a!.rotateKey(key))
    const shown = [
      inspect(a, { depth: 12, showHidden: true }),
      JSON.stringify(a),
      JSON.stringify(a!.metrics()),
    ]
    for (const text of shown) expect(text?.replace(/\s+/g, '') ?? '').not.toContain('200,201,202,203')
  })
})
