import { fileURLToPath } from 'node:url'
import { generateKey } from '../../src/index.ts'
import type { StatusAnswer } from '../overlay-agent/control-api.ts'
import { ControlClient } from '../overlay-agent/control-client.ts'
import { Lab, type LabContainer, type LabHost, type LabOptions } from './lab.ts'
import { Playground, seedsFor } from './playground.ts'

const MAIN = fileURLToPath(new URL('../overlay-agent/main.ts', import.meta.url))

export const NETWORK = 'blue'
export const VNI = 42
/** The VXLAN device of every host. */
export const DEVICE = 'vx42'

export interface OverlayOptions extends LabOptions {
  /** Added to the command line of each agent. */
  readonly agentOptions?: readonly string[]
}

/** Overlay agents: containers of all hosts are in one network, and keep their addresses wherever they are. */
export class OverlayPlayground extends Playground {
  /** Containers whose host has been told of them. */
  readonly #attached = new Set<LabContainer>()
  /** MACs that have left a host while its agent did not run, by host: it is told once it runs again. */
  readonly #owed = new Map<LabHost, Set<string>>()

  /** Resolves once all agents know each other, and all containers are attached. */
  static async up(hostCount: number, options: OverlayOptions = {}): Promise<OverlayPlayground> {
    const lab = Lab.build(hostCount, options)
    const playground = new OverlayPlayground(lab, options.agentOptions ?? [])
    try {
      for (const host of lab.hosts) playground.agent(host).start()
      await Promise.all(lab.hosts.map((host) => playground.#meet(host)))
      await Promise.all(lab.hosts.map((host) => playground.start(host)))
      await Promise.all(lab.containers.map((container) => playground.attach(container)))
      return playground
    } catch (error) {
      lab.remove()
      throw error
    }
  }

  private constructor(lab: Lab, agentOptions: readonly string[]) {
    const key = Buffer.from(generateKey()).toString('base64')
    super(lab, {
      main: MAIN,
      env: { HEARSAY_KEY: key },
      args: (host) => [
        ...['run', '--name', host.name, '--vtep', host.vtep],
        ...['--socket', `${host.directory}/agent.sock`, '--state', host.directory],
        ...seedsFor(lab, host),
        ...agentOptions,
      ],
    })
  }

  override get hints(): readonly string[] {
    const [host, last] = [this.lab.hosts[0]?.name, this.lab.containers.at(-1)?.name]
    return [...super.hints, `move ${last} ${host}`, `exec ${host} -- bridge fdb show dev ${DEVICE}`]
  }

  client(host: LabHost): ControlClient {
    return new ControlClient(this.agent(host).socketPath)
  }

  isAttached(container: LabContainer): boolean {
    return this.#attached.has(container)
  }

  status(host: LabHost): Promise<StatusAnswer> {
    return this.client(host).status()
  }

  async add(host: LabHost): Promise<LabContainer> {
    const container = this.lab.addContainer(host)
    await this.attach(container)
    return container
  }

  async attach(container: LabContainer): Promise<void> {
    this.#owed.get(container.host)?.delete(container.mac)
    await this.client(container.host).attach(NETWORK, container.mac, container.ips)
    this.#attached.add(container)
  }

  async detach(container: LabContainer): Promise<void> {
    await this.client(container.host).detach(NETWORK, container.mac)
    this.#attached.delete(container)
  }

  /** The new host claims the container before the old one lets go, so that at no time nobody has it. */
  async move(container: LabContainer, target: LabHost): Promise<void> {
    const { host: former } = container
    this.lab.moveContainer(container, target)
    if (!this.#attached.has(container)) return
    await this.attach(container)
    if (former !== target) this.#owedTo(former).add(container.mac)
    if (this.agent(former).isRunning) await this.#settle(former)
  }

  override async start(host: LabHost): Promise<void> {
    await super.start(host)
    await this.#settle(host)
  }

  protected async ready(host: LabHost): Promise<void> {
    await this.agent(host).until('its agent joins the network', () =>
      this.client(host).join(NETWORK, { vni: VNI, bridge: host.bridge, device: DEVICE }),
    )
  }

  #owedTo(host: LabHost): Set<string> {
    const owed = this.#owed.get(host) ?? new Set()
    this.#owed.set(host, owed)
    return owed
  }

  async #settle(host: LabHost): Promise<void> {
    for (const mac of this.#owedTo(host)) await this.client(host).detach(NETWORK, mac)
    this.#owedTo(host).clear()
  }

  async #meet(host: LabHost): Promise<void> {
    const count = this.lab.hosts.length
    await this.agent(host).until('it knows every other', async () => {
      const { members } = await this.status(host)
      return members.filter(({ status }) => status === 'alive').length === count ? true : undefined
    })
  }
}
