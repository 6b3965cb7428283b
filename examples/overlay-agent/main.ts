import { exitAfter, runUntilTold } from '../shared/program.ts'
import type { AgentEvent } from './events.ts'
import { parseCommand, USAGE } from './options.ts'
import { runRequest } from './request.ts'
import { runAgent } from './run.ts'

/** The overlay agent as a program: `run` is the agent, everything else asks a running one. */
await exitAfter('overlay-agent', async () => {
  const command = parseCommand(process.argv.slice(2), process.env)
  if (command.command === 'help') return console.log(USAGE)
  if (command.command !== 'run') return console.log(await runRequest(command))
  const { options } = command
  await runUntilTold<AgentEvent>((signal, log) => runAgent(options, signal, log), options)
})
