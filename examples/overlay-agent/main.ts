import { once } from 'node:events'
import type { Kernel, OverlayRow } from '../../src/agent/index.ts'
import { iproute2, LinuxKernel, VxlanDevice } from '../../src/agent/index.ts'
import { Cluster, type MemberSnapshot } from '../../src/index.ts'
import { OverlayAgent } from './agent.ts'
import { DryRunKernel } from './dry-run-kernel.ts'
import type { AgentEvent } from './events.ts'
import { type AgentOptions, parseOptions, USAGE } from './options.ts'

const stopping = new AbortController()

/**
 * One overlay agent as a process. Prints an `AgentEvent` a line. SIGTERM and SIGINT end it cleanly: its
 * endpoints are withdrawn, it leaves the cluster, and what it made in the kernel is removed. After a crash
 * the kernel is left as it is, and the next start takes it over.
 */
async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2), process.env)
  if (options === undefined) return console.log(USAGE)
  // Whoever reads the log may go away first; the kernel is tidied up all the same.
  process.stdout.on('error', () => {})
  const { signal } = stopping
  const stopped = once(signal, 'abort')
  stopWhenTold(options.stopOnEof)

  const { name, bind, seeds, keys, insecure, network, vtep, endpoints, auditIntervalMs } = options
  const cluster = await Cluster.start({ name, bind, seeds, keys, insecure, signal })
  try {
    log({ event: 'listening', name, address: cluster.self.address })
    logMembers(cluster)
    if (seeds.length > 0) await metOthers(cluster, signal)
    const bridged = options.bridge !== undefined
    const kernel = openKernel(options)
    const agent = await OverlayAgent.start({
      cluster,
      network,
      vtep,
      bridged,
      kernel,
      endpoints,
      auditIntervalMs,
      log,
      signal,
    })
    await Promise.race([stopped, cluster.closed])
    await agent.stop()
  } finally {
    await cluster.leave()
  }
}

function openKernel({ dryRun, device, vni, vtep, vxlanPort, bridge }: AgentOptions): Kernel<OverlayRow> {
  const settings = { name: device, vni, vtep, port: vxlanPort, ...(bridge === undefined ? {} : { bridge }) }
  if (dryRun) return new DryRunKernel(settings, (commands, rows) => log({ event: 'dry-run', commands, rows }))
  const run = iproute2()
  return new LinuxKernel(new VxlanDevice(settings, run), run)
}

function stopWhenTold(stopOnEof: boolean): void {
  const stop = (): void => stopping.abort()
  process.once('SIGTERM', stop).once('SIGINT', stop)
  if (stopOnEof) process.stdin.once('end', stop).resume()
}

function logMembers(cluster: Cluster): void {
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
  cluster.on('warning', ({ message }) => log({ event: 'problem', message }))
}

/**
 * Resolves once another member is known. An agent that was given seeds and reaches none of them knows nothing
 * of the network, which is no reason to tear down what an earlier process left in the kernel.
 */
function metOthers(cluster: Cluster, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    const isOther = ({ name, status }: MemberSnapshot): boolean =>
      name !== cluster.self.name && status === 'alive'
    if (cluster.members().some(isOther)) resolve()
    else cluster.on('member-up', (member) => isOther(member) && resolve())
  })
}

function log(event: AgentEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}

/** Whether an error is only the echo of being told to stop while still starting. */
function isStop(error: unknown): boolean {
  return stopping.signal.aborted && error === stopping.signal.reason
}

try {
  await main()
  process.exit(0)
} catch (error) {
  if (isStop(error)) process.exit(0)
  console.error(`overlay-agent: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
}
