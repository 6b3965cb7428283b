import { afterEach, describe, expect, it } from 'vitest'
import { HostGatewayAgent, type HostGatewayAgentOptions } from '../../../examples/host-gateway/agent.ts'
import { type BridgeAddress, bridgeAddressRules } from '../../../examples/host-gateway/bridge-address.ts'
import type { AgentEvent } from '../../../examples/host-gateway/events.ts'
import type { Links } from '../../../examples/host-gateway/links.ts'
import { type Prefix, parsePrefix } from '../../../examples/host-gateway/prefix.ts'
import { MemoryKernel, type RouteRow, routeRules } from '../../../src/agent/index.ts'
import { Cluster } from '../../../src/index.ts'
import { poolOf } from './fleet.ts'

const POOL = poolOf('10.42.0.0/16', 24)
const SUBNET = '10.42.7.0/24'
const LEFTOVER: RouteRow = { destination: '10.42.99.0/24', via: '10.77.0.99' }
const PATIENCE = { timeout: 20_000 }

const linksOf = (gateway: string): Links => ({
  addresses: [{ device: 'eth0', ip: gateway }],
  routes: [{ prefix: parsePrefix('10.77.0.0/24') as Prefix, via: undefined }],
})

/** Clusters of real sockets on loopback, with remembered kernels. */
describe('the host gateway agent', () => {
  const clusters: Cluster[] = []
  const agents: HostGatewayAgent[] = []
  const eventsOf = new Map<HostGatewayAgent, AgentEvent[]>()

  const join = async (name: string, seeds = clusters.slice(0, 1)): Promise<Cluster> => {
    const cluster = await Cluster.start({
      name,
      bind: '127.0.0.1:0',
      seeds: seeds.map((seed) => seed.self.address),
      insecure: true,
      profile: 'local',
    })
    clusters.push(cluster)
    return cluster
  }
  const start = async (
    cluster: Cluster,
    number: number,
    changed: Partial<HostGatewayAgentOptions> = {},
  ): Promise<HostGatewayAgent> => {
    const gateway = `10.77.0.${number}`
    const events: AgentEvent[] = []
    const agent = await HostGatewayAgent.start({
      cluster,
      network: 'host-gateway',
      pool: POOL,
      gateway,
      host: { links: async () => linksOf(gateway), problems: async () => [] },
      routes: new MemoryKernel(routeRules),
      quietMs: 100,
      log: (event) => events.push(event),
      ...changed,
    })
    agents.push(agent)
    eventsOf.set(agent, events)
    return agent
  }
  const subnetOf = async (agent: HostGatewayAgent): Promise<string> => {
    await expect.poll(() => agent.subnet, PATIENCE).toBeDefined()
    return agent.subnet as string
  }
  const problemsOf = (agent: HostGatewayAgent): string[] =>
    (eventsOf.get(agent) ?? []).flatMap((event) => (event.event === 'problem' ? [event.code] : []))

  afterEach(async () => {
    await Promise.all(clusters.splice(0).map((cluster) => cluster.close()))
    await Promise.all(agents.splice(0).map((agent) => agent.stop()))
  })

  it('leads the kernels of all others to its subnet, leaves everything as it is when it stops, and withdraws it when it goes down', async () => {
    const kernels = [1, 2, 3].map(() => new MemoryKernel(routeRules))
    const all: HostGatewayAgent[] = []
    for (const [index, routes] of kernels.entries()) {
      all.push(await start(await join(`h${index + 1}`), index + 1, { routes }))
    }
    const [s1, s2, s3] = await Promise.all(all.map(subnetOf))
    const routesOf = (index: number): string[] =>
      (kernels[index]?.rows() ?? []).map(({ destination, via }) => `${destination} via ${via}`).sort()
    await expect
      .poll(() => routesOf(0), PATIENCE)
      .toEqual([`${s2} via 10.77.0.2`, `${s3} via 10.77.0.3`].sort())
    await expect
      .poll(() => routesOf(2), PATIENCE)
      .toEqual([`${s1} via 10.77.0.1`, `${s2} via 10.77.0.2`].sort())
    await all[2]?.stop()
    expect(routesOf(2)).toEqual([`${s1} via 10.77.0.1`, `${s2} via 10.77.0.2`].sort())
    await all[1]?.down()
    expect(routesOf(1)).toEqual([])
    await expect.poll(() => routesOf(0), PATIENCE).toEqual([`${s3} via 10.77.0.3`])
  })

  it('refuses to start where no device has its address, and says which there are', async () => {
    const host = { links: async () => linksOf('10.77.0.8'), problems: async () => [] }
    const starting = start(await join('h1'), 1, { host })
    await expect(starting).rejects.toMatchObject({
      code: 'ERR_GATEWAY_NOT_LOCAL',
      message: expect.stringMatching(/10\.77\.0\.1: give --gateway one of 10\.77\.0\.8 \(eth0\)/),
    })
  })

  it('gives a host behind a router no route and names it once, until it is on the link', async () => {
    const routes = new MemoryKernel(routeRules)
    let links = linksOf('10.77.0.1')
    const host = { links: async () => links, problems: async () => [] }
    const first = await start(await join('h1'), 1, { routes, host, auditIntervalMs: 50 })
    const far = await start(await join('h2'), 2, {
      gateway: '10.78.0.2',
      host: { ...host, links: async () => linksOf('10.78.0.2') },
    })
    const near = await start(await join('h3'), 3)
    const [farSubnet, nearSubnet] = await Promise.all([far, near].map(subnetOf))
    await expect.poll(() => routes.rows(), PATIENCE).toEqual([{ destination: nearSubnet, via: '10.77.0.3' }])
    expect(first.status().problems).toMatchObject([{ code: 'ERR_GATEWAY_NOT_ON_LINK', subject: 'h2' }])
    links = {
      ...links,
      routes: [...links.routes, { prefix: parsePrefix('10.78.0.0/24') as Prefix, via: undefined }],
    }
    await expect
      .poll(() => routes.rows(), PATIENCE)
      .toContainEqual({ destination: farSubnet, via: '10.78.0.2' })
    expect(first.status().problems).toEqual([])
    expect(problemsOf(first)).toEqual(['ERR_GATEWAY_NOT_ON_LINK'])
  })

  it('keeps for a while the routes of which nobody has spoken, and at once none to a host that it refuses', async () => {
    const far = await start(await join('h2'), 2, {
      gateway: '10.78.0.2',
      host: { links: async () => linksOf('10.78.0.2'), problems: async () => [] },
    })
    const refused = { destination: await subnetOf(far), via: '10.77.0.2' }
    const routes = new MemoryKernel(routeRules)
    routes.tamper({ put: [LEFTOVER, refused] })
    const agent = await start(await join('h1'), 1, { routes, holdMs: 2_000 })
    await subnetOf(agent)
    await expect.poll(() => routes.rows(), PATIENCE).toEqual([LEFTOVER])
    await expect.poll(() => routes.rows(), PATIENCE).toEqual([])
  })

  it('keeps its subnet if it wins it, takes another if it does not, and tells the application and the bridge', async () => {
    const told: Record<string, (string | undefined)[]> = { h1: [], h2: [] }
    const bridges = [1, 2].map(() => new MemoryKernel(bridgeAddressRules))
    const pair: HostGatewayAgent[] = []
    for (const [index, bridge] of bridges.entries()) {
      const name = `h${index + 1}`
      const onSubnet = (subnet: string | undefined): void => {
        told[name]?.push(subnet)
      }
      pair.push(await start(await join(name, []), index + 1, { preferred: SUBNET, bridge, onSubnet }))
    }
    expect(await Promise.all(pair.map(subnetOf))).toEqual([SUBNET, SUBNET])
    await clusters[0]?.join([clusters[1]?.self.address ?? ''])
    await expect
      .poll(
        () =>
          Object.values(told)
            .map(({ length }) => length)
            .sort(),
        PATIENCE,
      )
      .toEqual([1, 3])
    const [winner, loser] = told.h1?.length === 1 ? ['h1', 'h2'] : ['h2', 'h1']
    const other = told[loser as string]?.[2]
    expect(told[winner as string]).toEqual([SUBNET])
    expect(told[loser as string]).toEqual([SUBNET, undefined, other])
    expect(other).not.toBe(SUBNET)
    const addresses = (index: number): BridgeAddress[] => bridges[index]?.rows() ?? []
    const indexOf = (name: string | undefined): number => (name === 'h1' ? 0 : 1)
    await expect
      .poll(() => addresses(indexOf(loser)), PATIENCE)
      .toEqual([{ address: other?.replace('0/24', '1/24') }])
    expect(addresses(indexOf(winner))).toEqual([{ address: '10.42.7.1/24' }])
    expect(problemsOf(pair[indexOf(loser)] as HostGatewayAgent)).toEqual(['ERR_SUBNET_CONTESTED'])
  })

  it('takes over the routes that it finds, and touches none before it has met the others it expects', async () => {
    const routes = new MemoryKernel(routeRules)
    await routes.apply({ put: [LEFTOVER], remove: [] })
    const lonely = await join('h1')
    const agent = await start(lonely, 1, { routes, expectsOthers: true })
    const other = await start(await join('h2', []), 2)
    const subnet = await subnetOf(other)
    expect(agent.status()).toMatchObject({ claim: 'waiting', subnet: undefined, routes: [] })
    expect(routes.rows()).toEqual([LEFTOVER])
    await lonely.join([other.status().address])
    await expect.poll(() => routes.rows(), PATIENCE).toEqual([{ destination: subnet, via: '10.77.0.2' }])
    await subnetOf(agent)
  })

  it('can be stopped while it waits for others', async () => {
    const agent = await start(await join('h1'), 1, { expectsOthers: true })
    await agent.stop()
    expect(agent.subnet).toBeUndefined()
  })

  it('passes over what is no claim in the table, and reports a host with another range', async () => {
    const routes = new MemoryKernel(routeRules)
    const cluster = await join('h2')
    const table = (await cluster.joinNetwork('host-gateway')).table<unknown>('subnets')
    table.set('10.42.8.0/24', { gateway: '10.77.0.2 dev eth0' })
    table.set('10.42.9.0/24', 'nonsense')
    table.set('10.43.0.0/24', { gateway: '10.77.0.2' })
    table.set(SUBNET, { gateway: '10.77.0.2' })
    const agent = await start(await join('h1'), 1, { routes })
    await expect.poll(() => routes.rows(), PATIENCE).toEqual([{ destination: SUBNET, via: '10.77.0.2' }])
    expect(agent.status().problems).toMatchObject([{ code: 'ERR_SUBNET_INVALID', subject: 'h2' }])
  })

  it('says what is wrong with its host, once, for as long as it is', async () => {
    const problem = { code: 'ERR_FORWARDING_OFF', subject: 'ip_forward', message: 'off' } as const
    let problems = [problem]
    let links = linksOf('10.77.0.1')
    const host = { links: async () => links, problems: async () => problems }
    const agent = await start(await join('h1'), 1, { host, auditIntervalMs: 50 })
    await expect.poll(() => agent.status().problems).toEqual([problem])
    await subnetOf(agent)
    problems = []
    await expect.poll(() => agent.status().problems).toEqual([])
    expect(problemsOf(agent)).toEqual(['ERR_FORWARDING_OFF'])
    links = linksOf('10.77.0.9')
    await expect.poll(() => problemsOf(agent)).toEqual(['ERR_FORWARDING_OFF', 'ERR_GATEWAY_NOT_LOCAL'])
  })

  it('leaves the kernel as it is when its node is gone', async () => {
    const routes = new MemoryKernel(routeRules)
    const cluster = await join('h1')
    await start(cluster, 1, { routes })
    const subnet = await subnetOf(await start(await join('h2'), 2))
    await expect.poll(() => routes.rows(), PATIENCE).toHaveLength(1)
    await cluster.close()
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(routes.rows()).toEqual([{ destination: subnet, via: '10.77.0.2' }])
  })
})
