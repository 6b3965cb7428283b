import { iproute2 } from '../../src/agent/index.ts'
import { serveAgent } from '../shared/serve-agent.ts'
import { startNode } from '../shared/start-node.ts'
import { readState } from '../shared/state-file.ts'
import { aborted } from '../shared/waiting.ts'
import { OverlayAgent } from './agent.ts'
import { parseState, STATE_FILE_NAME } from './agent-state.ts'
import { controlRoutes } from './control-routes.ts'
import { openDryRun } from './dry-run-kernel.ts'
import type { AgentEvent } from './events.ts'
import { openLinuxDataPath } from './linux-data-path.ts'
import type { RunOptions } from './options.ts'

/**
 * One overlay agent, until the signal aborts or it is told to go down. With a state directory the end
 * leaves everything as it is, for the next process to go on; without one nobody could, so all is withdrawn
 * and removed.
 */
export async function runAgent(
  options: RunOptions,
  signal: AbortSignal,
  log: (event: AgentEvent) => void,
): Promise<void> {
  await serveAgent(options.socket, {
    start: () => startAgent(options, signal, log),
    answer: (agent, request) => controlRoutes(agent)(request),
    async run(agent) {
      log({ event: 'listening', ...agent.self, socket: options.socket })
      await Promise.race([aborted(signal), agent.ended])
      if (signal.aborted) await (options.stateDirectory === undefined ? agent.down() : agent.stop())
    },
  })
}

async function startAgent(
  options: RunOptions,
  signal: AbortSignal,
  log: (event: AgentEvent) => void,
): Promise<OverlayAgent> {
  const { vtep, stateDirectory, auditIntervalMs } = options
  const restored =
    stateDirectory === undefined ? undefined : await readState(stateDirectory, STATE_FILE_NAME, parseState)
  const { cluster, expectsOthers } = await startNode(options, restored?.peers ?? [], signal, log)
  cluster.on('warning', ({ message }) => log({ event: 'problem', message }))
  const underlay = { vtep, port: options.vxlanPort }
  const run = iproute2()
  return new OverlayAgent({
    cluster,
    vtep,
    openDataPath: (spec) =>
      options.dryRun
        ? openDryRun(spec, underlay, (commands, rows) => log({ event: 'dry-run', commands, rows }))
        : openLinuxDataPath(spec, underlay, run),
    expectsOthers,
    log,
    auditIntervalMs,
    // As long as others keep the rows to this host while its agent is away.
    holdMs: options.withdrawAfterMs,
    ...(stateDirectory === undefined ? {} : { stateDirectory }),
    ...(restored === undefined ? {} : { restored }),
  })
}
