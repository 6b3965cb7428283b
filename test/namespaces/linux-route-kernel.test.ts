import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { Lab, type LabHost } from '../../examples/lab/lab.ts'
import { difference } from '../../src/agent/kernel.ts'
import { LinuxRouteKernel, type RouteKernelOptions } from '../../src/agent/linux-route-kernel.ts'
import { iproute2, type Run } from '../../src/agent/node-commands.ts'
import { RefusedRowsError } from '../../src/agent/refused-rows.ts'
import type { RouteRow } from '../../src/agent/route-rows.ts'
import { describeOnKernel } from './requirements.ts'

const ROWS: RouteRow[] = [
  { destination: '10.42.1.0/24', via: '10.77.0.101' },
  { destination: '10.42.2.7/32', via: '10.77.0.102' },
  { destination: 'fd42:1::/64', via: 'fd77::101' },
  { destination: 'fd42:2::7/128', via: 'fd77::102' },
]
const [FIRST] = ROWS as [RouteRow]

const sorted = (rows: readonly RouteRow[]): RouteRow[] =>
  [...rows].sort((a, b) => (a.destination < b.destination ? -1 : 1))
const onUnderlay = (rows: readonly RouteRow[]): RouteRow[] =>
  sorted(rows.map((row) => ({ ...row, device: 'underlay' })))

describeOnKernel('routes in the Linux kernel', () => {
  let lab: Lab
  let run: Run
  let kernel: LinuxRouteKernel

  const kernelWith = (options: RouteKernelOptions = {}): LinuxRouteKernel =>
    new LinuxRouteKernel(options, run)
  const byHand = (line: string): Promise<string> => run('ip', line.split(' '))
  /** Makes the kernel hold these rows, as one pass of a reconciler does. */
  const reconcile = async (desired: readonly RouteRow[]): Promise<void> => {
    await kernel.apply(difference(kernel, desired, await kernel.dump()))
  }

  beforeAll(async () => {
    lab = Lab.build(1)
    run = iproute2((lab.hosts[0] as LabHost).namespace)
    await byHand('address add fd77::1/64 dev underlay nodad')
  })
  beforeEach(() => {
    kernel = kernelWith()
  })
  afterEach(async () => {
    await kernel.remove()
    for (const family of ['-4', '-6']) await byHand(`${family} route flush proto static`)
  })
  afterAll(() => lab?.remove())

  it('are found in the next dump just as they were put, in both families', async () => {
    await kernel.apply({ put: ROWS, remove: [] })
    expect(sorted(await kernel.dump())).toEqual(onUnderlay(ROWS))
  })

  it('carry their protocol and metric, so that anybody can tell whose they are', async () => {
    await kernel.apply({ put: ROWS, remove: [] })
    expect(await byHand('route show 10.42.1.0/24')).toContain('proto 116 metric 116')
    expect(await byHand('-6 route show fd42:1::/64')).toContain('proto 116 metric 116')
  })

  it('follow a subnet that moves to another host', async () => {
    await reconcile(ROWS)
    const moved = ROWS.map((row) => ({ ...row, via: row.via.replace(/10(\d)$/, '20$1') }))
    await reconcile(moved)
    expect(sorted(await kernel.dump())).toEqual(onUnderlay(moved))
  })

  it('live in a table of their own where one is named', async () => {
    kernel = kernelWith({ table: 4711 })
    expect(await kernel.dump()).toEqual([])
    await reconcile(ROWS)
    expect(await byHand('route show 10.42.1.0/24')).toBe('')
    expect(await byHand('route show table 4711')).toContain('10.42.1.0/24')
  })

  it.each([
    ['a missing route', ['route del 10.42.1.0/24 proto 116']],
    ['a route via another host', ['route replace 10.42.1.0/24 via 10.77.0.9 proto 116 metric 116']],
    ['an IPv6 route via another host', ['route replace fd42:1::/64 via fd77::9 proto 116 metric 116']],
    [
      'a route with attributes of its own',
      ['route replace 10.42.1.0/24 via 10.77.0.101 proto 116 metric 116 mtu 600'],
    ],
    ['a route that is a black hole', ['route replace blackhole 10.42.1.0/24 proto 116 metric 116']],
    [
      'routes over several gateways',
      [
        'route replace 10.42.1.0/24 proto 116 metric 116 nexthop via 10.77.0.8 nexthop via 10.77.0.9',
        'route append fd42:1::/64 via fd77::9 proto 116 metric 116',
      ],
    ],
    ['a second route behind ours', ['route append 10.42.1.0/24 via 10.77.0.9 proto 116 metric 116']],
    [
      'a second route before ours',
      [
        'route replace 10.42.1.0/24 via 10.77.0.9 proto 116 metric 116',
        'route append 10.42.1.0/24 via 10.77.0.101 proto 116 metric 116',
      ],
    ],
    [
      'routes that nobody wants, with whatever metric',
      [
        'route add 10.42.9.0/24 via 10.77.0.9 proto 116 metric 116',
        'route add 10.42.1.0/24 via 10.77.0.9 proto 116 metric 7',
        'route add default via 10.77.0.9 proto 116',
        'route add default via fd77::9 proto 116',
        'route add blackhole fd42:9::/64 proto 116',
      ],
    ],
    [
      'a device taken down and up, which empties its tables',
      ['link set underlay down', 'link set underlay up'],
    ],
  ])('are repaired after %s', async (_, lines) => {
    await reconcile(ROWS)
    for (const line of lines) await byHand(line)
    if (lines.length > 1 && lines[0] === 'link set underlay down') {
      await byHand('address replace fd77::1/64 dev underlay nodad')
    }
    await reconcile(ROWS)
    expect(sorted(await kernel.dump())).toEqual(onUnderlay(ROWS))
  })

  it('of others to the same destination with another metric stay', async () => {
    await byHand('route add 10.42.1.0/24 via 10.77.0.9 proto static metric 7')
    await byHand('route add fd42:1::/64 via fd77::9 proto static metric 7')
    await reconcile(ROWS)
    await reconcile([])
    expect(await byHand('route show 10.42.1.0/24')).toContain('10.77.0.9')
    expect(await byHand('-6 route show fd42:1::/64')).toContain('fd77::9')
  })

  it('of others with the very same metric are neither replaced nor removed: ours is refused', async () => {
    await byHand('route add 10.42.1.0/24 via 10.77.0.9 proto static metric 116')
    await byHand('route add fd42:1::/64 via fd77::9 proto static metric 116')
    await kernel.dump()
    const error = await kernel.apply({ put: ROWS, remove: [] }).catch((error) => error)
    expect(error).toBeInstanceOf(RefusedRowsError)
    expect(error.refused).toMatchObject([
      { row: ROWS[0], code: 'ERR_ROUTE_FOREIGN' },
      { row: ROWS[2], code: 'ERR_ROUTE_FOREIGN' },
    ])
    await kernel.remove()
    expect(await byHand('route show 10.42.1.0/24')).toContain('10.77.0.9')
    expect(await byHand('-6 route show fd42:1::/64')).toContain('fd77::9')
  })

  it('of another agent, with another protocol number, are not ours', async () => {
    const other = kernelWith({ protocol: 117, metric: 117 })
    await other.apply({ put: ROWS, remove: [] })
    expect(await kernel.dump()).toEqual([])
    await kernel.apply({ put: [], remove: ROWS })
    expect(await other.dump()).toHaveLength(ROWS.length)
    await other.remove()
  })

  it('to a gateway that is on no link of this host fail alone, with an error that names it', async () => {
    await byHand('route add default via 10.77.0.254 proto static')
    const behindARouter = { destination: '10.42.8.0/24', via: '10.99.0.8' }
    const nowhere = { destination: 'fd42:8::/64', via: 'fd99::8' }
    const error = await kernel.apply({ put: [behindARouter, ...ROWS, nowhere], remove: [] }).catch((e) => e)
    expect(error.code).toBe('ERR_ROWS_REFUSED')
    expect(error.refused).toMatchObject([
      { row: behindARouter, code: 'ERR_GATEWAY_NOT_ON_LINK', reason: expect.stringContaining('10.99.0.8') },
      { row: nowhere, code: 'ERR_GATEWAY_NOT_ON_LINK', reason: expect.stringContaining('fd99::8') },
    ])
    expect(sorted(await kernel.dump())).toEqual(onUnderlay(ROWS))
  })

  it('may be gone already when they are removed', async () => {
    await kernel.apply({ put: [], remove: ROWS })
    expect(await kernel.dump()).toEqual([])
  })

  it('that are no routes become no commands, and keep no others from being put', async () => {
    const hostile: RouteRow[] = [
      { destination: '0.0.0.0/0', via: '10.77.0.9' },
      { destination: '10.42.3.1/24', via: '10.77.0.9' },
      { destination: '10.42.3.0/24', via: 'fd77::9' },
      { destination: '10.42.3.0/24\nlink del underlay', via: '10.77.0.9' },
      { destination: '10.42.3.0/24', via: '10.77.0.9 dev lo' },
      { destination: '10.42.3.0/24', via: '10.77.0.9', device: 'underlay onlink' },
    ]
    const error = await kernel.apply({ put: [...hostile, FIRST], remove: [] }).catch((error) => error)
    expect(error.refused.map(({ row }: { row: RouteRow }) => row)).toEqual(hostile)
    expect(await kernel.dump()).toEqual(onUnderlay([FIRST]))
  })

  it('are all removed in the end, and those of others are not', async () => {
    await byHand('route add 10.42.5.0/24 via 10.77.0.9 proto static')
    await kernel.apply({ put: ROWS, remove: [] })
    await kernel.remove()
    await kernel.remove()
    expect(await kernel.dump()).toEqual([])
    expect(await byHand('route show')).toContain('10.42.5.0/24')
  })
})
