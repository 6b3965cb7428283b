import { describe, expect, it } from 'vitest'
import { bytes, EXACT, type Toy, type ToyWorld, text, toy, toyWorld } from './toys.ts'

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
