import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, Socket } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { ByteStream, Transport } from '../../src/runtime/runtime.ts'
import {
  closeAll,
  hasIpv6Loopback,
  listen,
  portOf,
  Recorder,
  runtime,
  StreamEvents,
  until,
  utf8,
} from './loopback.ts'

afterEach(closeAll)

interface Pair {
  client: ByteStream
  here: StreamEvents
  server: ByteStream
  there: StreamEvents
  recorder: Recorder
  port: Transport
}

/** Two ends of one open stream. */
async function pair(): Promise<Pair> {
  const recorder = new Recorder()
  const [a, b] = [await listen(new Recorder()), await listen(recorder)]
  const here = new StreamEvents()
  const client = a.connect(b.address, here.handlers)
  await until(() => here.names.length === 1 && recorder.streams.length === 1)
  const { stream: server, events: there } = recorder.streams[0]!
  return { client, here, server, there, recorder, port: b }
}

/** The other side as a plain socket that does only what the test says. */
async function rawPeer(): Promise<{ socket: Socket; stream: ByteStream; events: StreamEvents }> {
  const recorder = new Recorder()
  const port = await listen(recorder)
  const socket = connect({ port: portOf(port), host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  await until(() => recorder.streams.length === 1)
  const { stream, events } = recorder.streams[0]!
  return { socket, stream, events }
}

describe('a stream', () => {
  it('carries bytes in order in both directions', async () => {
    const { client, here, server, there, port } = await pair()
    for (let i = 0; i < 100; i++) client.write(utf8(`${i},`))
    server.write(utf8('welcome'))
    const text = Array.from({ length: 100 }, (_, i) => `${i},`).join('')
    await until(() => there.text.length === text.length && here.text.length === 7)
    expect(there.text).toBe(text)
    expect(here.text).toBe('welcome')
    expect(client.remoteAddress).toBe(port.address)
    expect(server.remoteAddress).toMatch(/^127\.0\.0\.1:\d+$/)
  })

  it.skipIf(!hasIpv6Loopback)('runs over IPv6 (needs ::1)', async () => {
    const there = new Recorder()
    const [a, b] = [await listen(new Recorder(), '[::1]:0'), await listen(there, '[::]:0')]
    const here = new StreamEvents()
    const client = a.connect(`[0::1]:${portOf(b)}`, here.handlers)
    client.end()
    await until(() => here.closes.length === 1)
    expect(here.closes).toEqual([undefined])
    expect(client.remoteAddress).toBe(`[::1]:${portOf(b)}`)
    expect(there.streams[0]!.stream.remoteAddress).toMatch(/^\[::1\]:\d+$/)
  })

  it('may be written to before it is open, and says so by events only, never within the call', async () => {
    const there = new Recorder()
    const [a, b] = [await listen(new Recorder()), await listen(there)]
    const here = new StreamEvents()
    const client = a.connect(b.address, here.handlers)
    client.write(utf8('early'))
    expect(here.names).toEqual([])
    await until(() => there.streams[0]?.events.text === 'early')
    expect(here.names).toEqual(['open'])
    expect(there.streams[0]!.events.names).toEqual(['data'])
  })

  it('leaves the bytes written to the caller, who may use them again at once', async () => {
    const { client, there } = await pair()
    const bytes = new Uint8Array(1 << 20).fill(7)
    for (let i = 0; i < 8; i++) client.write(bytes)
    bytes.fill(0)
    await until(() => there.bytes === 8 << 20)
    expect(there.pieces.every((piece) => piece.every((byte) => byte === 7))).toBe(true)
  })

  it('answers false while more than the high-water mark waits, and tells when it has drained', async () => {
    const { client, here, there } = await pair()
    let written = 0
    while (client.write(new Uint8Array(1 << 16))) written++
    expect(here.drains).toBe(0)
    await until(() => here.drains === 1)
    expect(client.write(Uint8Array.of(1))).toBe(true)
    await until(() => there.bytes === ((written + 1) << 16) + 1)
  })

  it('that is ended delivers everything that waits, then closes both ends in good order', async () => {
    const { client, here, there } = await pair()
    for (let i = 0; i < 64; i++) client.write(new Uint8Array(1 << 17))
    client.end()
    expect(client.write(utf8('ignored'))).toBe(true)
    client.end()
    await until(() => here.closes.length === 1 && there.closes.length === 1)
    expect(there.bytes).toBe(64 << 17)
    expect([here.closes, there.closes]).toEqual([[undefined], [undefined]])
    expect(there.names).toEqual(['data', 'close'])
  })

  it('whose other side has ended is ended here after all that waits is sent', async () => {
    const { socket, stream, events } = await rawPeer()
    while (stream.write(new Uint8Array(1 << 16)));
    stream.write(utf8('last'))
    socket.end()
    let received = ''
    socket.on('data', (bytes) => {
      received = (received + bytes.toString('latin1')).slice(-4)
    })
    await once(socket, 'end')
    expect(received).toBe('last')
    await until(() => events.closes.length === 1)
    expect(events.closes).toEqual([undefined])
  })

  it('whose other side has ended ignores writes', async () => {
    const { socket, stream, events } = await rawPeer()
    let writtenAfterEnd: boolean | undefined
    events.handlers.onClose = (error) => {
      events.closes.push(error)
      writtenAfterEnd = stream.write(utf8('too late'))
    }
    socket.end()
    socket.resume()
    await until(() => events.closes.length === 1)
    expect([events.closes, writtenAfterEnd]).toEqual([[undefined], true])
  })

  it('that is destroyed closes here with an error, and is no good end for the other side', async () => {
    const { client, here, there } = await pair()
    client.destroy()
    expect(here.closes).toEqual([])
    client.destroy()
    client.write(utf8('ignored'))
    client.end()
    await until(() => here.closes.length === 1 && there.closes.length === 1)
    expect(here.closes[0]!.message).toContain('destroyed on this side')
    expect(there.closes[0]).toMatchObject({ code: 'ECONNRESET' })
  })

  it.each([false, true])('that is destroyed drops what waits (after its end: %s)', async (ended) => {
    const { client, here, there } = await pair()
    client.write(new Uint8Array(64 << 20))
    if (ended) client.end()
    client.destroy()
    await until(() => here.closes.length === 1 && there.closes.length === 1)
    expect(here.closes[0]!.message).toContain('destroyed on this side')
    expect(there.bytes).toBeLessThan(32 << 20)
  })

  it('that is destroyed after its end, or before it is open, closes as well', async () => {
    const { client, here, recorder, port } = await pair()
    client.end()
    client.destroy()
    const unopened = new StreamEvents()
    const second = (await listen(new Recorder())).connect(port.address, unopened.handlers)
    second.write(utf8('never'))
    second.destroy()
    await until(() => here.closes.length === 1 && unopened.closes.length === 1)
    expect(unopened.names).toEqual(['close'])
    expect(unopened.closes[0]).toBeInstanceOf(Error)
    expect(recorder.streams.slice(1).every(({ events }) => events.bytes === 0)).toBe(true)
  })

  it('that is ended is given up when the other side never ends', async () => {
    const givenUp: (() => void)[] = []
    const setTimeout = vi.spyOn(Socket.prototype, 'setTimeout').mockImplementation(function (
      this: Socket,
      _ms,
      then,
    ) {
      if (then) givenUp.push(then)
      return this
    })
    const { socket, stream, events } = await rawPeer()
    stream.end()
    await once(socket.resume(), 'end')
    expect(events.closes).toEqual([])
    givenUp[0]!()
    await until(() => events.closes.length === 1)
    expect(events.closes[0]!.message).toContain('did not close the stream in time')
    setTimeout.mockRestore()
    socket.destroy()
  })

  it('whose other side resets closes with an error, once', async () => {
    const { socket, events } = await rawPeer()
    socket.resetAndDestroy()
    await until(() => events.closes.length === 1)
    await new Promise<void>((resolve) => runtime.afterPendingIo(resolve))
    expect(events.closes).toEqual([expect.objectContaining({ code: 'ECONNRESET' })])
  })

  it('that is refused is closed on the other side with an error', async () => {
    const recorder = new Recorder()
    recorder.accepts = false
    const [a, b] = [await listen(new Recorder()), await listen(recorder)]
    const here = new StreamEvents()
    a.connect(b.address, here.handlers)
    await until(() => here.closes.length === 1)
    expect(here.closes[0]).toMatchObject({ code: 'ECONNRESET' })
    expect(recorder.streams[0]!.events.names).toEqual([])
  })

  it('may be answered from within onStream', async () => {
    const recorder = new Recorder()
    recorder.handlers.onStream = (stream) => {
      stream.write(utf8('hello'))
      stream.end()
      return new StreamEvents().handlers
    }
    const [a, b] = [await listen(new Recorder()), await listen(recorder)]
    const here = new StreamEvents()
    a.connect(b.address, here.handlers)
    await until(() => here.closes.length === 1)
    expect([here.names, here.text, here.closes]).toEqual([['open', 'data', 'close'], 'hello', [undefined]])
  })

  it.each([
    ['nobody listens', (port: number) => `127.0.0.1:${port}`, 'ECONNREFUSED'],
    ['the address is malformed', () => 'nonsense', 'cannot open a stream to "nonsense"'],
    ['the address is a name', () => 'localhost:1', 'cannot open a stream'],
    ['the family is not bound', (port: number) => `[::1]:${port}`, 'cannot open a stream'],
  ])('that cannot be opened because %s says so by onClose, once', async (_, addressOf, reason) => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    server.close()
    await once(server, 'close')

    const a = await listen(new Recorder())
    const here = new StreamEvents()
    const stream = a.connect(addressOf(port), here.handlers)
    stream.write(utf8('x'))
    stream.end()
    expect(here.names).toEqual([])
    await until(() => here.closes.length === 1)
    expect(here.names).toEqual(['close'])
    expect(here.closes[0]!.message).toContain(reason)
  })

  it('that came in, with data, while the event loop was blocked is delivered before afterPendingIo calls back', async () => {
    const recorder = new Recorder()
    const port = await listen(recorder)
    const client = `require('net').connect(${portOf(port)}, '127.0.0.1').end('hello', () => process.exit())`
    const received = new Promise<string | undefined>((resolve) => {
      recorder.handlers.onPacket = () => {
        execFileSync(process.execPath, ['-e', client], {
          timeout: 10_000,
          killSignal: 'SIGKILL',
          stdio: ['ignore'],
        })
        runtime.afterPendingIo(() => resolve(recorder.streams[0]?.events.text))
      }
    })
    port.send(port.address, utf8('x'))
    expect(await received).toBe('hello')
  })

  it('is destroyed when its port closes, and none is opened after', async () => {
    const { here, there, port } = await pair()
    const closing = port.close()
    const late = new StreamEvents()
    port.connect('127.0.0.1:9', late.handlers)
    await closing
    expect(there.closes).toEqual([expect.any(Error)])
    await until(() => here.closes.length === 1 && late.closes.length === 1)
    expect(here.closes[0]).toMatchObject({ code: 'ECONNRESET' })
    expect(late.closes[0]!.message).toContain('the port is closed')
  })
})
