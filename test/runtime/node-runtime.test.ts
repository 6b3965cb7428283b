import dgram, { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, Server } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { NodeRuntime } from '../../src/runtime/node-runtime.ts'
import type { Transport } from '../../src/runtime/runtime.ts'
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

const sockets: Socket[] = vi.hoisted(() => [])

vi.mock('node:dgram', async (original) => {
  const real = await original<typeof dgram>()
  const recording = (...args: Parameters<typeof dgram.createSocket>): Socket => {
    const socket = real.createSocket(...args)
    sockets.push(socket)
    return socket
  }
  return { ...real, createSocket: recording }
})

afterEach(async () => {
  vi.restoreAllMocks()
  await closeAll()
})

function failOnce(code: string): void {
  vi.spyOn(Server.prototype, 'listen').mockImplementationOnce(function (this: Server) {
    process.nextTick(() => this.emit('error', Object.assign(new Error(`listen ${code}`), { code })))
    return this
  })
}

/** What keeps the process alive, but for what the test runner itself keeps. */
function handles(): string[] {
  return process.getActiveResourcesInfo().filter((name) => /TCP|UDP|Immediate|GetAddrInfo/.test(name))
}

describe('listening', () => {
  it('binds packets and streams to the one port that was asked for', async () => {
    const first = await listen(new Recorder())
    const port = portOf(first)
    await first.close()
    const there = new Recorder()
    const again = await listen(there, `127.0.0.1:${port}`)
    expect(again.address).toBe(`127.0.0.1:${port}`)
    const here = new StreamEvents()
    again.send(again.address, utf8('packet'))
    again.connect(again.address, here.handlers).write(utf8('stream'))
    await until(() => there.packets.length === 1 && there.streams[0]?.events.text === 'stream')
  })

  it('on a name binds its address', async () => {
    const transport = await listen(new Recorder(), 'localhost:0')
    expect(transport.address).toMatch(/^(127\.0\.0\.1|\[::1\]):\d+$/)
  })

  it('on a port whose TCP side is taken fails, names address and cause, and leaves the UDP side free', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const listening = vi.spyOn(Server.prototype, 'listen')
    const bound = runtime.listen(`127.0.0.1:${port}`, new Recorder().handlers)
    await expect(bound).rejects.toMatchObject({
      code: 'ERR_BIND_FAILED',
      message: expect.stringContaining(`cannot bind 127.0.0.1:${port}: something else uses the port`),
      cause: expect.objectContaining({ code: 'EADDRINUSE' }),
    })
    expect(listening).toHaveBeenCalledOnce()
    const packets = createSocket('udp4')
    packets.bind(port, '127.0.0.1')
    await once(packets, 'listening')
    packets.close()
    server.close()
  })

  it('on a port whose UDP side is taken fails and leaves the TCP side free', async () => {
    const packets = createSocket('udp4')
    packets.bind(0, '127.0.0.1')
    await once(packets, 'listening')
    const { port } = packets.address()
    await expect(runtime.listen(`127.0.0.1:${port}`, new Recorder().handlers)).rejects.toMatchObject({
      code: 'ERR_BIND_FAILED',
    })
    const server = createServer().listen(port, '127.0.0.1')
    await once(server, 'listening')
    server.close()
    packets.close()
  })

  it('on port 0 tries other ports while the one chosen for packets is taken for streams', async () => {
    for (let i = 0; i < 5; i++) failOnce('EADDRINUSE')
    const transport = await listen(new Recorder())
    expect(portOf(transport)).toBeGreaterThan(0)
    expect(Server.prototype.listen).toHaveBeenCalledTimes(6)
  })

  it('on port 0 gives up in the end, and at once for any other reason', async () => {
    const before = handles()
    for (let i = 0; i < 1000; i++) failOnce('EADDRINUSE')
    await expect(runtime.listen('127.0.0.1:0', new Recorder().handlers)).rejects.toMatchObject({
      code: 'ERR_BIND_FAILED',
    })
    expect(vi.mocked(Server.prototype.listen).mock.calls.length).toBeLessThan(100)
    vi.restoreAllMocks()
    failOnce('EACCES')
    await expect(runtime.listen('127.0.0.1:0', new Recorder().handlers)).rejects.toThrow(
      'this user may not bind',
    )
    expect(handles()).toEqual(before)
  })

  it('on an address of another host or on no address at all fails with what to do', async () => {
    await expect(runtime.listen('192.0.2.1:0', new Recorder().handlers)).rejects.toThrow(
      /cannot bind 192\.0\.2\.1:0: this host does not have the address/,
    )
    await expect(runtime.listen('7946', new Recorder().handlers)).rejects.toMatchObject({
      code: 'ERR_ADDRESS_INVALID',
    })
  })

  it.skipIf(!hasIpv6Loopback)('on [::] shares its port with no IPv4 listener (needs ::1)', async () => {
    const dual = await listen(new Recorder(), '[::]:0')
    expect(dual.address).toBe(`[::]:${portOf(dual)}`)
    await expect(runtime.listen(`0.0.0.0:${portOf(dual)}`, new Recorder().handlers)).rejects.toMatchObject({
      code: 'ERR_BIND_FAILED',
    })
  })
})

describe('a port', () => {
  it('whose socket fails for good says so once; errors that pass are not told', async () => {
    const recorder = new Recorder()
    await listen(recorder)
    const socket = sockets.at(-1)!
    for (const code of ['ECONNREFUSED', 'ENETUNREACH', 'EMSGSIZE', 'ENETDOWN']) {
      socket.emit('error', Object.assign(new Error(code), { code }))
    }
    expect(recorder.faults).toEqual([])
    const fatal = Object.assign(new Error('recvmsg'), { code: 'EBADF' })
    socket.emit('error', fatal)
    socket.emit('error', fatal)
    expect(recorder.faults).toEqual([fatal])
  })

  it('that is closed has no faults any more', async () => {
    const recorder = new Recorder()
    const transport = await listen(recorder)
    const socket = sockets.at(-1)!
    await transport.close()
    socket.emit('error', Object.assign(new Error('recvmsg'), { code: 'EBADF' }))
    expect(recorder.faults).toEqual([])
  })

  it('loses packets when too many wait in memory already', async () => {
    const transport = await listen(new Recorder())
    const socket = sockets.at(-1)!
    const send = vi.spyOn(socket, 'send')
    vi.spyOn(socket, 'getSendQueueSize').mockReturnValueOnce(16 << 20)
    transport.send(transport.address, utf8('lost'))
    expect(send).not.toHaveBeenCalled()
    transport.send(transport.address, utf8('sent'))
    expect(send).toHaveBeenCalledOnce()
  })

  it('once closed has left no handle behind, whatever was open', async () => {
    const before = handles()
    const there = new Recorder()
    const [a, b]: Transport[] = [await listen(new Recorder()), await listen(there)]
    const here = [new StreamEvents(), new StreamEvents(), new StreamEvents()]
    a!.connect(b!.address, here[0]!.handlers).write(new Uint8Array(16 << 20))
    a!.connect(b!.address, here[1]!.handlers).end()
    await until(() => there.streams.length === 2)
    a!.connect(b!.address, here[2]!.handlers)
    a!.send(b!.address, utf8('x'))
    expect(handles().length).toBeGreaterThan(before.length)
    await Promise.all([a!.close(), b!.close(), a!.close()])
    expect(here.map(({ closes }) => closes.length)).toEqual([1, 1, 1])
    expect(there.streams.every(({ events }) => events.closes.length === 1)).toBe(true)
    expect(handles()).toEqual(before)

    const idle = await listen(new Recorder())
    await new Promise((resolve) => runtime.setTimer(1, () => resolve(idle.close())))
    expect(handles()).toEqual(before)
    await idle.close()
  })
})

describe('time', () => {
  it('never calls a timer back early', async () => {
    const delays = Array.from({ length: 200 }, (_, i) => (i % 40) / 3)
    const early = await Promise.all(
      delays.map(
        (delayMs) =>
          new Promise<boolean>((resolve) => {
            const start = runtime.now()
            runtime.setTimer(delayMs, () => resolve(runtime.now() < start + delayMs))
          }),
      ),
    )
    expect(early).not.toContain(true)
  })

  it('keeps delays that are longer than the longest of setTimeout', () => {
    vi.useFakeTimers()
    try {
      const days = 24 * 3600 * 1000
      let fired = false
      new NodeRuntime().setTimer(60 * days, () => {
        fired = true
      })
      vi.advanceTimersByTime(59 * days)
      expect(fired).toBe(false)
      vi.advanceTimersByTime(1 * days)
      expect(fired).toBe(true)
    } finally {
      vi.useRealTimers()
    }
  })

  it('does not call back a timer that was cancelled; cancelling is harmless at any time', async () => {
    const fired: string[] = []
    const cancelled = runtime.setTimer(0, () => fired.push('cancelled'))
    cancelled.cancel()
    cancelled.cancel()
    await new Promise<void>((resolve) => {
      const own = runtime.setTimer(1, () => {
        own.cancel()
        fired.push('own')
        runtime.setTimer(1, resolve)
      })
    })
    expect(fired).toEqual(['own'])
  })

  it('calls deferred work back after the step, in order, before any timer or packet', async () => {
    const order: string[] = []
    const recorder = new Recorder()
    recorder.handlers.onPacket = () => {
      order.push('packet')
    }
    const transport = await listen(recorder)
    await new Promise<void>((resolve) => {
      runtime.setTimer(1, () => {
        runtime.setTimer(0, () => order.push('timer'))
        transport.send(transport.address, utf8('x'))
        runtime.defer(() => {
          order.push('first')
          runtime.defer(() => order.push('nested'))
        })
        runtime.defer(() => order.push('second'))
        order.push('step')
        resolve()
      })
    })
    await until(() => order.length === 6)
    expect(order.slice(0, 4)).toEqual(['step', 'first', 'second', 'nested'])
  })

  it('calls back after pending input also when nothing is open, once for each asking', async () => {
    const alone = new NodeRuntime()
    const order: number[] = []
    await new Promise<void>((resolve) => {
      alone.afterPendingIo(() => {
        order.push(1)
        alone.afterPendingIo(() => {
          order.push(3)
          resolve()
        })
      })
      alone.afterPendingIo(() => order.push(2))
      expect(order).toEqual([])
    })
    expect(order).toEqual([1, 2, 3])
  })

  it('has two clocks', () => {
    const [now, wall] = [runtime.now(), runtime.wallClock()]
    expect(runtime.now()).toBeGreaterThanOrEqual(now)
    expect(Math.abs(wall - Date.now())).toBeLessThan(60_000)
  })
})

describe('randomness', () => {
  it('gives uniform 32-bit integers', () => {
    const bits = new Array<number>(32).fill(0)
    for (let i = 0; i < 10_000; i++) {
      const value = runtime.randomUint32()
      expect(Number.isInteger(value) && value >= 0 && value < 2 ** 32).toBe(true)
      for (let bit = 0; bit < 32; bit++) bits[bit]! += (value >>> bit) & 1
    }
    expect(bits.every((count) => count > 4700 && count < 5300)).toBe(true)
  })

  it('fills every byte of any length, and never gives the same bytes twice', () => {
    const seen = new Set<string>()
    for (let i = 0; i < 2000; i++) {
      const bytes = new Uint8Array(16)
      runtime.fillRandom(bytes)
      seen.add(bytes.join())
    }
    expect(seen.size).toBe(2000)
    for (const length of [0, 1, 255, 256, 257, 4096, 100_000]) {
      const sum = new Uint8Array(length)
      for (let i = 0; i < 8; i++) {
        const bytes = new Uint8Array(length)
        runtime.fillRandom(bytes)
        bytes.forEach((byte, at) => {
          sum[at]! |= byte
        })
      }
      expect(sum.every((byte) => byte !== 0)).toBe(true)
    }
  })
})

describe('resolving', () => {
  it('finds the addresses of a name, in canonical form, each once', async () => {
    const addresses = await runtime.resolve('localhost')
    expect(addresses.length).toBeGreaterThan(0)
    expect(addresses.every((address) => address === '127.0.0.1' || address === '::1')).toBe(true)
    expect(new Set(addresses).size).toBe(addresses.length)
  })

  it('gives an IP address back in canonical form', async () => {
    expect(await runtime.resolve('10.0.0.2')).toEqual(['10.0.0.2'])
    expect(await runtime.resolve('FD00:0::2')).toEqual(['fd00::2'])
  })

  it('rejects when there is no address', async () => {
    await expect(runtime.resolve('no-such-host.invalid')).rejects.toThrow()
  })
})
