import { describe, expect, it } from 'vitest'
import { FloatingAddress } from '../../examples/virtual-time/floating-address.ts'
import { Simulation } from '../../sim/index.ts'

const HOSTS = ['a', 'b', 'c']

/** Three hosts that can carry 10.0.0.100, `a` rather than `b` rather than `c`; and a diary of who carried it. */
class Rack {
  readonly sim: Simulation
  readonly diary: string[] = []
  readonly #carrying = new Set<string>()

  constructor(seed: number) {
    this.sim = new Simulation({ seed })
  }

  async start(host: string): Promise<FloatingAddress> {
    const cluster = await this.sim.start(host)
    const note = (what: string): number => this.diary.push(`${this.sim.now} ${host} ${what}`)
    const keeper = FloatingAddress.start(cluster, '10.0.0.100', HOSTS.indexOf(host), {
      acquire: () => {
        this.#carrying.add(host)
        note('acquires')
      },
      release: () => {
        this.#carrying.delete(host)
        note('releases')
      },
    })
    return this.sim.settled(keeper)
  }

  /** The hosts that run and carry the address. */
  get carriers(): string {
    return this.sim.nodes
      .filter((host) => this.#carrying.has(host))
      .sort()
      .join()
  }

  /** Waits for it, and then sees that it lasts. */
  async carriedBy(hosts: string, withinMs = 15_000): Promise<void> {
    await this.sim.until(() => this.carriers === hosts, withinMs)
    await this.sim.advance(5_000)
    expect(this.carriers).toBe(hosts)
  }

  crash(host: string): void {
    this.sim.crash(host)
    this.#carrying.delete(host)
  }
}

async function rackOfThree(seed: number): Promise<Rack> {
  const rack = new Rack(seed)
  for (const host of HOSTS) await rack.start(host)
  return rack
}

describe('a floating address', () => {
  it('is carried by one host, the one of the lowest rank, in whatever order they start', async () => {
    const rack = new Rack(1)
    for (const host of ['c', 'a', 'b']) await rack.start(host)
    await rack.carriedBy('a')
  })

  it('moves when its host crashes, within seconds, and back when the host returns', async () => {
    const rack = await rackOfThree(2)
    await rack.carriedBy('a')
    rack.crash('a')
    await rack.carriedBy('b')
    await rack.start('a')
    await rack.carriedBy('a')
  })

  it('moves at once when its host gives it away', async () => {
    const rack = new Rack(3)
    const first = await rack.start('a')
    await rack.start('b')
    await rack.carriedBy('a')
    await rack.sim.settled(first.stop())
    await rack.carriedBy('b', 1_000)
  })

  it('is carried on both sides of a partition, and by one host again when it has healed', async () => {
    const rack = await rackOfThree(4)
    await rack.carriedBy('a')
    const heal = rack.sim.partition(['a'], ['b', 'c'])
    await rack.carriedBy('a,b')
    heal()
    await rack.carriedBy('a', 60_000)
  })

  it('stays where it is while a host stalls for less than it takes to fail', async () => {
    const rack = await rackOfThree(5)
    await rack.carriedBy('a')
    const before = rack.diary.length
    rack.sim.pause('a', 700)
    await rack.sim.advance(30_000)
    expect(rack.diary.slice(before)).toEqual([])
  })

  it('has the same history every time, to the microsecond, from the same seed', async () => {
    const histories = await Promise.all(
      [6, 6, 7].map(async (seed) => {
        const rack = await rackOfThree(seed)
        rack.crash('a')
        await rack.carriedBy('b')
        return { diary: rack.diary, trace: rack.sim.traceHash }
      }),
    )
    expect(histories[1]).toEqual(histories[0])
    expect(histories[2]).not.toEqual(histories[0])
  })
})
