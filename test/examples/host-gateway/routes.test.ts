import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Links, parseAddresses, parseRoutes, wayTo } from '../../../examples/host-gateway/links.ts'
import { type Viewpoint, wantedRoutes } from '../../../examples/host-gateway/routes.ts'
import { subnetCodec } from '../../../examples/host-gateway/subnets.ts'
import { poolOf } from './fleet.ts'

/** As `ip -json address show` and `ip -json -N route show table main` print them, shortened. */
const ADDRESSES = [
  { ifindex: 1, ifname: 'lo', addr_info: [{ family: 'inet', local: '127.0.0.1', prefixlen: 8 }] },
  {
    ifindex: 2,
    ifname: 'eth0',
    addr_info: [
      { family: 'inet', local: '10.77.0.1', prefixlen: 24 },
      { family: 'inet', local: '10.78.0.1', prefixlen: 24 },
    ],
  },
  { ifindex: 3, ifname: 'br0', addr_info: [] },
]
const ROUTES = [
  { dst: 'default', gateway: '10.77.0.254', dev: 'eth0', flags: [] },
  { dst: '10.77.0.0/24', dev: 'eth0', protocol: '2', scope: '253', prefsrc: '10.77.0.1', flags: [] },
  { dst: '10.77.0.9', gateway: '10.77.0.254', dev: 'eth0', flags: [] },
  { dst: '10.79.0.0/24', nexthops: [{ gateway: '10.77.0.3' }, { gateway: '10.77.0.4' }], flags: [] },
  { type: '6', dst: '10.80.0.0/16', flags: [] },
  { dst: '10.42.5.0/24', gateway: '10.77.0.5', dev: 'eth0', protocol: '116', flags: [] },
]
const LINKS: Links = { addresses: parseAddresses(ADDRESSES), routes: parseRoutes(ROUTES, 4, 116) }
const H1: Viewpoint = { name: 'h1', gateway: '10.77.0.1', pool: poolOf('10.42.0.0/16', 24), links: LINKS }

type Entry = [string, { value: { gateway: string }; owner: string }]
const at = (subnet: string, gateway: string, owner: string): Entry => [subnet, { value: { gateway }, owner }]

describe('the links of a host', () => {
  it('tell its addresses', () => {
    expect(LINKS.addresses.map(({ ip }) => ip)).toEqual(['127.0.0.1', '10.77.0.1', '10.78.0.1'])
  })

  it.each([
    ['10.77.0.2', 'link', 'over the link'],
    ['10.78.0.2', 'router', 'by the default route, whatever addresses there are'],
    ['10.77.0.9', 'router', 'by the longest prefix'],
    ['10.79.0.1', 'router', 'by one of several routers'],
    ['10.80.0.1', 'router', 'not, where a route blocks it'],
    ['fd77::2', 'none', 'not at all in the other family'],
  ])('lead to %s: %s, %s', (ip, type) => {
    expect(wayTo(LINKS, ip).type).toBe(type)
  })

  it('do not count the routes of the agent itself', () => {
    expect(LINKS.routes).toHaveLength(5)
  })
})

describe('the routes of a host', () => {
  it('lead to the subnets of all others by their gateways, and to its own not at all', () => {
    const { rows, problems } = wantedRoutes(
      [
        at('10.42.2.0/24', '10.77.0.2', 'h2'),
        at('10.42.1.0/24', '10.77.0.1', 'h1'),
        at('10.42.3.0/24', '10.77.0.3', 'h3'),
      ],
      H1,
    )
    expect(rows).toEqual([
      { destination: '10.42.2.0/24', via: '10.77.0.2' },
      { destination: '10.42.3.0/24', via: '10.77.0.3' },
    ])
    expect(problems).toEqual([])
  })

  it.each([
    [
      'behind a router',
      at('10.42.4.0/24', '192.0.2.4', 'h4'),
      'ERR_GATEWAY_NOT_ON_LINK',
      /router .*10\.77\.0\.254.* overlay mode/,
    ],
    ['of the other family', at('10.42.4.0/24', 'fd77::4', 'h4'), 'ERR_GATEWAY_NOT_ON_LINK', /on no link/],
    [
      'that gives our address as its own',
      at('10.42.4.0/24', '10.77.0.1', 'h4'),
      'ERR_GATEWAY_TAKEN',
      /10\.77\.0\.1.*--gateway/,
    ],
    [
      'that gives our second address as its own',
      at('10.42.4.0/24', '10.78.0.1', 'h4'),
      'ERR_GATEWAY_TAKEN',
      /10\.78\.0\.1/,
    ],
    [
      'with a subnet of another range',
      at('10.43.4.0/24', '10.77.0.4', 'h4'),
      'ERR_SUBNET_INVALID',
      /10\.42\.0\.0\/16.*--range/,
    ],
    [
      'with a subnet of another length',
      at('10.42.0.0/20', '10.77.0.4', 'h4'),
      'ERR_SUBNET_INVALID',
      /length 24/,
    ],
    [
      'that claims the whole world',
      at('0.0.0.0/0', '10.77.0.4', 'h4'),
      'ERR_SUBNET_INVALID',
      /--subnet-length/,
    ],
    [
      'that claims no subnet at all',
      at('10.42.4.0/24 dev lo', '10.77.0.4', 'h4'),
      'ERR_SUBNET_INVALID',
      /h4/,
    ],
  ])('do not lead to a host %s: it is named, and the others have theirs', (_, strange, code, message) => {
    const { rows, problems } = wantedRoutes([strange, at('10.42.2.0/24', '10.77.0.2', 'h2')], H1)
    expect(rows).toEqual([{ destination: '10.42.2.0/24', via: '10.77.0.2' }])
    expect(problems).toEqual([{ code, subject: 'h4', message: expect.stringMatching(message) }])
  })

  it('lead to subnets of the range only, over links only, and whatever has no route has a problem', () => {
    const subnet = fc.oneof(
      fc.nat({ max: 255 }).map((n) => `10.42.${n}.0/24`),
      fc.constant('10.43.0.0/24'),
      fc.string(),
    )
    const gateway = fc.oneof(
      fc.nat({ max: 255 }).map((n) => `10.77.0.${n}`),
      fc.ipV4(),
      fc.ipV6(),
    )
    const entry = fc.tuple(subnet, gateway, fc.constantFrom('h1', 'h2', 'h3')).map((parts) => at(...parts))
    fc.assert(
      fc.property(fc.uniqueArray(entry, { selector: ([key]) => key }), (entries) => {
        const { rows, problems } = wantedRoutes(entries, H1)
        const others = entries.filter(([, { owner }]) => owner !== 'h1')
        expect(rows.length + problems.length).toBe(others.length)
        for (const { destination, via } of rows) {
          expect(H1.pool.has(destination)).toBe(true)
          expect(wayTo(LINKS, via)).toEqual({ type: 'link' })
          expect(via).not.toBe(H1.gateway)
        }
      }),
    )
  })
})

describe('the codec of claims', () => {
  const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

  it('gives back what it was given, spelled as the kernel does', () => {
    expect(subnetCodec.decode(subnetCodec.encode({ gateway: '10.77.0.1' }))).toEqual({ gateway: '10.77.0.1' })
    expect(subnetCodec.decode(bytes({ gateway: 'FD77::0:1', more: 1 }))).toEqual({ gateway: 'fd77::1' })
  })

  it.each([
    null,
    7,
    {},
    { gateway: 7 },
    { gateway: '10.77.0.1 dev lo' },
    { gateway: '224.0.0.1' },
    { gateway: 'fe80::1' },
  ])('throws at %j', (value) => {
    expect(() => subnetCodec.decode(bytes(value))).toThrow(TypeError)
  })
})
