import { iproute2, LinuxRouteKernel } from '../../src/agent/index.ts'
import { Cluster, type MemberSnapshot } from '../../src/index.ts'
import { ApiError } from '../shared/api-error.ts'
import { describeError } from '../shared/describe-error.ts'
import { JsonServer } from '../shared/json-server.ts'
import { readState, StateFile } from '../shared/state-file.ts'
import { aborted } from '../shared/waiting.ts'
import { HostGatewayAgent } from './agent.ts'
import { type AgentState, parseState, STATE_FILE_NAME } from './agent-state.ts'
import { LinuxBridgeAddresses } from './bridge-address.ts'
import type { AgentEvent } from './events.ts'
import { LinuxHost } from './host.ts'
import type { RunOptions } from './options.ts'

const MAX_PEERS = 16

type Log = (event: AgentEvent) => void

/**
 * One host gateway agent, until the signal aborts or it is told to go down. Either way its subnet is withdrawn, its routes are
 * removed, and it leaves the cluster; going down also forgets the subnet. After a crash the kernel is left as it is, and the next
 * start takes it over.
 */
export async function runAgent(options: RunOptions, signal: AbortSignal, log: Log): Promise<void> {
  let begin: (running: Promise<Running>) => void = () => {}
  const beginning = new Promise<Running>((resolve) => {
    begin = resolve
  })
  // First of all, since this is where a second agent of one host is found out. Requests wait for the agent.
  const server = await JsonServer.listen(options.socket, async ({ method, path }) => {
    const running = await beginning
    switch (`${method} ${path.join('/')}`) {
      case 'GET status':
        return running.agent.status()
      case 'POST down':
        return running.end(true)
    }
    throw new ApiError(404, 'ERR_NOT_FOUND', `there is no ${method} /${path.join('/')} here`)
  })
  try {
    const starting = start(options, signal, log)
    begin(starting)
    const running = await starting
    log({ event: 'listening', ...running.self, socket: options.socket })
    await Promise.race([aborted(signal), running.ended])
    await running.end(false)
  } finally {
    await server.close()
  }
}

/** An agent, its cluster, and its memory. */
class Running {
  readonly agent: HostGatewayAgent
  /** Resolves once it has been told to end; rejects if it cannot go on. */
  readonly ended: Promise<void>
  readonly #cluster: Cluster
  readonly #memory: StateFile<AgentState> | undefined
  #ending: Promise<void> | undefined
  #tellEnded: () => void = () => {}

  constructor(agent: HostGatewayAgent, cluster: Cluster, memory: StateFile<AgentState> | undefined) {
    this.agent = agent
    this.#cluster = cluster
    this.#memory = memory
    const told = new Promise<void>((resolve) => {
      this.#tellEnded = resolve
    })
    this.ended = Promise.race([told, agent.failed, cluster.closed.then(() => told)])
    this.ended.catch(() => {})
  }

  get self(): { readonly name: string; readonly address: string } {
    const { name, address } = this.#cluster.self
    return { name, address }
  }

  /** Withdraws and removes everything. Called again, the same. */
  end(forget: boolean): Promise<void> {
    this.#tellEnded()
    this.#ending ??= this.#end(forget)
    return this.#ending
  }

  async #end(forget: boolean): Promise<void> {
    await this.agent.stop()
    if (forget) await this.#memory?.remove()
    await this.#cluster.leave()
  }
}

async function start(options: RunOptions, signal: AbortSignal, log: Log): Promise<Running> {
  const { pool, gateway, protocol, bridge, stateDirectory, network, reuseAfterMs, auditIntervalMs } = options
  const restored =
    stateDirectory === undefined ? undefined : await readState(stateDirectory, STATE_FILE_NAME, parseState)
  const seeds = [...new Set([...options.seeds, ...(restored?.peers ?? [])])]
  const run = iproute2()
  const host = new LinuxHost(run, pool.range.family, protocol)
  if (options.enableForwarding) await host.enableForwarding()

  const { name, bind, keyFile, keys, insecure, withdrawAfterMs } = options
  const secret = keyFile === undefined ? { keys } : { keyFile }
  const cluster = await Cluster.start({ name, bind, seeds, insecure, withdrawAfterMs, signal, ...secret })
  try {
    logMembers(cluster, log)
    let subnet = restored?.subnet
    const memory =
      stateDirectory === undefined
        ? undefined
        : new StateFile<AgentState>(stateDirectory, STATE_FILE_NAME, () => ({
            version: 1,
            range: pool.name,
            ...(subnet === undefined ? {} : { subnet }),
            ...(bridge === undefined ? {} : { bridge }),
            peers: peersOf(cluster),
          }))
    const remember = (): void => {
      memory?.save().catch((error: unknown) => {
        const message = `the subnet could not be kept in ${memory.path}: ${describeError(error)}`
        log({ event: 'problem', code: 'ERR_STATE_NOT_SAVED', subject: memory.path, message })
      })
    }
    cluster.on('member-up', remember)
    const agent = await HostGatewayAgent.start({
      cluster,
      network,
      pool,
      gateway,
      host,
      routes: new LinuxRouteKernel({ protocol }, run),
      bridge: bridge === undefined ? undefined : new LinuxBridgeAddresses(bridge, pool.range, run),
      expectsOthers: seeds.length > 0,
      preferred: restored?.subnet,
      onSubnet: (told) => {
        subnet = told ?? subnet
        remember()
      },
      log,
      reuseAfterMs,
      auditIntervalMs,
    })
    return new Running(agent, cluster, memory)
  } catch (error) {
    await cluster.leave()
    throw error
  }
}

function peersOf(cluster: Cluster): string[] {
  const others = cluster.members().filter(({ name }) => name !== cluster.self.name)
  return others.slice(0, MAX_PEERS).map(({ address }) => address)
}

function logMembers(cluster: Cluster, log: Log): void {
  const logMember = ({ name, address, status }: MemberSnapshot): void => {
    log({ event: 'member', name, address, status })
  }
  cluster.members().forEach(logMember)
  for (const type of [
    'member-up',
    'member-updated',
    'member-suspect',
    'member-failed',
    'member-left',
  ] as const) {
    cluster.on(type, logMember)
  }
  cluster.on('isolated', () => log({ event: 'isolated' }))
  cluster.on('reconnected', () => log({ event: 'reconnected' }))
  cluster.on('warning', ({ code, message }) => log({ event: 'problem', code, subject: 'cluster', message }))
}
