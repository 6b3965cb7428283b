import { createSocket } from 'node:dgram'
import { afterEach, describe, expect, it } from 'vitest'
import { closeAll, hasIpv6Loopback, listen, portOf, Recorder, runtime, until, utf8 } from './loopback.ts'

afterEach(closeAll)

describe('packets', () => {
  it('arrive with the address of their sender', async () => {
    const [here, there] = [new Recorder(), new Recorder()]
    const [a, b] = [await listen(here), await listen(there)]
    a.send(b.address, utf8('ping'))
    await until(() => there.packets.length === 1)
    expect(there.packets).toEqual([{ text: 'ping', from: a.address }])
    b.send(there.packets[0]!.from, utf8('ack'))
    await until(() => here.packets.length === 1)
    expect(here.packets).toEqual([{ text: 'ack', from: b.address }])
  })

  it.skipIf(!hasIpv6Loopback)('travel over IPv6 (needs ::1)', async () => {
    const there = new Recorder()
    const [a, b] = [await listen(new Recorder(), '[::1]:0'), await listen(there, '[0::1]:0')]
    expect(b.address).toBe(`[::1]:${portOf(b)}`)
    a.send(`[0:0::1]:${portOf(b)}`, utf8('ping'))
    await until(() => there.packets.length === 1)
    expect(there.packets).toEqual([{ text: 'ping', from: a.address }])
  })

  it.skipIf(!hasIpv6Loopback)(
    'of both families reach a port bound to [::], IPv4 by its plain address (needs ::1)',
    async () => {
      const [both, four, six] = [new Recorder(), new Recorder(), new Recorder()]
      const dual = await listen(both, '[::]:0')
      const [a, b] = [await listen(four, '127.0.0.1:0'), await listen(six, '[::1]:0')]
      a.send(`127.0.0.1:${portOf(dual)}`, utf8('4'))
      b.send(`[::1]:${portOf(dual)}`, utf8('6'))
      await until(() => both.packets.length === 2)
      expect(both.packets.map(({ from }) => from).sort()).toEqual([a.address, b.address].sort())
      for (const { from } of both.packets) dual.send(from, utf8('back'))
      await until(() => four.packets.length === 1 && six.packets.length === 1)
    },
  )

  it('are plain bytes that belong to the receiver', async () => {
    const there = new Recorder()
    const received: Uint8Array[] = []
    there.handlers.onPacket = (packet) => {
      received.push(packet)
    }
    const [a, b] = [await listen(new Recorder()), await listen(there)]
    for (let i = 0; i < 3; i++) a.send(b.address, Uint8Array.of(i))
    await until(() => received.length === 3)
    expect(received.some((bytes) => Buffer.isBuffer(bytes))).toBe(false)
    expect(received).toEqual([Uint8Array.of(0), Uint8Array.of(1), Uint8Array.of(2)])
    expect(new Set(received.map((bytes) => bytes.buffer)).size).toBe(3)
  })

  it('that cannot be sent are lost without an exception, and the port lives on', async () => {
    const there = new Recorder()
    const here = new Recorder()
    const [a, b] = [await listen(here), await listen(there)]
    const closed = createSocket('udp4')
    await new Promise<void>((resolve) => closed.bind(0, '127.0.0.1', resolve))
    const nobody = `127.0.0.1:${closed.address().port}`
    await new Promise<void>((resolve) => closed.close(resolve))

    for (let i = 0; i < 5; i++) a.send(nobody, utf8('refused by ICMP'))
    a.send(b.address, new Uint8Array(70_000))
    a.send('192.0.2.1:9', utf8('not from the loopback'))
    a.send('255.255.255.255:9', utf8('broadcast'))
    a.send('[::1]:9', utf8('other family'))
    a.send('127.0.0.1:0', utf8('port 0'))
    a.send('localhost:9', utf8('a name'))
    a.send('', utf8('nothing'))
    a.send(b.address, utf8('still here'))
    await until(() => there.packets.length === 1)
    expect(there.packets[0]!.text).toBe('still here')
    expect(here.faults).toEqual([])
  })

  it('are neither sent nor delivered once the port is closed', async () => {
    const [here, there] = [new Recorder(), new Recorder()]
    const [a, b] = [await listen(here), await listen(there)]
    const closing = a.close()
    a.send(b.address, utf8('late'))
    b.send(a.address, utf8('later'))
    await closing
    a.send(b.address, utf8('too late'))
    b.send(b.address, utf8('own'))
    await until(() => there.packets.length > 0)
    expect(there.packets.map(({ text }) => text)).toEqual(['own'])
    expect(here.packets).toEqual([])
  })

  it('that waited through a blocked event loop are all delivered before afterPendingIo calls back', async () => {
    const there = new Recorder()
    const [a, b] = [await listen(new Recorder()), await listen(there)]
    const counts: number[] = []
    const judge = () => runtime.afterPendingIo(() => counts.push(there.packets.length))
    await new Promise<void>((resolve) => {
      runtime.setTimer(0, () => {
        for (let i = 0; i < 500; i++) a.send(b.address, utf8('x'))
        judge()
        expect(counts).toEqual([])
        runtime.setTimer(0, judge)
        there.handlers.onPacket = ((count) => (packet, from) => {
          there.packets.push({ text: new TextDecoder().decode(packet), from })
          if (++count === 100) judge()
        })(0)
        resolve()
      })
    })
    await until(() => counts.length === 3)
    expect(counts).toEqual([500, 500, 500])
  })

  it('that arrived during a poll, before the asking, are delivered before afterPendingIo calls back', async () => {
    const [asked, there] = [new Recorder(), new Recorder()]
    const [a, b] = [await listen(asked), await listen(there)]
    const counted = new Promise<number>((resolve) => {
      asked.handlers.onPacket = () => {
        for (let i = 0; i < 10; i++) a.send(b.address, utf8('x'))
        runtime.afterPendingIo(() => resolve(there.packets.length))
      }
    })
    a.send(a.address, utf8('x'))
    expect(await counted).toBe(10)
  })

  it('that never stop coming do not keep afterPendingIo from calling back', async () => {
    const there = new Recorder()
    const b = await listen(there)
    let sent = 0
    there.handlers.onPacket = () => {
      sent++
      b.send(b.address, utf8('x'))
    }
    for (let i = 0; i < 100; i++) b.send(b.address, utf8('x'))
    await new Promise<void>((resolve) => runtime.afterPendingIo(resolve))
    expect(sent).toBeGreaterThan(10_000)
  })
})
