import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StreamError, StreamKind } from '../../src/security/frames.ts'
import type { SecureTransport } from '../../src/security/secure-transport.ts'
import type { FakeNetwork } from './fake-runtime.ts'
import { A, B, bytes, Ear, HANDSHAKE_MS, IDLE_MS, listen, open, StreamHarness } from './stream-harness.ts'

let harness: StreamHarness
let network: FakeNetwork

beforeEach(() => {
  harness = new StreamHarness()
  network = harness.network
})

afterEach(() => harness.close())

describe('sealed streams against who sits on the wire', () => {
  /** One stream with three frames up, two down, ended by A, with every chunk going through `onWireChunk`. */
  function talk(a: SecureTransport, atB: Ear[]): { near: Ear; far: Ear | undefined } {
    atB.length = 0
    const near = open(a)
    network.run()
    for (const value of [1, 2, 3]) near.stream.send(new Uint8Array(20).fill(value))
    for (const value of [4, 5]) atB[0]?.stream?.send(new Uint8Array(20).fill(value))
    network.run()
    near.stream.end()
    network.run(IDLE_MS * 2)
    return { near, far: atB[0] }
  }

  const isPrefixOf = (heard: Uint8Array[], values: number[]) =>
    expect(heard).toEqual(values.slice(0, heard.length).map((value) => new Uint8Array(20).fill(value)))

  it('a flipped bit anywhere is noticed by someone, and no false frame is delivered', async () => {
    const { a, atB } = await harness.pair()
    let total = 0
    network.onWireChunk = (chunk) => {
      total += chunk.length
      return [chunk]
    }
    const clean = talk(a, atB)
    expect([clean.near.error, clean.far?.error]).toEqual([undefined, undefined])
    const length = total

    for (let target = 0; target < length; target++) {
      total = 0
      network.onWireChunk = (chunk) => {
        const at = target - total
        total += chunk.length
        if (at < 0 || at >= chunk.length) return [chunk]
        return [chunk.with(at, chunk[at]! ^ (1 << (target & 7)))]
      }
      const { near, far } = talk(a, atB)
      isPrefixOf(far?.frames ?? [], [1, 2, 3])
      isPrefixOf(near.frames, [4, 5])
      expect([near.error, far?.error].some((error) => error instanceof StreamError)).toBe(true)
    }
  })

  it('a chunk lost, doubled or moved is noticed', async () => {
    const { a, atB } = await harness.pair()
    const chunks = harness.record()
    talk(a, atB)
    const count = chunks.length
    for (const meddle of ['lose', 'double', 'swap'] as const) {
      for (let target = 1; target < count - 1; target++) {
        let seen = 0
        let held: Uint8Array | undefined
        network.onWireChunk = (chunk, from) => {
          if (from !== A) return [chunk]
          const at = seen++
          if (at === target) {
            if (meddle === 'lose') return []
            if (meddle === 'double') return [chunk, chunk]
            held = chunk
            return []
          }
          const late = held
          held = undefined
          return late === undefined ? [chunk] : [chunk, late]
        }
        const { near, far } = talk(a, atB)
        isPrefixOf(far?.frames ?? [], [1, 2, 3])
        expect([near.error, far?.error].some((error) => error instanceof StreamError)).toBe(true)
      }
    }
  })

  it('a record of one stream does not fit into another', async () => {
    const { a, atB } = await harness.pair()
    const former = harness.record()
    talk(a, atB)
    const other = [...former]
    for (let target = 0; target < other.length; target++) {
      let seen = 0
      network.onWireChunk = (chunk, from) => [from === A && seen++ === target ? other[target]! : chunk]
      const { near, far } = talk(a, atB)
      expect([near.error, far?.error].some((error) => error instanceof StreamError)).toBe(true)
      isPrefixOf(far?.frames ?? [], [1, 2, 3])
    }
  })

  it('a record does not fit into the other direction', async () => {
    const { a, atB } = await harness.pair()
    const ear = open(a)
    network.run()
    let own: Uint8Array | undefined
    network.onWireChunk = (chunk, from) => {
      if (from !== A) return [own!]
      own = chunk
      return []
    }
    ear.stream.send(bytes(1))
    atB[0]!.stream!.send(bytes(1))
    network.run()
    expect(ear.frames).toEqual([])
    expect(ear.fault).toBe('forged')
  })

  it('a stream played again opens nothing and gets no answer', async () => {
    const { a, b, atB } = await harness.pair()
    const chunks = harness.record()
    talk(a, atB)
    atB.length = 0
    const told = harness.say(chunks)
    network.run()
    expect(told.closed).toBe(true)
    expect(told.heard).toEqual([])
    expect(atB).toEqual([])
    expect(b.counts.drops['stream-replayed']).toBe(1)
  })

  it('a node that has just started may answer an old hello, but hands no stream to anyone', async () => {
    const { a, b, atB } = await harness.pair()
    const chunks = harness.record()
    talk(a, atB)
    await b.close()
    atB.length = 0
    const reborn = await harness.start(B, (stream) => listen(atB, stream))
    const told = harness.say(chunks)
    network.run(HANDSHAKE_MS + 1)
    expect(told.heard).toHaveLength(1)
    expect(told.closed).toBe(true)
    expect(atB).toEqual([])
    expect(reborn.counts.drops['stream-forged']).toBe(1)
    expect(reborn.counts.streamsIn).toBe(0)
  })

  it('another nonce prefix is another session of hellos too', async () => {
    const { a } = await harness.pair()
    const chunks = harness.record()
    for (let i = 0; i < 2; i++) {
      open(a)
      network.run()
      a.renewNonce()
    }
    const prefixes = chunks
      .filter((chunk) => chunk[5] === StreamKind.sealedHello)
      .map((chunk) => Buffer.from(chunk.subarray(10, 20)).toString('hex'))
    expect(new Set(prefixes).size).toBe(2)
  })

  it('an echo is not a peer', async () => {
    const { a, atB } = await harness.pair()
    network.onWireChunk = (chunk, from) => (from === A ? [chunk] : [])
    const mine = harness.record()
    const ear = open(a)
    network.run()
    const toSelf = harness.say(mine, A)
    network.run()
    expect(a.counts.drops['stream-reflected']).toBe(1)
    expect(toSelf.heard).toEqual([])
    ear.stream.destroy()
    network.run()

    const echoed = new Ear()
    a.connect(B, echoed)
    network.onWireChunk = (chunk, from) => [from === B ? mine[0]! : chunk]
    network.run()
    expect(echoed.fault).toBe('malformed')
    expect(echoed.frames).toEqual([])
    expect(atB.every((ear) => ear.frames.length === 0)).toBe(true)
  })

  it('plaintext against keys, and keys against plaintext, are refused with their cause', async () => {
    const { a, b, atB } = await harness.pair()
    const plain = await harness.start('10.0.0.3:7946', (stream) => listen(atB, stream), { keys: [] })
    const up = open(plain)
    const down = open(a, '10.0.0.3:7946')
    network.run()
    expect(b.counts.drops['stream-plaintext']).toBe(1)
    expect(plain.counts.drops['stream-sealed']).toBe(1)
    expect([up.fault, down.fault]).toEqual(['refused', 'refused'])
    expect(atB).toEqual([])
  })

  it('another key is refused with its cause', async () => {
    const { b, atB } = await harness.pair()
    const foreign = await harness.start('10.0.0.3:7946', () => undefined, {
      keys: [new Uint8Array(32).fill(9)],
    })
    const ear = open(foreign)
    network.run()
    expect(b.counts.drops['stream-unknown-key']).toBe(1)
    expect(ear.fault).toBe('refused')
    expect(atB).toEqual([])
  })

  it('nothing that is sent shows on the wire', async () => {
    const { a, atB } = await harness.pair()
    const seen: Uint8Array[] = []
    network.onWireChunk = (chunk) => {
      seen.push(chunk)
      return [chunk]
    }
    const secret = new TextEncoder().encode('attack at dawn')
    const ear = open(a)
    network.run()
    ear.stream.send(secret)
    network.run()
    expect(atB[0]!.frames).toEqual([secret])
    expect(Buffer.concat(seen).includes(Buffer.from(secret))).toBe(false)
  })
})
