import { describe, expect, it } from 'vitest'
import type { ByteStream, StreamHandlers } from '../../src/runtime/runtime.ts'
import { bytes, EXACT, logging, type Toy, type ToyWorld, text, toy, toyWorld } from './toys.ts'

interface Pair extends ToyWorld {
  readonly a: Toy
  readonly b: Toy
}

async function pair(network = EXACT): Promise<Pair> {
  const made = toyWorld(network)
  return { ...made, a: await toy(made, 'a'), b: await toy(made, 'b') }
}

/** Lets `b` accept, logging as `b`; gives the end accepted last. */
function accepting({ b }: Pair): () => ByteStream {
  let accepted: ByteStream | undefined
  b.accept = (stream) => {
    b.log.push('b:accept')
    accepted = stream
    return logging(b.log, 'b')
  }
  return () => accepted!
}

function collecting(into: Uint8Array[]): StreamHandlers {
  return { onOpen() {}, onData: (data) => into.push(data), onDrain() {}, onClose() {} }
}

describe('opening a stream', () => {
  it('takes one round trip, never calls back from connect, and carries what was written early', async () => {
    const made = await pair()
    const { a, b, driver } = made
    const remote = accepting(made)
    const stream = a.transport.connect(b.address, logging(a.log, 'a'))
    expect(stream.write(bytes('early'))).toBe(true)
    expect(a.log).toEqual([])
    await driver.advance(1.9)
    expect(a.log).toEqual([])
    await driver.advance(0.1)
    expect(a.log).toEqual(['a:open'])
    await driver.advance(1)
    expect(b.log.join('').replace('b:accept', '').replaceAll('b:', '')).toBe('early')
    expect(remote().remoteAddress).toMatch(/^10\.0\.0\.1:\d+$/)
    expect(stream.remoteAddress).toBe(b.address)
  })

  it('is refused at once where the process is dead or nobody listens, and where onStream declines', async () => {
    const { a, b, driver } = await pair()
    a.transport.connect(b.address, logging(a.log, 'declined'))
    await driver.advance(5)
    b.host.kill()
    a.transport.connect(b.address, logging(a.log, 'dead'))
    await driver.advance(2)
    expect(a.log).toEqual(['declined:open', 'declined:close ECONNRESET', 'dead:close ECONNREFUSED'])
  })

  it('meets silence at a dead host, an unknown address or a partition, and times out', async () => {
    const made = await pair()
    const { a, b, driver, world } = made
    const c = await toy(made, 'c')
    b.host.crash()
    world.network.partition([[a.host], [c.host]])
    a.transport.connect(b.address, logging(a.log, 'dead'))
    a.transport.connect('10.77.0.1:1', logging(a.log, 'unknown'))
    a.transport.connect(c.address, logging(a.log, 'cut'))
    await driver.advance(14_990)
    expect(a.log).toEqual([])
    await driver.advance(20)
    expect(a.log).toEqual(['dead:close ETIMEDOUT', 'unknown:close ETIMEDOUT', 'cut:close ETIMEDOUT'])
  })

  it('succeeds when the partition heals before that', async () => {
    const made = await pair()
    const { a, b, driver, world } = made
    accepting(made)
    world.network.blockOneWay([b.host], [a.host])
    a.transport.connect(b.address, logging(a.log, 'a'))
    await driver.advance(2000)
    expect(a.log).toEqual([])
    world.network.heal()
    await driver.advance(3000)
    expect(a.log).toEqual(['a:open'])
    expect(b.log).toEqual(['b:accept'])
  })

  it('is answered by the kernel of a paused process, but not by a paused host', async () => {
    const made = await pair()
    const { a, b, driver } = made
    accepting(made)
    b.host.pause(1000, false)
    a.transport.connect(b.address, logging(a.log, 'stalled'))
    await driver.advance(999)
    expect([a.log, b.log]).toEqual([['stalled:open'], []])
    await driver.advance(10)
    expect(b.log).toEqual(['b:accept'])
    b.host.pause(500, true)
    a.transport.connect(b.address, logging(a.log, 'frozen'))
    await driver.advance(500)
    expect(a.log).toEqual(['stalled:open'])
    await driver.advance(1000)
    expect(a.log).toEqual(['stalled:open', 'frozen:open'])
  })
})

describe('data of a stream', () => {
  it('arrives complete and in order in both directions, whatever latency, loss and cuts do', async () => {
    const made = await pair({ latencyMs: 5, latencySigma: 1, loss: 0.1 })
    const { a, b, driver } = made
    const received: Uint8Array[] = []
    const echoed: Uint8Array[] = []
    b.accept = (stream) => ({
      ...collecting(received),
      onData(data) {
        received.push(data)
        stream.write(data.slice())
      },
    })
    const stream = a.transport.connect(b.address, collecting(echoed))
    let sent = ''
    for (let i = 0; i < 400; i++) {
      const message = `<message ${i}>`
      sent += message
      stream.write(bytes(message))
      if (i % 7 === 0) await driver.advance(1)
    }
    await driver.advance(60_000)
    expect(received.map(text).join('')).toBe(sent)
    expect(echoed.map(text).join('')).toBe(sent)
    // The receiver must not rely on the boundaries of writes.
    expect(received.length).toBeGreaterThan(400)
  })

  it('is held back above the high-water mark while the receiver is paused, and drains afterwards', async () => {
    const made = await pair()
    const { a, b, driver } = made
    const received: Uint8Array[] = []
    b.accept = () => collecting(received)
    const stream = a.transport.connect(b.address, logging(a.log, 'a'))
    await driver.advance(5)
    b.host.pause(30_000, false)
    let written = 0
    while (stream.write(new Uint8Array(10_000))) written += 10_000
    written += 10_000
    expect(written).toBeGreaterThan(256 * 1024)
    expect(written).toBeLessThan(512 * 1024)
    await driver.advance(29_000)
    expect(a.log).toEqual(['a:open'])
    await driver.advance(2000)
    expect(a.log).toEqual(['a:open', 'a:drain'])
    expect(received.reduce((sum, data) => sum + data.length, 0)).toBe(written)
    expect(a.host.traffic.streamBytesSent).toBe(written)
    expect(b.host.traffic.streamBytesReceived).toBe(written)
  })

  it('fails when the whole host stands still for too long, not when only its process does', async () => {
    const made = await pair()
    const { a, b, driver } = made
    accepting(made)
    const stream = a.transport.connect(b.address, logging(a.log, 'a'))
    await driver.advance(5)
    b.host.pause(40_000, false)
    stream.write(bytes('x'))
    await driver.advance(40_100)
    expect([a.log, b.log]).toEqual([['a:open'], ['b:accept', 'b:x']])
    b.host.pause(40_000, true)
    stream.write(bytes('y'))
    await driver.advance(20_000)
    expect(a.log).toEqual(['a:open', 'a:close ETIMEDOUT'])
  })

  it('that arrives in time for it survives a short stand-still of the whole host', async () => {
    const made = await pair()
    const { a, b, driver } = made
    accepting(made)
    const stream = a.transport.connect(b.address, logging(a.log, 'a'))
    await driver.advance(5)
    stream.write(bytes('x'))
    b.host.pause(10_000, true)
    await driver.advance(30_000)
    expect([a.log, b.log]).toEqual([['a:open'], ['b:accept', 'b:x']])
  })

  it('that is under way when the whole host stands still for too long breaks the stream', async () => {
    const made = await pair()
    const { a, b, driver } = made
    accepting(made)
    const stream = a.transport.connect(b.address, logging(a.log, 'a'))
    await driver.advance(5)
    stream.write(bytes('x'))
    b.host.pause(40_000, true)
    await driver.advance(16_000)
    expect(a.log).toEqual(['a:open', 'a:close ETIMEDOUT'])
  })

  it('that was under way to a host that crashed resets the stream once the host is back', async () => {
    const made = await pair()
    const { a, b, driver } = made
    accepting(made)
    const stream = a.transport.connect(b.address, logging(a.log, 'a'))
    await driver.advance(5)
    stream.write(bytes('x'))
    b.host.crash()
    await driver.advance(5000)
    expect(a.log).toEqual(['a:open'])
    await toy(made, 'b')
    await driver.advance(5000)
    expect(a.log).toEqual(['a:open', 'a:close ECONNRESET'])
  })

  it('is not told any more once the stream is destroyed, even if it has arrived', async () => {
    const made = await pair({ ...EXACT, serviceMs: 1 })
    const { a, b, driver } = made
    b.accept = (stream) => ({
      ...logging(b.log, 'b'),
      onData(data) {
        b.log.push(text(data))
        stream.destroy()
      },
    })
    const stream = a.transport.connect(b.address, logging(a.log, 'a'))
    stream.write(bytes('1'))
    stream.write(bytes('2'))
    await driver.advance(50)
    expect(b.log).toEqual(['1', 'b:close ECONNABORTED'])
  })

  it('is a copy: the writer may use its buffer again', async () => {
    const made = await pair()
    const { a, b, driver } = made
    accepting(made)
    const buffer = bytes('1')
    const stream = a.transport.connect(b.address, logging(a.log, 'a'))
    stream.write(buffer)
    buffer.set(bytes('2'))
    await driver.advance(10)
    expect(b.log).toEqual(['b:accept', 'b:1'])
  })

  it('takes its time on the uplink', async () => {
    const made = await pair({ ...EXACT, bandwidthMbps: 8 })
    const { a, b, driver } = made
    const received: Uint8Array[] = []
    b.accept = () => collecting(received)
    a.transport.connect(b.address, logging(a.log, 'a')).write(new Uint8Array(100_000))
    await driver.advance(90)
    const early = received.reduce((sum, data) => sum + data.length, 0)
    expect(early).toBeGreaterThan(50_000)
    expect(early).toBeLessThan(90_000)
    await driver.advance(20)
    expect(received.reduce((sum, data) => sum + data.length, 0)).toBe(100_000)
  })

  it('waits out a short partition, and a long one breaks the stream of who has something to say', async () => {
    const made = await pair()
    const { a, b, driver, world } = made
    accepting(made)
    const stream = a.transport.connect(b.address, logging(a.log, 'a'))
    await driver.advance(5)
    world.network.partition([[a.host], [b.host]])
    stream.write(bytes('x'))
    await driver.advance(5000)
    world.network.heal()
    await driver.advance(5000)
    expect(b.log).toEqual(['b:accept', 'b:x'])
    world.network.partition([[a.host], [b.host]])
    stream.write(bytes('y'))
    await driver.advance(16_000)
    expect(a.log).toEqual(['a:open', 'a:close ETIMEDOUT'])
    expect(b.log).toEqual(['b:accept', 'b:x'])
    expect(stream.write(bytes('z'))).toBe(true)
  })
})

describe('closing a stream', () => {
  it('by end delivers what waits, and both ends close in good order', async () => {
    const made = await pair()
    const { a, b, driver } = made
    accepting(made)
    const stream = a.transport.connect(b.address, logging(a.log, 'a'))
    stream.write(bytes('q'))
    stream.end()
    stream.write(bytes('ignored'))
    stream.end()
    await driver.advance(50)
    expect(a.log).toEqual(['a:open', 'a:close well'])
    expect(b.log).toEqual(['b:accept', 'b:q', 'b:close well'])
  })

  it('by end lets the other side finish its answer', async () => {
    const made = await pair()
    const { a, b, driver } = made
    const answer: Uint8Array[] = []
    b.accept = (stream) => ({ ...collecting([]), onData: () => stream.write(new Uint8Array(600_000)) })
    const log: string[] = []
    const stream = a.transport.connect(b.address, {
      ...collecting(answer),
      onClose: (error) => log.push(`close ${error}`),
    })
    stream.write(bytes('?'))
    stream.end()
    await driver.advance(100)
    expect(answer.reduce((sum, data) => sum + data.length, 0)).toBe(600_000)
    expect(log).toEqual(['close undefined'])
  })

  it('by end gives up when the other side neither reads nor closes', async () => {
    const made = await pair()
    const { a, b, driver } = made
    accepting(made)
    const stream = a.transport.connect(b.address, logging(a.log, 'a'))
    await driver.advance(5)
    b.host.pause(60_000, false)
    stream.end()
    await driver.advance(9_990)
    expect(a.log).toEqual(['a:open'])
    await driver.advance(20)
    expect(a.log).toEqual(['a:open', 'a:close ECONNABORTED'])
  })

  it('by destroy tells this side later and only of the close, and resets the other', async () => {
    const made = await pair()
    const { a, b, driver } = made
    const remote = accepting(made)
    const stream = a.transport.connect(b.address, logging(a.log, 'a'))
    await driver.advance(5)
    remote().write(bytes('never read'))
    stream.destroy()
    stream.destroy()
    expect(a.log).toEqual(['a:open'])
    await driver.advance(5)
    expect(a.log).toEqual(['a:open', 'a:close ECONNABORTED'])
    expect(b.log).toEqual(['b:accept', 'b:close ECONNRESET'])
  })

  it('by destroy before it is open leaves no trace at the other side', async () => {
    const made = await pair()
    const { a, b, driver } = made
    accepting(made)
    a.transport.connect(b.address, logging(a.log, 'a')).destroy()
    await driver.advance(20_000)
    expect(a.log).toEqual(['a:close ECONNABORTED'])
    expect(b.log).toEqual([])
  })

  it('by the death of a process resets its peers; by that of a host they hear nothing until they speak', async () => {
    const made = await pair()
    const { a, b, driver } = made
    accepting(made)
    a.transport.connect(b.address, logging(a.log, 'killed'))
    await driver.advance(5)
    b.host.kill()
    await driver.advance(5)
    expect(a.log).toEqual(['killed:open', 'killed:close ECONNRESET'])

    const again = await toy(made, 'b')
    again.accept = () => logging(again.log, 'b')
    const silent = a.transport.connect(b.address, logging(a.log, 'idle'))
    const speaking = a.transport.connect(b.address, logging(a.log, 'speaking'))
    await driver.advance(5)
    a.log.length = 0
    b.host.crash()
    await driver.advance(30_000)
    expect(a.log).toEqual([])
    speaking.write(bytes('x'))
    await driver.advance(16_000)
    expect(a.log).toEqual(['speaking:close ETIMEDOUT'])
    await toy(made, 'b')
    silent.write(bytes('x'))
    await driver.advance(5)
    expect(a.log).toEqual(['speaking:close ETIMEDOUT', 'idle:close ECONNRESET'])
  })

  it('by closing the port closes all its streams, and resolves when the last has been told', async () => {
    const made = await pair({ ...EXACT, serviceMs: 1 })
    const { a, b, driver } = made
    accepting(made)
    a.transport.connect(b.address, logging(a.log, 'one'))
    a.transport.connect(b.address, logging(a.log, 'two'))
    await driver.advance(50)
    await driver.settled(a.transport.close().then(() => a.log.push('closed')))
    expect(a.log).toEqual([
      'one:open',
      'two:open',
      'one:close ECONNABORTED',
      'two:close ECONNABORTED',
      'closed',
    ])
    a.transport.connect(b.address, logging(a.log, 'late'))
    await driver.advance(50)
    expect(a.log.slice(5)).toEqual(['late:close ECONNABORTED'])
    await driver.settled(a.transport.close())
  })

  it('tells each end exactly once, last, whatever happens', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const made = toyWorld({ latencyMs: 2, latencySigma: 1, loss: 0.05 }, seed)
      const [a, b] = [await toy(made, 'a'), await toy(made, 'b')]
      const random = made.world.random.fork('test')
      const ends: { log: string[]; stream: ByteStream }[] = []
      b.accept = (stream) => {
        const log: string[] = []
        ends.push({ log, stream })
        return logging(log, 'b')
      }
      for (let i = 0; i < 5; i++) {
        const log: string[] = []
        ends.push({ log, stream: a.transport.connect(b.address, logging(log, 'a')) })
      }
      for (let i = 0; i < 60; i++) {
        const { stream } = random.pick(ends)
        const act = random.int(20)
        if (act < 12) stream.write(new Uint8Array(1 + random.int(40_000)))
        else if (act === 12) stream.end()
        else if (act === 13) stream.destroy()
        else if (act === 14) b.host.pause(random.int(50), random.chance(0.5))
        else await made.driver.advance(random.int(30))
      }
      for (const { stream } of ends) stream.end()
      await made.driver.advance(120_000)
      for (const { log } of ends) {
        expect(log.filter((line) => line.includes('close'))).toHaveLength(1)
        expect(log.at(-1)).toContain('close')
      }
      expect(made.world.faults).toEqual([])
    }
  })
})
