import { describe, expect, it } from 'vitest'
import { QueuedEvent } from '../../sim/event-queue.ts'
import { bytes, EXACT, toy, toyWorld } from './toys.ts'

describe('VirtualRuntime', () => {
  it('fires timers in order of time, then of setting, never early and never within setTimer', async () => {
    const { world, driver } = toyWorld()
    const runtime = world.host('a').boot()
    const began = runtime.now()
    const log: string[] = []
    const timer = (delay: number, label: string): void => {
      runtime.setTimer(delay, () => log.push(`${label} ${runtime.now() - began >= delay}`))
    }
    timer(5, 'late')
    timer(0.1 + 0.2, 'fraction')
    timer(0, 'first')
    timer(0, 'second')
    timer(-3, 'past')
    expect(log).toEqual([])
    await driver.advance(10)
    expect(log).toEqual(['first true', 'second true', 'past true', 'fraction true', 'late true'])
  })

  it('never fires a cancelled timer, and cancelling is harmless at any time', async () => {
    const { world, driver } = toyWorld()
    const runtime = world.host('a').boot()
    const log: string[] = []
    const early = runtime.setTimer(1, () => {
      log.push('early')
      early.cancel()
      late.cancel()
    })
    const late = runtime.setTimer(1, () => log.push('late'))
    runtime.setTimer(2, () => log.push('other'))
    await driver.advance(5)
    early.cancel()
    late.cancel()
    await driver.advance(5)
    expect(log).toEqual(['early', 'other'])
  })

  it('calls what was deferred after the current step, before any timer or packet', async () => {
    const made = toyWorld()
    const a = await toy(made, 'a')
    const b = await toy(made, 'b')
    a.transport.send(b.address, bytes('packet'))
    b.runtime.setTimer(1, () => {
      b.runtime.setTimer(0, () => b.log.push('timer'))
      b.runtime.defer(() => {
        b.log.push('deferred')
        b.runtime.defer(() => b.log.push('deferred again'))
      })
      b.log.push('step')
    })
    await made.driver.advance(5)
    expect(b.log).toEqual([`${a.address} packet`, 'step', 'deferred', 'deferred again', 'timer'])
  })

  it('gives each node clocks of its own: a monotonic one with its own zero, a wall clock that may be wrong', async () => {
    const { world, driver } = toyWorld()
    const [a, b] = [world.host('a').boot(), world.host('b').boot()]
    expect(a.now()).not.toBe(b.now())
    expect(a.wallClock()).toBe(b.wallClock())
    const before = [a.now(), a.wallClock()] as const
    b.host.clockOffsetMs = -10_000
    await driver.advance(250)
    expect(a.now() - before[0]).toBe(250)
    expect(a.wallClock() - before[1]).toBe(250)
    expect(a.wallClock() - b.wallClock()).toBe(10_000)
  })

  it('resolves names of hosts, and addresses to themselves, in virtual time', async () => {
    const { world, driver } = toyWorld()
    const runtime = world.host('a').boot()
    world.host('b')
    expect(await driver.settled(runtime.resolve('b'))).toEqual(['10.0.0.2'])
    expect(await driver.settled(runtime.resolve('192.0.2.1'))).toEqual(['192.0.2.1'])
    await expect(driver.settled(runtime.resolve('nobody'))).rejects.toThrow('nobody')
    expect(world.now).toBe(3)
  })

  it('binds a port once, only to its own address, and chooses one for port 0', async () => {
    const made = toyWorld()
    const first = await toy(made, 'a')
    expect(first.transport.address).toBe('0.0.0.0:7946')
    await expect(toy(made, 'a')).rejects.toMatchObject({ code: 'ERR_BIND_FAILED' })
    await expect(toy(made, 'a', '10.9.9.9:1')).rejects.toMatchObject({ code: 'ERR_BIND_FAILED' })
    const chosen = await toy(made, 'a', '10.0.0.1:0')
    expect(chosen.transport.address).toMatch(/^10\.0\.0\.1:[1-9]\d+$/)
    await made.driver.settled(first.transport.close())
    await expect(toy(made, 'a')).resolves.toBeDefined()
  })

  it('keeps what a node throws as a fault, and goes on', async () => {
    const { world, driver } = toyWorld()
    const runtime = world.host('a').boot()
    runtime.setTimer(1, () => {
      runtime.defer(() => {
        throw new Error('deferred')
      })
      throw new Error('timer')
    })
    let later = false
    runtime.setTimer(2, () => {
      later = true
    })
    await driver.advance(5)
    expect(world.faults.map(({ node, atMs, error }) => [node, atMs, String(error)])).toEqual([
      ['a', 1, 'Error: timer'],
      ['a', 1, 'Error: deferred'],
    ])
    expect(later).toBe(true)
  })

  it('calls nothing of a dead process', async () => {
    const { world, driver } = toyWorld()
    const runtime = world.host('a').boot()
    const log: string[] = []
    const pending = runtime.setTimer(1, () => log.push('timer'))
    runtime.defer(() => log.push('deferred'))
    runtime.afterPendingIo(() => log.push('io'))
    runtime.resolve('a').then(() => log.push('resolved'))
    world.host('a').crash()
    runtime.setTimer(1, () => log.push('new timer')).cancel()
    pending.cancel()
    await driver.advance(10)
    expect(log).toEqual([])
  })
})

describe('afterPendingIo', () => {
  it('comes after packets that arrive in the same instant, before later ones', async () => {
    const made = toyWorld()
    const a = await toy(made, 'a')
    const b = await toy(made, 'b')
    b.runtime.setTimer(1, () => {
      b.log.push('asked')
      b.runtime.afterPendingIo(() => b.log.push('judged'))
    })
    a.transport.send(b.address, bytes('in time'))
    made.world.schedule(made.world.now + 0.01, sendLater(a.transport.send.bind(a.transport), b.address))
    await made.driver.advance(5)
    expect(b.log).toEqual(['asked', `${a.address} in time`, 'judged', `${a.address} too late`])
  })

  it('waits for everything that lies in the socket of a busy process', async () => {
    const made = toyWorld({ ...EXACT, serviceMs: 2 })
    const a = await toy(made, 'a')
    const b = await toy(made, 'b')
    for (let i = 1; i <= 4; i++) a.transport.send(b.address, bytes(`${i}`))
    b.runtime.setTimer(2, () =>
      b.runtime.afterPendingIo(() => b.log.push(`judged ${made.world.now - began}`)),
    )
    const began = made.world.now
    made.world.schedule(began + 1.5, sendLater(a.transport.send.bind(a.transport), b.address))
    await made.driver.advance(20)
    expect(b.log.map((line) => line.replace(`${a.address} `, ''))).toEqual([
      '1',
      '2',
      '3',
      '4',
      'judged 7',
      'too late',
    ])
  })
})

describe('a paused process', () => {
  it('gets nothing; afterwards timers first, then I/O, then those who wait for pending I/O', async () => {
    const made = toyWorld()
    const a = await toy(made, 'a')
    const b = await toy(made, 'b')
    const began = made.world.now
    b.runtime.setTimer(20, () => {
      b.log.push(`timer ${made.world.now - began}`)
      b.runtime.afterPendingIo(() => b.log.push('judged'))
      b.runtime.defer(() => b.log.push('deferred'))
    })
    b.runtime.setTimer(30, () => b.log.push('second timer'))
    const cancelled = b.runtime.setTimer(40, () => b.log.push('cancelled'))
    b.host.pause(100, false)
    a.transport.send(b.address, bytes('one'))
    await made.driver.advance(50)
    a.transport.send(b.address, bytes('two'))
    expect(b.log).toEqual([])
    cancelled.cancel()
    await made.driver.advance(49)
    expect(b.log).toEqual([])
    await made.driver.advance(2)
    expect(b.log).toEqual([
      'timer 100',
      'deferred',
      'second timer',
      `${a.address} one`,
      `${a.address} two`,
      'judged',
    ])
  })

  it('drops packets beyond its receive buffer', async () => {
    const made = toyWorld({ ...EXACT, socketBufferBytes: 10 * 1512 })
    const a = await toy(made, 'a')
    const b = await toy(made, 'b')
    b.host.pause(100, false)
    for (let i = 0; i < 15; i++) a.transport.send(b.address, new Uint8Array(1000))
    await made.driver.advance(200)
    expect(b.log).toHaveLength(10)
    expect(b.host.traffic.packetsOverflowed).toBe(5)
    b.host.pause(100, false)
    for (let i = 0; i < 15; i++) a.transport.send(b.address, new Uint8Array(1000))
    await made.driver.advance(200)
    expect(b.log).toHaveLength(20)
  })

  it('stays paused until the last of overlapping pauses is over', async () => {
    const made = toyWorld()
    const b = await toy(made, 'b')
    b.runtime.setTimer(1, () => b.log.push('timer'))
    b.host.pause(10, false)
    b.host.pause(30, false)
    b.host.pause(20, false)
    await made.driver.advance(29)
    expect(b.log).toEqual([])
    await made.driver.advance(2)
    expect(b.log).toEqual(['timer'])
  })
})

function sendLater(send: (to: string, packet: Uint8Array) => void, to: string): QueuedEvent {
  return new (class extends QueuedEvent {
    fire(): void {
      send(to, bytes('too late'))
    }
  })()
}
