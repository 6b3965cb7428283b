import { describe, expect, it } from 'vitest'
import { Simulation } from '../../sim/index.ts'
import { LOSSY_EDGE, TOPOLOGIES, WAN3 } from '../../sim/topologies.ts'
import { bytes, EXACT, logging, type Toy, type ToyWorld, text, toy, toyWorld } from './toys.ts'

async function flood(made: ToyWorld, from: Toy, to: Toy, count: number): Promise<number> {
  const before = to.log.length
  for (let i = 0; i < count; i++) {
    from.transport.send(to.address, bytes(`${i}`))
    await made.driver.advance(0)
  }
  await made.driver.advance(100)
  return to.log.length - before
}

describe('packets', () => {
  it('take the latency, are counted at both ends, and come from the address of the port', async () => {
    const made = toyWorld({ ...EXACT, latencyMs: 4 })
    const [a, b] = [await toy(made, 'a'), await toy(made, 'b')]
    a.transport.send(b.address, bytes('hello'))
    await made.driver.advance(3.9)
    expect(b.log).toEqual([])
    await made.driver.advance(0.1)
    expect(b.log).toEqual(['10.0.0.1:7946 hello'])
    expect(a.host.traffic).toMatchObject({ packetsSent: 1, bytesSent: 5, packetsReceived: 0 })
    expect(b.host.traffic).toMatchObject({ packetsSent: 0, packetsReceived: 1, bytesReceived: 5 })
  })

  it('have a lognormal latency with the median asked for', async () => {
    const made = toyWorld({ latencyMs: 0.8, latencySigma: 0.5, serviceMs: 0 })
    const [a, b] = [await toy(made, 'a'), await toy(made, 'b')]
    const times: number[] = []
    for (let i = 0; i < 2000; i++) {
      const sent = made.world.now
      a.transport.send(b.address, bytes('x'))
      await made.driver.until(() => b.log.length > i, 100)
      times.push(made.world.now - sent)
    }
    times.sort((x, y) => x - y)
    // `until` looks once a quantum, so a time is late by 1 ms at most.
    expect(times[1000]).toBeGreaterThan(0.8)
    expect(times[1000]).toBeLessThan(1.9)
    expect(times[1980]! / times[20]!).toBeGreaterThan(2)
  })

  it('are lost at the rate asked for: of the network, on the way out, on the way in', async () => {
    const made = toyWorld()
    const [a, b] = [await toy(made, 'a'), await toy(made, 'b')]
    made.world.network.loss = 0.3
    expect(Math.abs((await flood(made, a, b, 2000)) - 1400)).toBeLessThan(90)
    made.world.network.loss = 0
    a.host.egressLoss = 0.5
    expect(Math.abs((await flood(made, a, b, 2000)) - 1000)).toBeLessThan(100)
    expect(await flood(made, b, a, 200)).toBe(200)
    a.host.egressLoss = 0
    a.host.ingressLoss = 0.8
    expect(Math.abs((await flood(made, b, a, 2000)) - 400)).toBeLessThan(90)
    expect(await flood(made, a, b, 200)).toBe(200)
  })

  it('are duplicated at the rate asked for', async () => {
    const made = toyWorld({ ...EXACT, duplication: 0.25 })
    const [a, b] = [await toy(made, 'a'), await toy(made, 'b')]
    expect(Math.abs((await flood(made, a, b, 2000)) - 2500)).toBeLessThan(100)
  })

  it('that are duplicated have bytes of their own each', async () => {
    const made = toyWorld({ ...EXACT, duplication: 1 })
    const [a, b] = [await toy(made, 'a'), await toy(made, 'b')]
    const seen: string[] = []
    await made.driver.settled(b.transport.close())
    const listening = b.runtime.listen('0.0.0.0:7946', {
      onPacket(packet) {
        seen.push(text(packet))
        packet.fill(0)
      },
      onStream: () => undefined,
      onFault: () => {},
    })
    await made.driver.settled(listening)
    a.transport.send(b.address, bytes('twice'))
    await made.driver.advance(5)
    expect(seen).toEqual(['twice', 'twice'])
  })

  it('above the MTU are dropped', async () => {
    const made = toyWorld({ ...EXACT, mtuBytes: 100 })
    const [a, b] = [await toy(made, 'a'), await toy(made, 'b')]
    a.transport.send(b.address, new Uint8Array(100))
    a.transport.send(b.address, new Uint8Array(101))
    await made.driver.advance(5)
    expect(b.log).toHaveLength(1)
    expect(a.host.traffic.packetsTooLarge).toBe(1)
  })

  it('to nobody, to a dead host and to a closed port vanish', async () => {
    const made = toyWorld()
    const [a, b, c] = [await toy(made, 'a'), await toy(made, 'b'), await toy(made, 'c')]
    a.transport.send('10.200.0.1:1', bytes('x'))
    b.host.crash()
    a.transport.send(b.address, bytes('x'))
    await made.driver.settled(c.transport.close())
    a.transport.send(c.address, bytes('x'))
    c.transport.send(a.address, bytes('x'))
    await made.driver.advance(5)
    expect([a.log, b.log, c.log]).toEqual([[], [], []])
    expect(a.host.traffic.packetsUndeliverable).toBe(3)
  })

  it("share their host's uplink, whose buffer is bounded", async () => {
    const made = toyWorld({ ...EXACT, bandwidthMbps: 8, socketBufferBytes: 10_000 })
    const [a, b] = [await toy(made, 'a'), await toy(made, 'b')]
    const began = made.world.now
    for (let i = 0; i < 20; i++) a.transport.send(b.address, new Uint8Array(1000))
    await made.driver.until(() => b.log.length === 10, 100)
    // 8 Mbit/s is 1,000 bytes a millisecond.
    expect(made.world.now - began).toBeGreaterThanOrEqual(11)
    await made.driver.advance(100)
    expect(b.log.length + a.host.traffic.packetsOverflowed).toBe(20)
    expect(a.host.traffic.packetsOverflowed).toBe(9)
  })

  it('take service time: a burst is worked off one by one', async () => {
    const made = toyWorld({ ...EXACT, serviceMs: 2 })
    const [a, b] = [await toy(made, 'a'), await toy(made, 'b')]
    for (let i = 0; i < 5; i++) a.transport.send(b.address, bytes(`${i}`))
    await made.driver.advance(4)
    expect(b.log).toHaveLength(2)
    await made.driver.advance(6)
    expect(b.log).toHaveLength(5)
  })
})

describe('cuts', () => {
  it('a partition separates its groups both ways and nobody else, until it ends', async () => {
    const made = toyWorld()
    const [a, b, c] = [await toy(made, 'a'), await toy(made, 'b'), await toy(made, 'c')]
    const end = made.world.network.partition([[a.host], [b.host]])
    expect([await flood(made, a, b, 3), await flood(made, b, a, 3)]).toEqual([0, 0])
    expect([await flood(made, a, c, 3), await flood(made, c, b, 3)]).toEqual([3, 3])
    end()
    expect([await flood(made, a, b, 3), await flood(made, b, a, 3)]).toEqual([3, 3])
  })

  it('a one-way block stops one direction only', async () => {
    const made = toyWorld()
    const [a, b] = [await toy(made, 'a'), await toy(made, 'b')]
    made.world.network.blockOneWay([a.host], [b.host])
    expect([await flood(made, a, b, 3), await flood(made, b, a, 3)]).toEqual([0, 3])
  })

  it('add up, and heal ends all of them', async () => {
    const made = toyWorld()
    const [a, b, c] = [await toy(made, 'a'), await toy(made, 'b'), await toy(made, 'c')]
    made.world.network.partition([[a.host], [b.host, c.host]])
    made.world.network.blockOneWay([b.host], [c.host])
    expect([await flood(made, a, c, 3), await flood(made, b, c, 3), await flood(made, c, b, 3)]).toEqual([
      0, 0, 3,
    ])
    made.world.network.heal()
    expect([await flood(made, a, c, 3), await flood(made, b, c, 3)]).toEqual([3, 3])
  })
})

describe('disorder', () => {
  it('holds some packets up, so that later ones overtake them, and loses none', async () => {
    const made = toyWorld({ ...EXACT, reordering: 0.2, reorderMs: 10 })
    const [a, b] = [await toy(made, 'a'), await toy(made, 'b')]
    for (let i = 0; i < 1000; i++) {
      a.transport.send(b.address, bytes(`${i}`))
      await made.driver.advance(1)
    }
    await made.driver.advance(500)
    const order = b.log.map((line) => Number(line.split(' ')[1]))
    expect([...order].sort((x, y) => x - y)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
    const overtaken = order.filter((number, i) => order.slice(i + 1).some((later) => later < number))
    expect(overtaken.length).toBeGreaterThan(100)
  })

  it('flips bits of packets at the rate asked for, and counts them', async () => {
    const made = toyWorld({ ...EXACT, corruption: 0.3 })
    const [a, b] = [await toy(made, 'a'), await toy(made, 'b')]
    for (let i = 0; i < 1000; i++) a.transport.send(b.address, bytes('0123456789'))
    await made.driver.advance(10)
    const wrong = b.log.filter((line) => !line.endsWith(' 0123456789')).length
    expect(wrong).toBe(a.host.traffic.packetsCorrupted)
    expect(Math.abs(wrong - 300)).toBeLessThan(60)
  })

  it('corrupts one copy of a packet without the other', async () => {
    const made = toyWorld({ ...EXACT, duplication: 1, corruption: 0.5 })
    const [a, b] = [await toy(made, 'a'), await toy(made, 'b')]
    for (let i = 0; i < 200; i++) a.transport.send(b.address, bytes('0123456789'))
    await made.driver.advance(10)
    const right = b.log.filter((line) => line.endsWith(' 0123456789')).length
    expect(b.log).toHaveLength(400)
    expect(Math.abs(right - 200)).toBeLessThan(50)
  })

  it('of plain packets between real nodes is dropped by checksum or header, and counted; nobody is harmed', async () => {
    const sim = new Simulation({ seed: 1, network: { corruption: 0.05 } })
    for (const name of ['a', 'b', 'c', 'd']) await sim.start(name)
    await sim.advance(120_000)
    const corrupted = sim.nodes.reduce((sum, name) => sum + sim.traffic(name).packetsCorrupted, 0)
    const dropped = sim.nodes.reduce((sum, name) => {
      const metrics = sim.cluster(name).metrics()
      return (
        sum +
        ['checksum', 'version', 'kind', 'sealed'].reduce((s, cause) => s + metrics[`dropped.${cause}`]!, 0)
      )
    }, 0)
    expect(corrupted).toBeGreaterThan(20)
    expect(dropped).toBe(corrupted)
    expect(sim.faults).toEqual([])
    for (const name of sim.nodes) {
      expect(
        sim
          .cluster(name)
          .members()
          .map(({ status }) => status),
      ).toEqual(['alive', 'alive', 'alive', 'alive'])
    }
  })
})

describe('streams that break', () => {
  /** Of 200 streams, how many are broken after five seconds; each end is told. */
  async function broken(streamBreaks: number): Promise<number> {
    const made = toyWorld({ ...EXACT, streamBreaks })
    const [a, b] = [await toy(made, 'a'), await toy(made, 'b')]
    const log: string[] = []
    b.accept = () => logging(log, 'in')
    for (let i = 0; i < 200; i++) a.transport.connect(b.address, logging(log, 'out'))
    await made.driver.advance(5000)
    const [out, into] = ['out:close ECONNRESET', 'in:close ECONNRESET'].map(
      (line) => log.filter((other) => other === line).length,
    )
    expect(into).toBe(out)
    expect(a.host.traffic.streamsBroken).toBe(out)
    return out!
  }

  it('break at the rate asked for, for both ends', async () => {
    expect(await broken(0)).toBe(0)
    // 1 - 0.9^5 of 200.
    expect(Math.abs((await broken(0.1)) - 82)).toBeLessThan(25)
    expect(await broken(1)).toBe(200)
  })
})

describe('topologies', () => {
  it('have a round trip for each two regions, the same both ways, and place hosts in known regions', () => {
    for (const { regions, placement, roundTripMs } of TOPOLOGIES) {
      expect(roundTripMs).toHaveLength(regions.length)
      for (const [i, row] of roundTripMs.entries()) expect(row).toEqual(roundTripMs.map((other) => other[i]))
      expect(new Set(placement)).toEqual(new Set(regions.keys()))
    }
  })

  it('add half of the round trip between two regions to the latency of a packet', async () => {
    const made = toyWorld({ ...EXACT, topology: WAN3 })
    const [east, centre, west] = [await toy(made, 'e'), await toy(made, 'c'), await toy(made, 'w')]
    const east2 = await toy(made, 'e2')
    const sent = made.world.now
    for (const to of [centre, west, east2]) east.transport.send(to.address, bytes('x'))
    await made.driver.advance(1)
    expect([centre.log.length, west.log.length, east2.log.length]).toEqual([0, 0, 1])
    await made.driver.until(() => centre.log.length > 0, 100)
    // `until` looks once a quantum, so a time is late by 1 ms at most.
    expect(Math.abs(made.world.now - sent - 16)).toBeLessThanOrEqual(1)
    await made.driver.until(() => west.log.length > 0, 100)
    expect(Math.abs(made.world.now - sent - 56)).toBeLessThanOrEqual(1)
  })

  it('lose packets at the edge, not in the core', async () => {
    const made = toyWorld({ ...EXACT, topology: LOSSY_EDGE })
    const [a, b, , edge] = [
      await toy(made, 'a'),
      await toy(made, 'b'),
      await toy(made, 'c'),
      await toy(made, 'd'),
    ]
    expect(await flood(made, a, b, 500)).toBe(500)
    expect(Math.abs((await flood(made, a, edge, 2000)) - 1900)).toBeLessThan(40)
    expect(Math.abs((await flood(made, edge, a, 2000)) - 1900)).toBeLessThan(40)
  })
})
