import type { RouteRow } from '../../src/agent/index.ts'
import { type Links, wayTo } from './links.ts'
import type { SubnetPool } from './pool.ts'
import type { Problem } from './problem.ts'
import type { SubnetClaim } from './subnets.ts'

/** The host for which routes are wanted. */
export interface Viewpoint {
  /** Its member name. */
  readonly name: string
  readonly gateway: string
  readonly pool: SubnetPool
  readonly links: Links
}

export interface WantedRoutes {
  readonly rows: readonly RouteRow[]
  /** One for each peer that gets no route. */
  readonly problems: readonly Problem[]
}

/**
 * The routes that one host's kernel should hold, given the winning claims: `subnet via host` for each subnet
 * of the range that another host has, and for this host's own none. What is refused is refused alone.
 */
export function wantedRoutes(
  entries: Iterable<readonly [subnet: string, { readonly value: SubnetClaim; readonly owner: string }]>,
  viewpoint: Viewpoint,
): WantedRoutes {
  const rows: RouteRow[] = []
  const problems: Problem[] = []
  for (const [subnet, { value, owner }] of entries) {
    if (owner === viewpoint.name) continue
    const problem = refusal(subnet, value.gateway, owner, viewpoint)
    if (problem === undefined) rows.push({ destination: subnet, via: value.gateway })
    else problems.push(problem)
  }
  return { rows, problems }
}

function refusal(subnet: string, gateway: string, owner: string, viewpoint: Viewpoint): Problem | undefined {
  const { pool, links } = viewpoint
  if (!pool.has(subnet)) {
    const message = `${owner} claims ${subnet}, which is no ${pool}: give all hosts the same --range and --subnet-length`
    return { code: 'ERR_SUBNET_INVALID', subject: owner, message }
  }
  if (gateway === viewpoint.gateway || links.addresses.some(({ ip }) => ip === gateway)) {
    const message = `${owner} says that its address is ${gateway}, which is this host's: correct its --gateway`
    return { code: 'ERR_GATEWAY_TAKEN', subject: owner, message }
  }
  const way = wayTo(links, gateway)
  if (way.type === 'link') return undefined
  const how = way.type === 'router' ? `behind a router (${way.via})` : 'on no link of this host'
  const message =
    `${owner} (${gateway}) is ${how}, so no route can lead to its subnet ${subnet}: ` +
    'host-gateway mode needs all hosts on one L2 segment; use the overlay mode across routers'
  return { code: 'ERR_GATEWAY_NOT_ON_LINK', subject: owner, message }
}
