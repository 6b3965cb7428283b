import type { Lab, LabContainer, LabHost } from './lab.ts'
import { type AgentProgram, LabAgent } from './lab-agent.ts'

/** A lab with an agent on each host, in one of the modes that the examples have agents for. */
export abstract class Playground {
  readonly lab: Lab
  readonly #agents: ReadonlyMap<string, LabAgent>

  protected constructor(lab: Lab, program: AgentProgram) {
    this.lab = lab
    this.#agents = new Map(lab.hosts.map((host) => [host.name, new LabAgent(host, program)]))
  }

  agent({ name }: LabHost): LabAgent {
    return this.#agents.get(name) as LabAgent
  }

  /** Starts a host's agent, if it does not run, and resolves once it is ready. */
  async start(host: LabHost): Promise<void> {
    this.agent(host).start()
    await this.ready(host)
  }

  /** Ends a host's agent as a crash would. */
  kill(host: LabHost): Promise<void> {
    return this.agent(host).kill()
  }

  /** Ends a host's agent in good order. */
  stop(host: LabHost): Promise<void> {
    return this.agent(host).stop()
  }

  remove(): void {
    this.lab.remove()
  }

  /** Commands that are worth a try. */
  get hints(): readonly string[] {
    const { hosts, containers } = this.lab
    const [host, other] = [hosts[0]?.name, hosts.at(-1)?.name]
    return [
      `exec ${containers[0]?.name} -- ping ${containers.at(-1)?.ip}`,
      `partition ${other}`,
      'heal',
      `kill ${other}`,
      `start ${other}`,
      `status ${host}`,
    ]
  }

  protected abstract ready(host: LabHost): Promise<void>

  /** What the agent says of itself. */
  abstract status(host: LabHost): Promise<unknown>

  /** Makes one more container, and tells the agent of its host. */
  abstract add(host: LabHost): Promise<LabContainer>

  /** Whether the agent of its host has been told of a container. */
  abstract isAttached(container: LabContainer): boolean

  /** Tells the agent of its host that a container is there. */
  abstract attach(container: LabContainer): Promise<void>

  /** Tells the agent of its host that a container is there no more. The container itself stays. */
  abstract detach(container: LabContainer): Promise<void>

  /** Takes a container to another host, with its addresses, and tells both agents as far as they run. */
  abstract move(container: LabContainer, target: LabHost): Promise<void>
}

/** Up to three other hosts, so that each agent finds somebody, whoever else is gone. */
export function seedsFor({ hosts }: Lab, { name }: LabHost): string[] {
  const index = hosts.findIndex((host) => host.name === name)
  const others = [...hosts.slice(index + 1), ...hosts.slice(0, index)].slice(0, 3)
  return others.flatMap(({ vtep }) => ['--seed', `${vtep.includes(':') ? `[${vtep}]` : vtep}:7946`])
}
