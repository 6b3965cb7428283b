import { beforeEach, describe, expect, it } from 'vitest'
import { type KernelEvent, KernelMonitor, parseEvent } from '../../src/agent/kernel-monitor.ts'
import type { Clock } from '../../src/agent/node-clock.ts'
import type { FollowListener, Run } from '../../src/agent/node-commands.ts'

describe('what the kernel says it has done', () => {
  it.each<[string, Partial<KernelEvent>]>([
    [
      '[NEIGH]10.77.0.2 dev vx42 lladdr 02:42:00:00:00:02 NOARP PERMANENT ',
      { kind: 'neighbour', device: 'vx42' },
    ],
    ['[NEIGH]Deleted dev vx42 lladdr 02:42:00:00:00:02 NOARP ', { kind: 'neighbour', device: 'vx42' }],
    [
      '[LINK]3: u0@u1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1400 qdisc noqueue state UP \\    link/ether',
      { kind: 'link', device: 'u0' },
    ],
    [
      '[LINK]Deleted 5: vx42: <BROADCAST,MULTICAST> mtu 1450 qdisc noop state DOWN \\    link/ether',
      { kind: 'link', device: 'vx42' },
    ],
    [
      '[ADDR]Deleted 3: u0    inet 10.77.0.1/24 scope global u0\\       valid_lft forever',
      { kind: 'address', device: 'u0' },
    ],
    ['[ROUTE]10.42.1.0/24 via 10.77.0.9 dev u0 proto 116 metric 116 ', { kind: 'route', device: 'u0' }],
    ['[ROUTE]Deleted blackhole 10.42.1.0/24 proto 116 metric 116 ', { kind: 'route', device: '' }],
  ])('is read from %j', (line, event) => {
    expect(parseEvent(line)).toMatchObject(event)
    expect(parseEvent(line)?.text).not.toMatch(/^\[|^Deleted/)
  })

  it.each(['', '[NETCONF]inet vx42 forwarding off', '    link/ether f2:37:43:08:48:39'])(
    'is nothing that anybody asked for in %j',
    (line) => expect(parseEvent(line)).toBeUndefined(),
  )
})

describe('the monitor of a kernel', () => {
  const ROUTE = '[ROUTE]10.42.1.0/24 via 10.77.0.9 dev u0 proto 116 '
  let followers: { readonly listener: FollowListener; isStopped: boolean }[]
  let timers: { readonly delayMs: number; readonly callback: () => void; isCancelled: boolean }[]
  let heard: string[]
  let monitor: KernelMonitor

  const running = (): typeof followers => followers.filter(({ isStopped }) => !isStopped)
  const listen = (name: string): (() => void) =>
    monitor.listen({
      onEvent: ({ kind }) => heard.push(`${name} ${kind}`),
      onGap: () => heard.push(`${name} gap`),
    })
  const fire = (): number => {
    const timer = timers.shift()
    if (timer?.isCancelled === false) timer.callback()
    return timer?.delayMs ?? Number.NaN
  }
  const end = (): void => {
    const [follower] = running()
    if (follower === undefined) throw new Error('nothing runs')
    follower.isStopped = true
    follower.listener.onEnd()
  }

  beforeEach(() => {
    followers = []
    timers = []
    heard = []
    const run: Run = Object.assign(async () => '', {
      follow: (_tool: unknown, _args: unknown, listener: FollowListener) => {
        const follower = { listener, isStopped: false }
        followers.push(follower)
        return () => {
          follower.isStopped = true
        }
      },
    })
    const clock: Clock = {
      now: () => 0,
      randomUint32: () => 0,
      setTimer: (delayMs, callback) => {
        const timer = { delayMs, callback, isCancelled: false }
        timers.push(timer)
        return {
          cancel: () => {
            timer.isCancelled = true
          },
        }
      },
    }
    monitor = new KernelMonitor(run, clock)
  })

  it('is one process, however many listen, and ends with the last of them', () => {
    const stops = ['a', 'b', 'c'].map(listen)
    expect(running()).toHaveLength(1)
    running()[0]?.listener.onLine(ROUTE)
    expect(heard).toEqual(['a route', 'b route', 'c route'])
    stops[0]?.()
    stops[0]?.()
    stops[1]?.()
    expect(running()).toHaveLength(1)
    stops[2]?.()
    expect(running()).toHaveLength(0)
    listen('d')
    expect(running()).toHaveLength(1)
  })

  it('tells those who listen of the gap before it listened itself', () => {
    listen('a')
    expect(heard).toEqual([])
    fire()
    expect(heard).toEqual(['a gap'])
  })

  it('tells of a gap when it may have missed something', () => {
    listen('a')
    running()[0]?.listener.onComplaint('netlink receive error No buffer space available (105)')
    expect(heard).toEqual(['a gap'])
  })

  it('is started again when it ends, with longer and longer pauses until it has lasted', () => {
    listen('a')
    const pauses: number[] = []
    for (let failures = 0; failures < 9; failures++) {
      end()
      timers = timers.filter(({ isCancelled }) => !isCancelled)
      expect(running()).toHaveLength(0)
      pauses.push(fire())
    }
    expect(pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000])
    expect(heard).toEqual([])
    fire()
    expect(heard).toEqual(['a gap'])
    end()
    timers = timers.filter(({ isCancelled }) => !isCancelled)
    expect(fire()).toBe(100)
  })

  it('is not started again once nobody listens', () => {
    const stop = listen('a')
    end()
    stop()
    while (timers.length > 0) fire()
    expect(running()).toHaveLength(0)
  })

  it('may be left by a listener while it is being told', () => {
    const stop = monitor.listen({ onEvent: () => stop(), onGap: () => {} })
    listen('b')
    running()[0]?.listener.onLine(ROUTE)
    running()[0]?.listener.onLine(ROUTE)
    expect(heard).toEqual(['b route', 'b route'])
  })
})
