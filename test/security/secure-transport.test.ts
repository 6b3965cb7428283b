import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { HearsayError } from '../../src/errors.ts'
import type { ByteStream, TransportHandlers } from '../../src/runtime/runtime.ts'
import { Keyring } from '../../src/security/keyring.ts'
import {
  type DropCause,
  SecureTransport,
  type SecureTransportHandlers,
  type SecureTransportOptions,
} from '../../src/security/secure-transport.ts'
import { FakeNetwork } from './fake-runtime.ts'

const KEY = Uint8Array.from({ length: 32 }, (_, i) => i + 1)
const OTHER_KEY = new Uint8Array(32).fill(9)
const A = '10.0.0.1:7946'
const B = '10.0.0.2:7946'
const STRANGER = '10.6.6.6:4444'

interface Heard {
  bodies: Uint8Array[]
  sessions: (string | undefined)[]
  drops: [DropCause, string][]
  faults: unknown[]
}

let network: FakeNetwork
let started: SecureTransport[]
let seeds = 1

async function start(
  bind: string,
  options: Partial<SecureTransportOptions> = {},
): Promise<{ transport: SecureTransport; heard: Heard }> {
  const heard: Heard = { bodies: [], sessions: [], drops: [], faults: [] }
  const handlers: SecureTransportHandlers = {
    onPacket(body, _from, session) {
      heard.bodies.push(body)
      heard.sessions.push(session)
    },
    onStream: () => undefined,
    onFault: (cause) => heard.faults.push(cause),
    onDrop: (cause, from) => heard.drops.push([cause, from]),
  }
  const base = {
    label: 'blue',
    keys: [KEY],
    maxInboundStreams: 4,
    streamIdleMs: 10_000,
    streamLifetimeMs: 60_000,
    maxStreamBytes: 1_000_000,
    handshakeTimeoutMs: 2000,
  }
  const runtime = network.runtime(seeds++)
  const transport = await SecureTransport.start(runtime, { bind, ...base, ...options }, handlers)
  started.push(transport)
  return { transport, heard }
}

function body(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Records the packets on the wire. */
function record(): Uint8Array[] {
  const packets: Uint8Array[] = []
  network.onWirePacket = (packet) => {
    packets.push(packet.slice())
    return [packet]
  }
  return packets
}

beforeEach(() => {
  network = new FakeNetwork()
  started = []
})

afterEach(async () => {
  await Promise.all(started.map((transport) => transport.close()))
})

describe.each([
  { mode: 'sealed', keys: [KEY] },
  { mode: 'plain', keys: [] },
])('$mode packets', ({ keys }) => {
  it('arrive as they were sent, even when the buffer is reused', async () => {
    const [a, b] = [await start(A, { keys }), await start(B, { keys })]
    const buffer = body('first')
    a.transport.send(B, buffer)
    buffer.set(body('later'))
    a.transport.send(B, buffer)
    network.run()
    expect(b.heard.bodies).toEqual([body('first'), body('later')])
    expect(new Set(b.heard.sessions).size).toBe(1)
    expect(b.heard.drops).toEqual([])
  })

  it('junk is dropped and counted: no exception, no answer', async () => {
    const { transport, heard } = await start(B, { keys })
    let injected = 0
    network.onWirePacket = () => {
      throw new Error('a stranger was answered')
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1500 }), (bytes) => {
        network.inject(bytes, STRANGER, B)
        network.run()
        injected++
      }),
    )
    const dropped = Object.values(transport.counts.drops).reduce((sum, count) => sum + count, 0)
    expect(heard.bodies).toEqual([])
    expect(heard.drops).toHaveLength(injected)
    expect(dropped).toBe(injected)
    expect(transport.counts.packetsIn).toBe(injected)
  })

  it('packets of another label are dropped', async () => {
    const [a, b] = [await start(A, { keys, label: 'red' }), await start(B, { keys })]
    a.transport.send(B, body('hello'))
    network.run()
    expect(b.heard.bodies).toEqual([])
    expect(b.heard.drops).toEqual([[keys.length > 0 ? 'forged' : 'checksum', A]])
  })

  it('both ends count packets and bytes alike', async () => {
    const [a, b] = [await start(A, { keys }), await start(B, { keys })]
    for (let i = 0; i < 5; i++) a.transport.send(B, new Uint8Array(i))
    network.run()
    expect(a.transport.counts.packetsOut).toBe(5)
    expect(b.transport.counts.packetsIn).toBe(5)
    expect(b.transport.counts.packetBytesIn).toBe(a.transport.counts.packetBytesOut)
  })

  it('a closed transport neither sends nor hears, and closes once', async () => {
    const [a, b] = [await start(A, { keys }), await start(B, { keys })]
    const wire = record()
    expect(a.transport.close()).toBe(a.transport.close())
    await a.transport.close()
    a.transport.send(B, body('late'))
    b.transport.send(A, body('too late'))
    network.run()
    expect(wire).toHaveLength(1)
    expect(a.heard.bodies).toEqual([])
  })
})

describe('sealed packets against who sits on the wire', () => {
  it('a packet that comes again is dropped, whoever sends it', async () => {
    const [a, b] = [await start(A), await start(B)]
    const wire = record()
    a.transport.send(B, body('once'))
    network.run()
    network.inject(wire[0]!, STRANGER, B)
    network.inject(wire[0]!, A, B)
    network.run()
    expect(b.heard.bodies).toEqual([body('once')])
    expect(b.heard.drops).toEqual([
      ['replayed', STRANGER],
      ['replayed', A],
    ])
  })

  it('packets that overtake each other all arrive', async () => {
    const [a, b] = [await start(A), await start(B)]
    const wire: Uint8Array[] = []
    network.onWirePacket = (packet) => {
      wire.push(packet)
      return []
    }
    for (let i = 0; i < 1000; i++) a.transport.send(B, body(String(i)))
    for (const packet of wire.reverse()) network.inject(packet, A, B)
    network.run()
    expect(b.heard.bodies).toHaveLength(1000)
  })

  it('a packet whose forgery comes first still arrives', async () => {
    const [a, b] = [await start(A), await start(B)]
    network.onWirePacket = (packet) => [packet.with(-1, packet.at(-1)! ^ 1), packet]
    a.transport.send(B, body('mine'))
    network.run()
    expect(b.heard.bodies).toEqual([body('mine')])
    expect(b.heard.drops).toEqual([['forged', A]])
  })

  it('the same packet reaches two receivers, and neither its own sender', async () => {
    const [a, b, c] = [await start(A), await start(B), await start('10.0.0.3:7946')]
    const wire = record()
    a.transport.send(B, body('to b'))
    network.run()
    network.inject(wire[0]!, STRANGER, '10.0.0.3:7946')
    network.inject(wire[0]!, B, A)
    network.run()
    expect(b.heard.bodies).toHaveLength(1)
    expect(c.heard.bodies).toHaveLength(1)
    expect(a.heard.bodies).toEqual([])
    expect(a.heard.drops).toEqual([['reflected', B]])
  })

  it('a node that has just started takes each old packet once, under a session that is no live one', async () => {
    const [a, b] = [await start(A), await start(B)]
    const wire = record()
    a.transport.send(B, body('old'))
    network.run()
    await a.transport.close()
    await b.transport.close()
    const [reborn, sender] = [await start(B), await start(A)]
    network.inject(wire[0]!, STRANGER, B)
    network.inject(wire[0]!, STRANGER, B)
    sender.transport.send(B, body('new'))
    network.run()
    expect(reborn.heard.bodies).toEqual([body('old'), body('new')])
    expect(reborn.heard.drops).toEqual([['replayed', STRANGER]])
    expect(reborn.heard.sessions[0]).not.toBe(reborn.heard.sessions[1])
  })

  it('a kept session stays replay-proof however many old ones are played', async () => {
    const [a, b] = [await start(A), await start(B)]
    const wire = record()
    a.transport.send(B, body('live'))
    network.run()
    expect(b.transport.keepSession(b.heard.sessions[0]!)).toBe(true)
    for (let i = 0; i < 5000; i++) {
      a.transport.renewNonce()
      a.transport.send(B, body('other session'))
    }
    network.run()
    network.inject(wire[0]!, STRANGER, B)
    network.run()
    expect(b.heard.drops).toEqual([['replayed', STRANGER]])

    b.transport.releaseSession(b.heard.sessions[0]!)
    for (let i = 0; i < 5000; i++) {
      a.transport.renewNonce()
      a.transport.send(B, body('other session'))
    }
    network.run()
    expect(b.transport.keepSession(b.heard.sessions[0]!)).toBe(false)
  })

  it('plaintext against keys, and keys against plaintext, are dropped with their cause', async () => {
    const [sealed, plain] = [await start(A), await start(B, { keys: [] })]
    sealed.transport.send(B, body('hidden'))
    plain.transport.send(A, body('open'))
    network.run()
    expect(plain.heard.drops).toEqual([['sealed', A]])
    expect(sealed.heard.drops).toEqual([['plaintext', B]])
    expect([...plain.heard.bodies, ...sealed.heard.bodies]).toEqual([])
  })

  it('another key is dropped with its cause', async () => {
    const [a, b] = [await start(A, { keys: [OTHER_KEY] }), await start(B)]
    a.transport.send(B, body('who'))
    network.run()
    expect(b.heard.drops).toEqual([['unknown-key', A]])
  })

  it('a key that is no key is an error of start, and nothing is bound', async () => {
    await expect(start(A, { keys: ['secret'] })).rejects.toMatchObject({ code: 'ERR_KEY_INVALID' })
    const { heard } = await start(B)
    network.inject(new Uint8Array(4), STRANGER, A)
    network.run()
    expect(heard.drops).toEqual([])
  })

  it('a port that cannot be bound is an error of start', async () => {
    const runtime = network.runtime(1)
    runtime.listen = async () => {
      throw new HearsayError('ERR_BIND_FAILED', 'taken')
    }
    const options = {
      bind: A,
      label: '',
      keys: [KEY],
      maxInboundStreams: 1,
      streamIdleMs: 1,
      streamLifetimeMs: 1,
      maxStreamBytes: 1,
      handshakeTimeoutMs: 1,
    }
    const handlers = { onPacket() {}, onStream: () => undefined, onFault() {} }
    const disposal = vi.spyOn(Keyring.prototype, 'dispose')
    await expect(SecureTransport.start(runtime, options, handlers)).rejects.toMatchObject({
      code: 'ERR_BIND_FAILED',
    })
    expect(disposal).toHaveBeenCalledTimes(1)
    disposal.mockRestore()
  })
})

describe('a closed transport', () => {
  it('has wiped its keys and hears nothing that its runtime may still deliver', async () => {
    const runtime = network.runtime(1)
    const listen = runtime.listen
    let port: TransportHandlers | undefined
    runtime.listen = (bind, handlers) => {
      port = handlers
      return listen(bind, handlers)
    }
    const heard: unknown[] = []
    const handlers = {
      onPacket: (body: Uint8Array) => heard.push(body),
      onStream: () => undefined,
      onFault() {},
      onDrop: (cause: DropCause) => heard.push(cause),
    }
    const options = {
      label: 'blue',
      keys: [KEY],
      maxInboundStreams: 1,
      streamIdleMs: 1,
      streamLifetimeMs: 1,
      maxStreamBytes: 1,
      handshakeTimeoutMs: 1,
    }
    const transport = await SecureTransport.start(runtime, { bind: B, ...options }, handlers)
    const disposal = vi.spyOn(Keyring.prototype, 'dispose')
    await transport.close()
    expect(disposal).toHaveBeenCalledTimes(1)
    disposal.mockRestore()
    port!.onPacket(new Uint8Array(50), A)
    const pipe: ByteStream = { remoteAddress: A, write: () => true, end() {}, destroy() {} }
    expect(port!.onStream(pipe)).toBeUndefined()
    expect(heard).toEqual([])
    expect(transport.counts.packetsIn).toBe(0)
  })
})

describe('the witness', () => {
  it('says whether a bare connection comes about, once, and leaves nothing behind', async () => {
    const [a, b] = [await start(A), await start(B)]
    const told: [string, boolean][] = []
    network.silent.add('10.0.0.8:1')
    a.transport.witness(B, 500, (reached) => told.push(['there', reached]))
    a.transport.witness('10.0.0.9:1', 500, (reached) => told.push(['refused', reached]))
    a.transport.witness('10.0.0.8:1', 500, (reached) => told.push(['silent', reached]))
    expect(told).toEqual([])
    network.run(499)
    expect(told).toEqual([
      ['there', true],
      ['refused', false],
    ])
    network.run(5000)
    expect(told.slice(2)).toEqual([['silent', false]])
    expect(b.heard.drops).toEqual([])
    expect(b.transport.counts.streamsOpen).toBe(0)
  })

  it('is silent once the transport is closed', async () => {
    const { transport } = await start(A)
    const told: boolean[] = []
    transport.witness(B, 500, (reached) => told.push(reached))
    await transport.close()
    transport.witness(B, 500, (reached) => told.push(reached))
    network.run(1000)
    expect(told).toEqual([])
  })
})
