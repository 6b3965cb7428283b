import { join } from 'node:path'
import type { OverlayRow } from '../../src/agent/index.ts'
import { CommandError, iproute2, readRows } from '../../src/agent/index.ts'
import type { Lab, LabHost } from '../lab/lab.ts'
import { reach } from '../lab/reach.ts'
import { AgentProcess } from './agent-process.ts'
import type { NetworkSpec } from './control-api.ts'

const NETWORK = 'blue'
const VNI = 42
const DEVICE = `vx${VNI}`
const REACH_TIMEOUT_MS = 1_000

export interface StageContainer {
  readonly mac: string
  readonly ips: readonly string[]
}

export interface StageHost {
  readonly name: string
  readonly vtep: string
  /** The one that it begins with. */
  readonly container: StageContainer
}

export interface Listing {
  readonly title: string
  readonly lines: readonly string[]
}

/**
 * Where agents run and how to look at what they do: a lab with real kernels, or loopback with remembered
 * ones.
 */
export interface Stage {
  readonly hosts: readonly StageHost[]
  /** Starts the agent of one host; a former one's networks and endpoints are known to it. */
  start(host: StageHost, seed: string | undefined): AgentProcess
  /** What an agent is told to join. */
  network(host: StageHost): { readonly name: string; readonly spec: NetworkSpec }
  /** Plugs a container into another host. The agents are not told. */
  replug(container: StageContainer, target: StageHost): void
  /** The rows that the host's kernel holds. */
  rows(host: StageHost): Promise<readonly OverlayRow[]>
  /** The same for a reader. */
  showKernel(host: StageHost): Promise<readonly Listing[]>
  /**
   * Round trip from one container to an address of another in ms, undefined without an answer. Missing where
   * there is no data path.
   */
  readonly reach?: (from: StageContainer, ip: string) => Promise<number | undefined>
  /** Ends every agent at once; for exits that cannot wait. */
  killAgents(): void
}

export function labStage(lab: Lab, key: string): Stage {
  const agents = new Set<AgentProcess>()
  const inLab = (host: StageHost): LabHost => lab.host(host.name)
  const namespaceOf = ({ mac }: StageContainer): string =>
    lab.containers.find((container) => container.mac === mac)?.namespace ?? ''
  return {
    hosts: lab.hosts.map(({ name, vtep, container }) => ({ name, vtep, container })),
    start(host, seed) {
      const { namespace, directory } = inLab(host)
      const agent = new AgentProcess({
        namespace,
        key,
        socketPath: join(directory, 'agent.sock'),
        args: argsOf(host, seed, directory),
      })
      agents.add(agent)
      return agent
    },
    network: (host) => ({ name: NETWORK, spec: { vni: VNI, bridge: inLab(host).bridge } }),
    replug({ mac }, target) {
      const container = lab.containers.find((each) => each.mac === mac)
      if (container !== undefined) lab.moveContainer(container, inLab(target))
    },
    async rows(host) {
      return readRows(DEVICE, iproute2(inLab(host).namespace)).catch((error: unknown) => {
        const isNotMadeYet = error instanceof CommandError && error.stderr.includes('Cannot find device')
        if (isNotMadeYet) return []
        throw error
      })
    },
    async showKernel(host) {
      const run = iproute2(inLab(host).namespace)
      const [fdb, neighbours] = await Promise.all([
        run('bridge', ['fdb', 'show', 'dev', DEVICE]),
        run('ip', ['neigh', 'show', 'dev', DEVICE]),
      ])
      return [
        { title: `bridge fdb show dev ${DEVICE}`, lines: tidied(fdb) },
        { title: `ip neigh show dev ${DEVICE}`, lines: tidied(neighbours) },
      ]
    },
    reach: (from, ip) => reach(namespaceOf(from), ip, REACH_TIMEOUT_MS),
    killAgents() {
      for (const agent of agents.values()) agent.kill()
    },
  }
}

/** Its agents keep their files in a directory of the caller's. */
export function loopbackStage(hostCount: number, key: string, directory: string): Stage {
  const agents = new Map<StageHost, AgentProcess>()
  const hosts = Array.from({ length: hostCount }, (_, index) => ({
    name: `h${index + 1}`,
    vtep: `10.77.0.${index + 1}`,
    container: {
      mac: `02:42:0a:2a:00:0${index + 1}`,
      ips: [`10.42.0.${index + 1}`, `fd42::${index + 1}`],
    },
  }))
  return {
    hosts,
    start(host, seed) {
      const dryRun = ['--dry-run', '--bind', '127.0.0.1:0']
      const agent = new AgentProcess({
        key,
        socketPath: join(directory, `${host.name}.sock`),
        args: [...argsOf(host, seed, join(directory, host.name)), ...dryRun],
      })
      agents.set(host, agent)
      return agent
    },
    network: () => ({ name: NETWORK, spec: { vni: VNI } }),
    replug() {},
    async rows(host) {
      return agents.get(host)?.rows ?? []
    },
    async showKernel(host) {
      return [{ title: 'would have run', lines: agents.get(host)?.takeCommands() ?? [] }]
    },
    killAgents() {
      for (const agent of agents.values()) agent.kill()
    },
  }
}

/** The lines of a dump, but for the device's own MAC, which is on the bridge as `permanent`. */
function tidied(dump: string): string[] {
  const lines = dump.split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '' && !/ master \S+ permanent$/.test(line)).sort()
}

function argsOf({ name, vtep }: StageHost, seed: string | undefined, stateDirectory: string): string[] {
  // The audience is not to wait for what real hosts grant an agent that restarts.
  const args = ['--name', name, '--vtep', vtep, '--state', stateDirectory, '--withdraw-after-ms', '0']
  return seed === undefined ? args : [...args, '--seed', seed]
}
