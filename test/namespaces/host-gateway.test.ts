import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'
import { HostGatewayClient } from '../../examples/host-gateway/client.ts'
import type { AgentStatus } from '../../examples/host-gateway/status.ts'
import { Lab, type LabContainer, type LabHost } from '../../examples/lab/lab.ts'
import { LabAgent } from '../../examples/lab/lab-agent.ts'
import { reach } from '../../examples/lab/reach.ts'
import { iproute2 } from '../../src/agent/index.ts'
import { generateKey } from '../../src/index.ts'
import { Pings } from '../traffic.ts'
import { describeOnKernel } from './requirements.ts'

const MAIN = fileURLToPath(new URL('../../examples/host-gateway/main.ts', import.meta.url))
const KEY = Buffer.from(generateKey()).toString('base64')
const PATIENCE = { timeout: 30_000, interval: 50 }

const addressOf = ({ vtep }: LabHost): string => (vtep.includes(':') ? `[${vtep}]:7946` : `${vtep}:7946`)
const state = (host: LabHost): string => join(host.directory, 'state')

/** The agent of a host, its command line, and what it says. */
class Gateway {
  readonly host: LabHost
  readonly client: HostGatewayClient
  readonly #process: LabAgent

  constructor(host: LabHost, seeds: readonly LabHost[], range: string, more: readonly string[] = []) {
    this.host = host
    const seed = seeds.filter(({ name }) => name !== host.name).flatMap((each) => ['--seed', addressOf(each)])
    this.#process = new LabAgent(host, {
      main: MAIN,
      env: { HEARSAY_KEY: KEY },
      args: ({ name, vtep, bridge }) => [
        ...['run', '--name', name, '--range', range, '--gateway', vtep, '--bridge', bridge],
        ...[
          '--state',
          state(host),
          '--socket',
          this.#process.socketPath,
          '--audit-ms',
          '1000',
          ...seed,
          ...more,
        ],
      ],
    })
    this.client = new HostGatewayClient(this.#process.socketPath)
  }

  /** Starts it, and resolves once the status is as it should be; by default once it has its subnet. */
  async start(isSo: (status: AgentStatus) => boolean = ({ claim }) => claim === 'held'): Promise<string> {
    this.#process.start()
    const status = await this.until(isSo)
    return status.subnet as string
  }

  until(isSo: (status: AgentStatus) => boolean): Promise<AgentStatus> {
    return this.#process.until('its status', async () => {
      const status = await this.client.status()
      return isSo(status) ? status : undefined
    })
  }

  kill(): Promise<void> {
    return this.#process.kill()
  }

  stop(): Promise<void> {
    return this.#process.stop()
  }

  get log(): string {
    return this.#process.lastWords.join('\n')
  }

  async routes(): Promise<string[]> {
    const run = iproute2(this.host.namespace)
    const dumps = await Promise.all(
      ['-4', '-6'].map((family) => run('ip', [family, 'route', 'show', 'proto', '116'])),
    )
    return dumps.flatMap((dump) => dump.split('\n').flatMap((line) => line.split(' dev')[0]?.trim() || []))
  }

  async bridgeAddresses(): Promise<string> {
    return iproute2(this.host.namespace)('ip', ['address', 'show', 'dev', this.host.bridge])
  }
}

/** A container with the second address of a subnet, whose default route leads to the first. */
function addContainer(lab: Lab, host: LabHost, subnet: string): LabContainer {
  const [network = '', length] = subnet.split('/')
  const address = (n: number): string =>
    network.includes(':') ? `${network}${n}` : network.replace(/0$/, `${n}`)
  return lab.addContainer(host, { ips: [address(2)], prefixLength: Number(length), gateways: [address(1)] })
}

describeOnKernel('host gateway agents on the kernel', () => {
  let lab: Lab | undefined
  afterEach(() => lab?.remove())

  const build = (count: number, options: Parameters<typeof Lab.build>[1]): Lab => {
    lab = Lab.build(count, { containers: 0, forwarding: true, ...options })
    return lab
  }

  it('lead containers to each other, over restarts of one and of all without a ping lost, and refuse a host behind a router', async () => {
    const lab = build(3, { segments: 2 })
    const [h1, h2, h3] = lab.hosts.map((host) => new Gateway(host, lab.hosts, '10.42.0.0/16')) as [
      Gateway,
      Gateway,
      Gateway,
    ]
    const subnets = await Promise.all([h1, h2, h3].map((agent) => agent.start()))
    expect(new Set(subnets).size).toBe(3)
    const [subnet1, subnet2, subnet3] = subnets as [string, string, string]
    await expect.poll(() => h1.routes(), PATIENCE).toEqual([`${subnet2} via ${h2.host.vtep}`])
    await expect.poll(() => h3.routes(), PATIENCE).toEqual([])
    const { problems } = await h1.client.status()
    expect(problems).toMatchObject([{ code: 'ERR_GATEWAY_NOT_ON_LINK', subject: 'h3' }])
    expect(problems[0]?.message).toContain(
      `h3 (${h3.host.vtep}) is behind a router (10.77.0.254), so no route can lead to its subnet ${subnet3}`,
    )

    const c1 = addContainer(lab, h1.host, subnet1)
    const c2 = addContainer(lab, h2.host, subnet2)
    await expect.poll(() => reach(c1.namespace, c2.ip, 1_000), PATIENCE).toBeGreaterThan(0)
    const pings = new Pings(c1, c2.ip)
    await h2.kill()
    expect(await h2.routes()).toEqual([`${subnet1} via ${h1.host.vtep}`])
    expect(await h2.start()).toBe(subnet2)
    await h2.stop()
    expect(await h2.routes()).toEqual([`${subnet1} via ${h1.host.vtep}`])
    expect(await h2.start()).toBe(subnet2)
    await Promise.all([h1, h2, h3].map((agent) => agent.kill()))
    expect(await Promise.all([h1, h2, h3].map((agent) => agent.start()))).toEqual(subnets)
    const { answered, lost } = await pings.stop()
    expect(answered).toBeGreaterThan(5)
    expect(lost).toBe(0)

    const byHand = iproute2(h1.host.namespace)
    await byHand('ip', ['route', 'del', subnet2])
    await byHand('ip', ['address', 'add', '10.42.255.1/24', 'dev', h1.host.bridge])
    await expect.poll(() => h1.routes(), PATIENCE).toEqual([`${subnet2} via ${h2.host.vtep}`])
    await expect.poll(() => h1.bridgeAddresses(), PATIENCE).not.toContain('10.42.255.1')

    await h2.client.down()
    expect(await h2.routes()).toEqual([])
    expect(await h2.bridgeAddresses()).not.toContain('10.42.')
    await expect.poll(() => h1.routes(), PATIENCE).toEqual([])
  }, 120_000)

  it('of which two have the same subnet when they meet: one keeps it, the other is given another, and its bridge follows', async () => {
    const lab = build(3, {})
    const [host1, host2, host3] = lab.hosts as [LabHost, LabHost, LabHost]
    const subnet = '10.42.7.0/24'
    for (const host of [host1, host2]) {
      mkdirSync(state(host), { recursive: true })
      const copied = { version: 1, range: '10.42.0.0/16', subnet, peers: [] }
      writeFileSync(join(state(host), 'host-gateway.json'), JSON.stringify(copied))
    }
    const h1 = new Gateway(host1, [], '10.42.0.0/16')
    const h2 = new Gateway(host2, [], '10.42.0.0/16')
    const h3 = new Gateway(host3, [host1, host2], '10.42.0.0/16')
    expect(await Promise.all([h1.start(), h2.start()])).toEqual([subnet, subnet])
    await h3.start()
    const held = ({ claim, routes }: AgentStatus): boolean => claim === 'held' && routes.length === 2
    const after = await Promise.all([h1, h2, h3].map((agent) => agent.until(held)))
    expect(new Set(after.map((status) => status.subnet)).size).toBe(3)
    expect(after.slice(0, 2).filter((status) => status.subnet === subnet)).toHaveLength(1)
    for (const agent of [h1, h2]) {
      const now = (await agent.client.status()).subnet?.replace('0/24', '1/24')
      await expect.poll(() => agent.bridgeAddresses(), PATIENCE).toContain(`inet ${now} `)
      expect((await agent.bridgeAddresses()).match(/inet 10\.42\./g)).toHaveLength(1)
    }
  }, 120_000)

  it('work over IPv6, say that forwarding is off, and leave nothing behind when told to go down', async () => {
    const lab = build(2, { underlay: 'ipv6', forwarding: false })
    const [host1, host2] = lab.hosts as [LabHost, LabHost]
    const h1 = new Gateway(host1, lab.hosts, 'fd42::/48')
    const h2 = new Gateway(host2, lab.hosts, 'fd42::/48', ['--enable-forwarding'])
    const [subnet1, subnet2] = (await Promise.all([h1.start(), h2.start()])) as [string, string]
    await expect.poll(() => h1.routes(), PATIENCE).toEqual([`${subnet2} via ${h2.host.vtep}`])
    expect((await h1.client.status()).problems).toEqual([
      expect.objectContaining({ code: 'ERR_FORWARDING_OFF' }),
    ])
    expect((await h2.client.status()).problems).toEqual([])
    const switchOn = 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
    execFileSync('ip', ['netns', 'exec', host1.namespace, 'sh', '-c', switchOn])
    await h1.until(({ problems }) => problems.length === 0)
    const c1 = addContainer(lab, h1.host, subnet1)
    const c2 = addContainer(lab, h2.host, subnet2)
    await expect.poll(() => reach(c1.namespace, c2.ip, 1_000), PATIENCE).toBeGreaterThan(0)

    await h1.client.down()
    expect(await h1.routes()).toEqual([])
    expect(await h1.bridgeAddresses()).not.toContain('fd42:')
    await expect.poll(() => h2.routes(), PATIENCE).toEqual([])
    await h2.kill()
    const down = [
      '--import',
      'tsx',
      MAIN,
      'down',
      '--socket',
      h2.client.socketPath,
      '--state',
      state(h2.host),
    ]
    const inside = ['netns', 'exec', h2.host.namespace, process.execPath, ...down]
    const said = execFileSync('ip', inside, { encoding: 'utf8' })
    expect(said).toContain('no agent was running')
    expect(said).toContain(`removed address ${subnet2.replace('/64', '1/64')} from br0`)
    expect(await h2.bridgeAddresses()).not.toContain('fd42:')
  }, 120_000)
})
