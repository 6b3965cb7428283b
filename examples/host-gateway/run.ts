import { iproute2, LinuxRouteKernel } from '../../src/agent/index.ts'
import type { Cluster } from '../../src/index.ts'
import { ApiError } from '../shared/api-error.ts'
import { describeError } from '../shared/describe-error.ts'
import { peersToRemember } from '../shared/follow-members.ts'
import { serveAgent } from '../shared/serve-agent.ts'
import { startNode } from '../shared/start-node.ts'
import { readState, StateFile } from '../shared/state-file.ts'
import { aborted } from '../shared/waiting.ts'
import { HostGatewayAgent } from './agent.ts'
import { type AgentState, parseState, STATE_FILE_NAME } from './agent-state.ts'
import { LinuxBridgeAddresses } from './bridge-address.ts'
import type { AgentEvent } from './events.ts'
import { LinuxHost } from './host.ts'
import type { RunOptions } from './options.ts'

type Log = (event: AgentEvent) => void

/**
 * One host gateway agent, until the signal aborts or it is told to go down. With a state directory the end
 * leaves everything as it is, for the next process to go on; without one nobody could, so the subnet is
 * withdrawn and all is removed.
 */
export async function runAgent(options: RunOptions, signal: AbortSignal, log: Log): Promise<void> {
  await serveAgent(options.socket, {
    start: () => start(options, signal, log),
    async answer(running, { method, path }) {
      switch (`${method} ${path.join('/')}`) {
        case 'GET status':
          return running.agent.status()
        case 'POST down':
          return running.down()
      }
      throw new ApiError(404, 'ERR_NOT_FOUND', `there is no ${method} /${path.join('/')} here`)
    },
    async run(running) {
      log({ event: 'listening', ...running.self, socket: options.socket })
      await Promise.race([aborted(signal), running.ended])
      if (signal.aborted) await (options.stateDirectory === undefined ? running.down() : running.stop())
    },
  })
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

  /** Ends, and leaves everything as it is. */
  stop(): Promise<void> {
    return this.#end(async () => {
      await this.agent.stop()
      await this.#cluster.close()
      await this.#memory?.flushed()
    })
  }

  /** Withdraws and removes everything, and forgets the subnet. */
  down(): Promise<void> {
    return this.#end(async () => {
      await this.agent.down()
      await this.#cluster.leave()
      // Last, since members that come are remembered until then.
      await this.#memory?.remove()
    })
  }

  /** Once only, however often it is told. */
  #end(how: () => Promise<void>): Promise<void> {
    this.#tellEnded()
    this.#ending ??= how()
    return this.#ending
  }
}

async function start(options: RunOptions, signal: AbortSignal, log: Log): Promise<Running> {
  const { pool, gateway, protocol, bridge, stateDirectory, network, reuseAfterMs, auditIntervalMs } = options
  const restored =
    stateDirectory === undefined ? undefined : await readState(stateDirectory, STATE_FILE_NAME, parseState)
  const run = iproute2()
  const host = new LinuxHost(run, pool.range.family, protocol)
  if (options.enableForwarding) await host.enableForwarding()

  const { cluster, expectsOthers } = await startNode(options, restored?.peers ?? [], signal, log)
  try {
    cluster.on('warning', ({ code, message }) => log({ event: 'problem', code, subject: 'cluster', message }))
    let subnet = restored?.subnet
    const memory =
      stateDirectory === undefined
        ? undefined
        : new StateFile<AgentState>(stateDirectory, STATE_FILE_NAME, () => ({
            version: 1,
            range: pool.name,
            ...(subnet === undefined ? {} : { subnet }),
            ...(bridge === undefined ? {} : { bridge }),
            peers: peersToRemember(cluster),
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
      expectsOthers,
      preferred: restored?.subnet,
      onSubnet: (told) => {
        subnet = told ?? subnet
        remember()
      },
      log,
      reuseAfterMs,
      auditIntervalMs,
      // As long as others keep the route to this host while its agent is away.
      holdMs: options.withdrawAfterMs,
    })
    return new Running(agent, cluster, memory)
  } catch (error) {
    await cluster.leave()
    throw error
  }
}
