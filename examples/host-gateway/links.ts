import type { Run } from '../../src/agent/index.ts'
import { contains, type Prefix, parseAddress, parsePrefix } from './prefix.ts'

/** The addresses of a host, and the routes by which it finds its neighbours. */
export interface Links {
  readonly addresses: readonly { readonly device: string; readonly ip: string }[]
  readonly routes: readonly Route[]
}

export interface Route {
  readonly prefix: Prefix
  /** The router that packets go to; undefined where they go right to their destination, over a link. */
  readonly via: string | undefined
}

/** How a host reaches an address: over a link, by a router, or not at all. */
export type Way =
  | { readonly type: 'link' }
  | { readonly type: 'router'; readonly via: string }
  | { readonly type: 'none' }

/**
 * The links of this host for one address family, without routes of a protocol number, which are the agent's
 * own.
 */
export async function readLinks(run: Run, family: 4 | 6, withoutProtocol: number): Promise<Links> {
  const [addresses, routes] = await Promise.all([
    run('ip', [`-${family}`, '-json', 'address', 'show']),
    run('ip', [`-${family}`, '-json', '-N', 'route', 'show', 'table', 'main']),
  ])
  return {
    addresses: parseAddresses(JSON.parse(addresses || '[]')),
    routes: parseRoutes(JSON.parse(routes || '[]'), family, withoutProtocol),
  }
}

type Fields = Readonly<Record<string, unknown>>

/** In the output of `ip -json address show`. */
export function parseAddresses(dump: readonly Fields[]): Links['addresses'] {
  return dump.flatMap(({ ifname, addr_info }) =>
    ((addr_info ?? []) as Fields[]).flatMap(({ local }) =>
      typeof ifname === 'string' && typeof local === 'string' ? [{ device: ifname, ip: local }] : [],
    ),
  )
}

/**
 * In the output of `ip -json -N route show table main`. Routes that lead nowhere count: they stop what is
 * longer.
 */
export function parseRoutes(dump: readonly Fields[], family: 4 | 6, withoutProtocol: number): Route[] {
  return dump.flatMap(({ dst, gateway, via, nexthops, type, protocol }) => {
    const prefix = destination(String(dst), family)
    if (prefix === undefined || String(protocol) === String(withoutProtocol)) return []
    const isLink = gateway === undefined && via === undefined && nexthops === undefined && isUnicast(type)
    return [{ prefix, via: isLink ? undefined : String(gateway ?? 'several routers, or none') }]
  })
}

/** By the longest prefix that contains it, as the kernel looks. */
export function wayTo({ routes }: Links, ip: string): Way {
  const address = parseAddress(ip)
  let best: Route | undefined
  for (const route of routes) {
    const isLonger = best === undefined || route.prefix.length > best.prefix.length
    if (address !== undefined && isLonger && contains(route.prefix, address)) best = route
  }
  if (best === undefined) return { type: 'none' }
  return best.via === undefined ? { type: 'link' } : { type: 'router', via: best.via }
}

function destination(dst: string, family: 4 | 6): Prefix | undefined {
  if (dst === 'default') return { family, first: 0n, length: 0 }
  return parsePrefix(dst) ?? parseAddress(dst)
}

/** The type is left out of dumps for unicast routes, or a name, or with `-N` a number. */
function isUnicast(type: unknown): boolean {
  return type === undefined || type === 'unicast' || type === '1' || type === 1
}
