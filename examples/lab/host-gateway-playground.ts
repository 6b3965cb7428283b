import { fileURLToPath } from 'node:url'
import { generateKey } from '../../src/index.ts'
import { HostGatewayClient } from '../host-gateway/client.ts'
import type { AgentStatus } from '../host-gateway/status.ts'
import { Lab, type LabContainer, type LabHost, type LabOptions } from './lab.ts'
import { Playground, seedsFor } from './playground.ts'

const MAIN = fileURLToPath(new URL('../host-gateway/main.ts', import.meta.url))

/** What the subnets are out of, and how long each of them is. */
const RANGES = {
  ipv4: { range: '10.42.0.0/16', prefixLength: 24 },
  ipv6: { range: 'fd42::/48', prefixLength: 64 },
}

/** Host gateway agents: each host has a subnet of its own, and its containers have their addresses from there. */
export class HostGatewayPlayground extends Playground {
  readonly #prefixLength: number

  /** Resolves once each host has a subnet, and its containers addresses. */
  static async up(hostCount: number, options: LabOptions = {}): Promise<HostGatewayPlayground> {
    const { containers = 1, underlay = 'ipv4' } = options
    const lab = Lab.build(hostCount, { ...options, containers: 0, forwarding: true })
    const playground = new HostGatewayPlayground(lab, RANGES[underlay])
    try {
      for (const host of lab.hosts) playground.agent(host).start()
      for (const host of lab.hosts) {
        await playground.start(host)
        for (let count = 0; count < containers; count++) await playground.add(host)
      }
      return playground
    } catch (error) {
      lab.remove()
      throw error
    }
  }

  private constructor(lab: Lab, { range, prefixLength }: (typeof RANGES)['ipv4']) {
    const key = Buffer.from(generateKey()).toString('base64')
    super(lab, {
      main: MAIN,
      env: { HEARSAY_KEY: key },
      args: (host) => [
        ...['run', '--name', host.name, '--range', range, '--gateway', host.vtep, '--bridge', host.bridge],
        ...['--socket', `${host.directory}/agent.sock`, '--state', host.directory],
        ...seedsFor(lab, host),
      ],
    })
    this.#prefixLength = prefixLength
  }

  override get hints(): readonly string[] {
    return [...super.hints, `exec ${this.lab.hosts[0]?.name} -- ip route`]
  }

  client(host: LabHost): HostGatewayClient {
    return new HostGatewayClient(this.agent(host).socketPath)
  }

  status(host: LabHost): Promise<AgentStatus> {
    return this.client(host).status()
  }

  /** The first address of a subnet is the host's own. */
  async add(host: LabHost): Promise<LabContainer> {
    const subnet = await this.#subnetOf(host)
    const taken = host.containers.map(({ ip }) => ip)
    let number = 2
    while (taken.includes(addressIn(subnet, number))) number++
    return this.lab.addContainer(host, {
      ips: [addressIn(subnet, number)],
      prefixLength: this.#prefixLength,
      gateways: [addressIn(subnet, 1)],
    })
  }

  isAttached(): boolean {
    return true
  }

  async attach(): Promise<void> {
    throw new Error('here the agents know subnets only: what is in one is reached at once')
  }

  detach(): Promise<void> {
    return this.attach()
  }

  async move(): Promise<void> {
    throw new Error('here the address of a container belongs to the subnet of its host: it cannot move')
  }

  protected async ready(host: LabHost): Promise<void> {
    await this.#subnetOf(host)
  }

  #subnetOf(host: LabHost): Promise<string> {
    return this.agent(host).until('a subnet of its own', async () => (await this.status(host)).subnet)
  }
}

/** An address of `10.42.3.0/24` or `fd42:0:0:3::/64`, by its number, which is below 255. */
function addressIn(subnet: string, number: number): string {
  const [base = ''] = subnet.split('/')
  return base.includes(':') ? `${base}${number.toString(16)}` : base.replace(/\d+$/, String(number))
}
