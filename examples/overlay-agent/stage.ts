import type { OverlayRow } from '../../src/agent/index.ts'
import { CommandError, iproute2, readRows } from '../../src/agent/index.ts'
import type { Lab, LabHost } from '../lab/lab.ts'
import { reach } from '../lab/reach.ts'
import { AgentProcess } from './agent-process.ts'

const NETWORK = 'blue'
const VNI = 42
const DEVICE = `vx${VNI}`
const REACH_TIMEOUT_MS = 1_000

export interface StageHost {
  readonly name: string
  readonly vtep: string
  readonly container: { readonly ip: string; readonly mac: string }
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
  /** Starts the agent of one host. */
  start(host: StageHost, seed: string | undefined): AgentProcess
  /** The rows that the host's kernel holds. */
  rows(host: StageHost): Promise<readonly OverlayRow[]>
  /** The same for a reader. */
  showKernel(host: StageHost): Promise<readonly Listing[]>
  /**
   * Round trip between two containers in ms, undefined without an answer. Missing where there is no data
   * path.
   */
  readonly reach?: (from: StageHost, to: StageHost) => Promise<number | undefined>
  /** Ends every agent at once; for exits that cannot wait. */
  killAgents(): void
}

/** `agentOptions` are added to each agent's command line. */
export function labStage(lab: Lab, key: string, agentOptions: readonly string[] = []): Stage {
  const agents = new Set<AgentProcess>()
  const inLab = (host: StageHost): LabHost => lab.hosts.find(({ name }) => name === host.name) as LabHost
  return {
    hosts: lab.hosts,
    start(host, seed) {
      const { namespace, bridge } = inLab(host)
      const agent = new AgentProcess({
        namespace,
        key,
        args: [...argsOf(host, seed), '--bridge', bridge, ...agentOptions],
      })
      agents.add(agent)
      return agent
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
    reach: (from, to) => reach(inLab(from).container.namespace, to.container.ip, REACH_TIMEOUT_MS),
    killAgents() {
      for (const agent of agents.values()) agent.kill()
    },
  }
}

export function loopbackStage(hostCount: number, key: string): Stage {
  const agents = new Map<StageHost, AgentProcess>()
  const hosts = Array.from({ length: hostCount }, (_, index) => ({
    name: `h${index + 1}`,
    vtep: `10.77.0.${index + 1}`,
    container: { ip: `10.42.0.${index + 1}`, mac: `02:42:0a:2a:00:0${index + 1}` },
  }))
  return {
    hosts,
    start(host, seed) {
      const dryRun = ['--dry-run', '--bind', '127.0.0.1:0', '--bridge', 'br0']
      const agent = new AgentProcess({ key, args: [...argsOf(host, seed), ...dryRun] })
      agents.set(host, agent)
      return agent
    },
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

function argsOf({ name, vtep, container }: StageHost, seed: string | undefined): string[] {
  const args = ['--name', name, '--network', NETWORK, '--vni', String(VNI), '--vtep', vtep]
  args.push('--endpoint', `${container.ip}=${container.mac}`)
  return seed === undefined ? args : [...args, '--seed', seed]
}
