import type { AgentEvent } from './events.ts'
import { parseCommand, USAGE } from './options.ts'
import { runRequest } from './request.ts'
import { runAgent } from './run.ts'

/** The host gateway agent as a program: `run` is the agent, everything else asks a running one. */
async function main(): Promise<void> {
  const command = parseCommand(process.argv.slice(2), process.env)
  if (command.command === 'help') return console.log(USAGE)
  if (command.command !== 'run') return console.log(await runRequest(command))
  // Whoever reads the log may go away first; the kernel is tidied up all the same.
  process.stdout.on('error', () => {})
  const stopping = new AbortController()
  const stop = (): void => stopping.abort()
  process.once('SIGTERM', stop).once('SIGINT', stop)
  if (command.options.stopOnEof) process.stdin.once('end', stop).resume()
  await runAgent(command.options, stopping.signal, log).catch((error: unknown) => {
    // No more than the echo of being told to stop while still starting.
    if (error !== stopping.signal.reason) throw error
  })
}

/** One `AgentEvent` a line. */
function log(event: AgentEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}

try {
  await main()
  process.exit(0)
} catch (error) {
  console.error(`host-gateway: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
}
