import { describe, expect, it } from 'vitest'
import { LinuxRouteKernel, parseRoutes } from '../../src/agent/linux-route-kernel.ts'
import { type RouteRow, routeRules } from '../../src/agent/route-rows.ts'

const ROUTE = { dst: '10.42.1.0/24', gateway: '10.77.0.2', dev: 'eth0', metric: 116, flags: [] }
const ROW: RouteRow = { destination: '10.42.1.0/24', via: '10.77.0.2', device: 'eth0' }

describe('routes in a dump', () => {
  it('are rows like those that were put', () => {
    const ipv6 = { dst: 'fd42::7', gateway: 'fd77::2', dev: 'eth0', metric: 116, flags: [], pref: 'medium' }
    expect(parseRoutes([ROUTE, ipv6], 116)).toEqual([
      ROW,
      { destination: 'fd42::7/128', via: 'fd77::2', device: 'eth0' },
    ])
  })

  it('stay what they are while a link is down or a driver takes them over', () => {
    expect(parseRoutes([{ ...ROUTE, flags: ['linkdown', 'dead', 'offload'] }], 116)).toEqual([ROW])
  })

  it.each<[string, Readonly<Record<string, unknown>>, Partial<RouteRow>]>([
    ['an MTU', { ...ROUTE, metrics: [{ mtu: 500 }] }, { oddity: 'metrics [{"mtu":500}]' }],
    ['a gateway that need not be there', { ...ROUTE, flags: ['onlink'] }, { oddity: 'onlink' }],
    ['another metric', { ...ROUTE, metric: 7 }, { metric: 7 }],
    ['no metric', { dst: ROUTE.dst, gateway: ROUTE.gateway, dev: 'eth0', flags: [] }, { metric: 0 }],
    [
      'no gateway',
      { type: 'blackhole', dst: ROUTE.dst, metric: 116, flags: [] },
      { via: '', oddity: 'type "blackhole"' },
    ],
    ['no end', { ...ROUTE, dst: 'default' }, { destination: '0.0.0.0/0' }],
    ['no end, of IPv6', { ...ROUTE, dst: 'default', gateway: 'fd77::2' }, { destination: '::/0' }],
  ])('are never right with %s', (_, route, row) => {
    const [parsed] = parseRoutes([route], 116) as [RouteRow]
    expect(parsed).toMatchObject(row)
    expect(routeRules.same(parsed, ROW) && routeRules.slotOf(parsed) === routeRules.slotOf(ROW)).toBe(false)
  })

  it('have slots of their own when they are several to one destination', () => {
    const rows = parseRoutes([ROUTE, ROUTE, { ...ROUTE, metric: 7 }, { ...ROUTE, metric: 7 }], 116)
    expect(new Set(rows.map(routeRules.slotOf)).size).toBe(4)
    expect(rows[0]).toEqual(ROW)
  })
})

describe('route rows', () => {
  it('are equal on any device unless they name one', () => {
    const { device: _, ...anywhere } = ROW
    expect(routeRules.same(ROW, anywhere)).toBe(true)
    expect(routeRules.same(anywhere, ROW)).toBe(true)
    expect(routeRules.same(ROW, { ...ROW, device: 'eth1' })).toBe(false)
  })
})

describe('the kernel of routes', () => {
  it.each([
    { protocol: 4 },
    { protocol: 256 },
    { metric: 0 },
    { metric: 1.5 },
    { table: 0 },
    { table: 2 ** 32 },
  ])('refuses %j', (options) => {
    const make = () => new LinuxRouteKernel(options, async () => '[]')
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }))
  })
})
