import { describe, expect, it } from 'vitest'
import { Driver } from '../../sim/driver.ts'
import type { VirtualWorld } from '../../sim/virtual-world.ts'
import { toyGossip } from './toy-gossip.ts'
import { bytes, toy, toyWorld } from './toys.ts'

/** A small world with every kind of trouble in it. */
async function run(seed: number, meddle: (world: VirtualWorld) => void = () => {}): Promise<VirtualWorld> {
  const { world } = toyGossip(20, seed)
  const driver = new Driver(world)
  meddle(world)
  await driver.advance(1500)
  world.host('n3').crash()
  world.host('n4').pause(700, true)
  world.host('n5').pause(300, false)
  await driver.advance(1500)
  const end = world.network.partition([world.hosts.slice(0, 10), world.hosts.slice(10)])
  await driver.advance(1500)
  end()
  await driver.advance(1500)
  return world
}

describe('a world', () => {
  it('runs the same way for the same seed, and another way for another', async () => {
    const [first, again, other] = [await run(7), await run(7), await run(8)]
    expect(first.trace.lines).toBeGreaterThan(3000)
    expect(again.trace.hash).toBe(first.trace.hash)
    expect(again.events).toBe(first.events)
    expect(other.trace.hash).not.toBe(first.trace.hash)
  })

  it('does not depend on how much the real world does in between', async () => {
    const quick = await run(7)
    const busy = setInterval(() => {}, 0)
    const slow = await run(7)
    clearInterval(busy)
    expect(slow.trace.hash).toBe(quick.trace.hash)
  })

  it('keeps the draws of its purposes apart: one more draw somewhere changes nothing elsewhere', async () => {
    const plain = await run(7)
    const meddled = await run(7, (world) => {
      world.random.uint32()
      world.random.fork('workload').uint32()
      world.host('n1').random.uint32()
      world.host('n1').process!.fillRandom(new Uint8Array(100))
      // Draws for every packet, and never loses or doubles one.
      world.network.loss = 1e-12
      world.network.duplication = 1e-12
    })
    expect(meddled.trace.hash).toBe(plain.trace.hash)
  })

  it('shows one draw more of a node in the trace', async () => {
    const meddled = await run(7, (world) => world.host('n1').process!.randomUint32())
    expect(meddled.trace.hash).not.toBe((await run(7)).trace.hash)
  })

  it('shows a single other byte of a packet in the trace', async () => {
    const hashes = ['x', 'x', 'y'].map(async (content) => {
      const made = toyWorld()
      const [a, b] = [await toy(made, 'a'), await toy(made, 'b')]
      a.transport.send(b.address, bytes(content))
      await made.driver.advance(5)
      return made.world.trace.hash
    })
    const [first, same, other] = await Promise.all(hashes)
    expect(same).toBe(first)
    expect(other).not.toBe(first)
  })

  it('answers pings: all of them when nothing is wrong', async () => {
    const { world, nodes } = toyGossip(20, 3)
    await new Driver(world).advance(10_000)
    for (const node of nodes) {
      expect(node.pings).toBeGreaterThan(95)
      expect(node.acks).toBeGreaterThanOrEqual(node.pings - 1)
      expect(node.timeouts).toBe(0)
    }
  })
})

describe('Driver', () => {
  it('lets several wait at once, each until its own time', async () => {
    const { world } = toyGossip(2, 1)
    const driver = new Driver(world)
    const log: string[] = []
    const wait = async (ms: number): Promise<void> => {
      await driver.advance(ms)
      log.push(`${ms} at ${world.now}`)
    }
    await Promise.all([wait(50), wait(10), wait(30), wait(10)])
    expect(log).toEqual(['10 at 10', '10 at 10', '30 at 30', '50 at 50'])
  })

  it('lets those who waited go on, and wait anew, before time does', async () => {
    const { world } = toyGossip(2, 1)
    const driver = new Driver(world)
    const times: number[] = []
    const steps = async (): Promise<void> => {
      for (let i = 0; i < 5; i++) {
        await driver.advance(3)
        times.push(world.now)
      }
    }
    await Promise.all([steps(), driver.advance(1000)])
    expect(times).toEqual([3, 6, 9, 12, 15])
  })

  it('says whether the predicate came true in time, and passes on what it throws', async () => {
    const { world } = toyGossip(2, 1)
    const driver = new Driver(world)
    expect(await driver.until(() => world.events >= 3, 1000)).toBe(true)
    expect(world.now).toBeLessThan(1000)
    expect(await driver.until(() => false, 100)).toBe(false)
    const broken = driver.until(() => {
      throw new Error('broken')
    }, 100)
    await expect(broken).rejects.toThrow('broken')
  })

  it('lets promise chains of any length run between two events', async () => {
    const { world } = toyGossip(0, 1)
    const driver = new Driver(world)
    const runtime = world.host('a').boot()
    const times: number[] = []
    const chain = async (): Promise<void> => {
      await runtime.resolve('a')
      for (let i = 0; i < 500; i++) await undefined
      times.push(world.now)
      await runtime.resolve('a')
      times.push(world.now)
    }
    void chain()
    await driver.advance(10)
    expect(times).toEqual([1, 2])
  })

  it('fails instead of waiting for ever in a world where nothing will happen', async () => {
    const { world } = toyGossip(0, 1)
    const driver = new Driver(world)
    await expect(driver.settled(new Promise(() => {}))).rejects.toThrow('nothing will ever happen')
    await driver.advance(5)
    expect(world.now).toBe(5)
  })
})
