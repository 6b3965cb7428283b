import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encodeFrame, MAX_FRAME_BYTES } from '../../src/security/frames.ts'
import type { FakeNetwork } from './fake-runtime.ts'
import {
  A,
  B,
  bytes,
  Ear,
  HANDSHAKE_MS,
  IDLE_MS,
  KEY,
  LIFETIME_MS,
  listen,
  open,
  StreamHarness,
} from './stream-harness.ts'

let harness: StreamHarness
let network: FakeNetwork

beforeEach(() => {
  harness = new StreamHarness()
  network = harness.network
})

afterEach(() => harness.close())

describe.each([
  { mode: 'sealed', keys: [KEY] },
  { mode: 'plain', keys: [] },
])('$mode streams', ({ keys }) => {
  it('frames arrive in both directions, whole and in order, however the bytes are chunked', async () => {
    const { a, atB } = await harness.pair({ keys })
    const frames = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 8 })
    fc.assert(
      fc.property(frames, frames, fc.integer({ min: 1, max: 200 }), (up, down, size) => {
        network.onWireChunk = (chunk) => {
          const count = Math.ceil(chunk.length / size)
          return Array.from({ length: count }, (_, i) => chunk.slice(i * size, (i + 1) * size))
        }
        atB.length = 0
        const ear = open(a)
        network.run()
        for (const frame of up) ear.stream.send(frame)
        for (const frame of down) atB[0]!.stream!.send(frame)
        network.run()
        expect(atB[0]!.frames).toEqual(up)
        expect(ear.frames).toEqual(down)
        ear.stream.end()
        network.run()
        expect([...ear.log, ...atB[0]!.log]).toEqual(['open', 'close', 'close'])
        expect([ear.error, atB[0]!.error]).toEqual([undefined, undefined])
      }),
      { numRuns: 40 },
    )
  })

  it('the longest frame passes, a longer one is refused at once', async () => {
    const { a, atB } = await harness.pair({ keys })
    const ear = open(a)
    network.run()
    const longest = new Uint8Array(MAX_FRAME_BYTES).fill(3)
    ear.stream.send(longest)
    expect(() => ear.stream.send(new Uint8Array(MAX_FRAME_BYTES + 1))).toThrow(RangeError)
    network.run()
    expect(atB[0]!.frames).toEqual([longest])
  })

  it('what is sent before the stream is open arrives, even when the buffer is reused and the end follows', async () => {
    const { a, atB } = await harness.pair({ keys })
    const ear = open(a)
    const buffer = bytes(1, 2, 3)
    expect(ear.stream.send(buffer)).toBe(false)
    buffer.fill(0)
    ear.stream.end()
    network.run()
    expect(atB[0]!.frames).toEqual([bytes(1, 2, 3)])
    expect(ear.log).toEqual(['open', 'close'])
    expect(atB[0]!.error).toBeUndefined()
  })

  it('false from send is followed by a drain', async () => {
    const { a } = await harness.pair({ keys })
    const early = open(a)
    early.stream.send(bytes(1))
    network.run()
    expect(early.log).toEqual(['open', 'drain'])

    const ear = open(a)
    network.run()
    network.writesDrain = false
    expect(ear.stream.send(bytes(1))).toBe(false)
    network.run(5)
    expect(ear.log).toEqual(['open', 'drain'])
  })

  it('both ends may end at once', async () => {
    const { a, atB } = await harness.pair({ keys })
    const ear = open(a)
    network.run()
    ear.stream.send(bytes(1))
    ear.stream.end()
    atB[0]!.stream!.send(bytes(2))
    atB[0]!.stream!.end()
    network.run()
    expect([atB[0]!.frames, ear.frames]).toEqual([[bytes(1)], [bytes(2)]])
    expect([ear.log, atB[0]!.log]).toEqual([['open', 'close'], ['close']])
    expect([ear.error, atB[0]!.error]).toEqual([undefined, undefined])
  })

  it('an end that the other side never hears of is an error', async () => {
    const { a } = await harness.pair({ keys })
    const ear = open(a)
    network.run()
    network.stalled = true
    ear.stream.send(bytes(1))
    ear.stream.end()
    network.run(IDLE_MS * 2)
    expect(ear.fault).toBe('idle')
  })

  it('who has got the end and answered it needs no more of the connection', async () => {
    const { a, atB } = await harness.pair({ keys })
    const ear = open(a)
    network.run()
    network.onWireChunk = (chunk, from) => {
      if (from === B) network.stalled = true
      return [chunk]
    }
    ear.stream.end()
    network.run(IDLE_MS * 2)
    expect(atB[0]!.log).toEqual(['close'])
    expect(atB[0]!.error).toBeUndefined()
    expect(ear.fault).toBe('idle')
  })

  it('either end may end, and frames that were sent before arrive', async () => {
    const { a, atB } = await harness.pair({ keys })
    const ear = open(a)
    network.run()
    atB[0]!.stream!.send(bytes(7))
    atB[0]!.stream!.end()
    atB[0]!.stream!.send(bytes(8))
    network.run()
    expect(ear.frames).toEqual([bytes(7)])
    expect([ear.error, atB[0]!.error]).toEqual([undefined, undefined])
    expect(atB[0]!.log).toEqual(['close'])
  })

  it('a stream that stops without its end is an error, though the connection closed in good order', async () => {
    const { a, b, atB } = await harness.pair({ keys })
    const ear = open(a)
    network.run()
    ear.stream.send(bytes(1))
    network.run()
    ear.stream.destroy()
    network.run()
    expect(ear.log).toEqual(['open', 'close'])
    expect(ear.error).toBeUndefined()
    expect(atB[0]!.frames).toEqual([bytes(1)])
    expect(atB[0]!.fault).toBe('truncated')
    expect(b.counts.drops['stream-truncated']).toBe(1)
  })

  it('a stream that is closed takes no frame and raises no exception', async () => {
    const { a, atB } = await harness.pair({ keys })
    const ear = open(a)
    network.run()
    atB[0]!.stream!.destroy()
    network.run()
    expect(ear.log).toEqual(['open', 'close'])
    expect(ear.stream.send(bytes(1))).toBe(false)
    ear.stream.end()
    ear.stream.destroy()
    network.run()
    expect(ear.log).toEqual(['open', 'close'])
  })

  it('a handler may destroy the stream in the middle of a chunk, and hears no more frames', async () => {
    const { a, atB } = await harness.pair({ keys })
    const ear = open(a)
    network.run()
    const far = atB[0]!
    const hear = far.onFrame.bind(far)
    far.onFrame = (frame) => {
      hear(frame)
      far.stream!.destroy()
    }
    const held: Uint8Array[] = []
    network.onWireChunk = (chunk) => {
      held.push(chunk)
      return held.length < 3 ? [] : [Buffer.concat(held)]
    }
    for (const value of [1, 2, 3]) ear.stream.send(bytes(value))
    network.run()
    expect(far.frames).toEqual([bytes(1)])
  })

  it('a frame is the receiver’s, even where the connection hands out views of a pool', async () => {
    const { a, atB } = await harness.pair({ keys })
    const ear = open(a)
    network.run()
    const pool = Buffer.alloc(1000)
    network.onWireChunk = (chunk) => {
      pool.set(chunk)
      return [pool.subarray(0, chunk.length)]
    }
    ear.stream.send(bytes(1, 2, 3))
    network.run()
    pool.fill(0)
    expect(atB[0]!.frames).toEqual([bytes(1, 2, 3)])
  })

  it('a label of another cluster opens nothing, on either side', async () => {
    const { a, atB } = await harness.pair({ keys })
    const atRed: Ear[] = []
    const red = await harness.start('10.0.0.3:7946', (stream) => listen(atRed, stream), {
      keys,
      label: 'red',
    })
    const ear = open(a, '10.0.0.3:7946')
    network.run()
    const back = open(red)
    network.run()
    expect(atRed).toEqual([])
    expect(atB).toEqual([])
    expect(ear.fault).toBe('refused')
    expect(back.fault).toBe('refused')
  })

  it('nobody there is an error of the connection', async () => {
    const { a } = await harness.pair({ keys })
    const ear = open(a, '10.0.0.9:1')
    network.run()
    expect(ear.log).toEqual(['close'])
    expect(ear.error?.message).toBe('ECONNREFUSED')
  })

  it('a stream refused by the application closes', async () => {
    const { b } = await harness.pair({ keys })
    const ear = open(b, A)
    network.run()
    expect(ear.log).toEqual(['open', 'close'])
    expect(ear.fault).toBe('truncated')
  })

  it('junk opens nothing, gets no answer, raises no exception', async () => {
    const { b, atB } = await harness.pair({ keys })
    const junk = fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 4 })
    const framed = junk.map((chunks) => chunks.map(encodeFrame))
    fc.assert(
      fc.property(fc.oneof(junk, framed), (chunks) => {
        const told = harness.say(chunks)
        network.run(HANDSHAKE_MS + 1)
        expect(told.closed).toBe(true)
        expect(told.heard).toEqual([])
      }),
      { numRuns: 100 },
    )
    expect(atB).toEqual([])
    expect(b.counts.streamsIn).toBe(0)
    expect(b.counts.streamsOpen).toBe(0)
  })

  it('who announces an oversized message is cut off at the announcement', async () => {
    const { b } = await harness.pair({ keys })
    const told = harness.say([bytes(0, 0, 1, 0)])
    network.run()
    expect(told.closed).toBe(true)
    expect(b.counts.drops['stream-oversized']).toBe(1)
  })

  it('who connects and says nothing is cut off in time, and a bare visit is no drop', async () => {
    const { b } = await harness.pair({ keys })
    const silent = harness.say([])
    const visit = harness.say([])
    network.run()
    visit.pipe.destroy()
    network.run(HANDSHAKE_MS - 10)
    expect(silent.closed).toBe(false)
    network.run(10)
    expect(silent.closed).toBe(true)
    expect(b.counts.drops['stream-timeout']).toBe(1)
    expect(b.counts.drops['stream-refused']).toBe(0)
    expect(b.counts.streamsOpen).toBe(0)
  })

  it('an end that answers nothing fails in time', async () => {
    const { a } = await harness.pair({ keys })
    network.silent.add('10.0.0.8:1')
    const ear = open(a, '10.0.0.8:1')
    network.run(HANDSHAKE_MS + 1)
    expect(ear.fault).toBe('timeout')
  })

  it('an idle stream is cut on both sides, a busy one never', async () => {
    const { a, atB } = await harness.pair({ keys })
    const idle = open(a)
    const busy = open(a)
    network.run()
    for (let i = 0; i < 30; i++) {
      network.run(IDLE_MS / 10)
      busy.stream.send(bytes(i))
    }
    network.run()
    expect(['idle', 'truncated']).toContain(idle.fault)
    expect(['idle', 'truncated']).toContain(atB[0]!.fault)
    expect(busy.log).toEqual(['open'])
    expect(atB[1]!.frames).toHaveLength(30)
  })

  it('a stream that drips for ever, a byte or a frame at a time, is cut once it was open for too long', async () => {
    const { a, b, atB } = await harness.pair({ keys })
    const framed = open(a)
    const dripping = open(a)
    network.run()
    // Of the long frames of the second one a byte arrives at a time: there is always progress, and never a frame.
    const behind: number[] = []
    network.onWireChunk = (chunk) => {
      if (chunk.length < 1_000) return [chunk]
      behind.push(...chunk)
      return [Uint8Array.of(behind.shift()!)]
    }
    const step = IDLE_MS / 4
    for (let at = 0; at < LIFETIME_MS - step; at += step) {
      framed.stream.send(bytes(1))
      dripping.stream.send(new Uint8Array(1_000))
      network.run(step)
    }
    expect(atB.map(({ frames }) => frames.length > 0)).toEqual([true, false])
    expect([atB[0]!.log, atB[1]!.log]).toEqual([[], []])
    expect(b.counts.streamsOpen).toBe(2)
    network.run(2 * step)
    for (const ear of atB) expect(['overlong', 'truncated']).toContain(ear.fault)
    expect(b.counts.drops['stream-overlong']).toBeGreaterThan(0)
    expect(b.counts.drops['stream-idle']).toBe(0)
    expect(b.counts.streamsOpen).toBe(0)
  })

  it('a stream that brings more than any may is cut, and what came before it counts', async () => {
    const { a, b, atB } = await harness.pair({ keys, maxStreamBytes: 10_000 })
    const ear = open(a)
    network.run()
    for (let i = 0; i < 12; i++) {
      ear.stream.send(new Uint8Array(1_000))
      network.run()
    }
    expect(atB[0]!.fault).toBe('overlong')
    expect(atB[0]!.frames).toHaveLength(9)
    expect(b.counts.drops['stream-overlong']).toBe(1)
    expect(b.counts.streamsOpen).toBe(0)
  })

  it('an end that reads nothing is idle, however much is sent to it', async () => {
    const { a } = await harness.pair({ keys })
    const ear = open(a)
    network.run()
    network.stalled = true
    network.writesDrain = false
    for (let i = 0; i < 20; i++) {
      ear.stream.send(bytes(i))
      network.run(IDLE_MS / 10)
    }
    expect(ear.fault).toBe('idle')
  })

  it('inbound streams are bounded, and closing one makes room', async () => {
    const { a, b, atB } = await harness.pair({ keys })
    const ears = Array.from({ length: 6 }, () => {
      const ear = open(a)
      network.run()
      return ear
    })
    expect(atB).toHaveLength(4)
    expect(ears.map((ear) => ear.log.includes('close'))).toEqual([false, false, false, false, true, true])
    expect(b.counts.drops['stream-limit']).toBe(2)
    ears[0]!.stream.end()
    network.run()
    open(a)
    network.run()
    expect(atB).toHaveLength(5)
    expect(b.counts.streamsOpen).toBe(4)
  })

  it('streams that prove themselves at once are bounded too', async () => {
    const { a, b, atB } = await harness.pair({ keys })
    for (let i = 0; i < 3; i++) {
      open(a)
      network.run()
    }
    for (let i = 0; i < 4; i++) open(a)
    network.run()
    expect(atB).toHaveLength(4)
    expect(b.counts.drops['stream-limit']).toBe(3)
    expect(b.counts.streamsOpen).toBe(4)
  })

  it('a node that is full spends nothing on newcomers', async () => {
    const { a, b } = await harness.pair({ keys })
    for (let i = 0; i < 4; i++) {
      open(a)
      network.run()
    }
    const spent = b.counts.streamBytesOut
    expect(open(a).log).toEqual([])
    network.run()
    expect(b.counts.drops['stream-limit']).toBe(1)
    expect(b.counts.streamBytesOut).toBe(spent)
  })

  it('silent connections do not keep a key holder out', async () => {
    const { a, b, atB } = await harness.pair({ keys })
    for (let i = 0; i < 50; i++) harness.say([])
    network.run()
    expect(b.counts.streamsOpen).toBeLessThanOrEqual(4)
    open(a)
    network.run()
    expect(atB).toHaveLength(1)
  })

  it('closing the transport closes its streams without an error of their own', async () => {
    const { a, atB } = await harness.pair({ keys })
    const ear = open(a)
    network.run()
    await a.close()
    network.run()
    expect(ear.log).toEqual(['open', 'close'])
    expect(ear.error).toBeUndefined()
    expect(atB[0]!.fault).toBe('truncated')
    expect(() => a.connect(B, new Ear())).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }))
  })
})
