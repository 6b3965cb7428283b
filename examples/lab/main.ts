import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'
import { COMMAND_USAGE, overview } from './commands.ts'
import { endOnSignals } from './end-on-signals.ts'
import { HostGatewayPlayground } from './host-gateway-playground.ts'
import { type LabOptions, missingForLab } from './lab.ts'
import { removeAbandoned } from './namespaces.ts'
import { OverlayPlayground } from './overlay-playground.ts'
import type { Playground } from './playground.ts'
import { RemoteLab, serve } from './remote.ts'

const USAGE = `Usage: npm run lab -- COMMAND

  up [options]                        builds hosts and containers, starts an agent on each host, and stays
      --hosts N                       default 3
      --containers N                  on each host; default 1
      --mode overlay|host-gateway     default overlay
      --ipv6                          an IPv6 underlay
      --segments N                    spreads the hosts over L2 segments behind a router; default 1

In a second terminal:

  exec HOST|CONTAINER -- COMMAND...   runs a command there, such as: exec c1 -- ping 10.42.0.2
${COMMAND_USAGE}
  down                                removes everything`

const OPTIONS = {
  hosts: { type: 'string', default: '3' },
  containers: { type: 'string', default: '1' },
  mode: { type: 'string', default: 'overlay' },
  ipv6: { type: 'boolean', default: false },
  segments: { type: 'string', default: '1' },
} as const

async function main([command, ...args]: readonly string[]): Promise<void> {
  if (command === undefined || command === 'help' || command === '--help') console.log(USAGE)
  else if (command === 'up') await up(args)
  else if (command === 'exec') await exec(args)
  else await remotely([command, ...args])
}

async function up(args: readonly string[]): Promise<void> {
  const { hosts, containers, mode, ipv6, segments } = parseArgs({ args: [...args], options: OPTIONS }).values
  const missing = missingForLab()
  if (missing !== undefined) throw new Error(`no lab on this machine: it ${missing}`)
  endOnSignals()
  const settings = {
    underlay: ipv6 ? 'ipv6' : 'ipv4',
    segments: Number(segments),
    containers: Number(containers),
  } as const
  console.log(`Building ${hosts} hosts, and starting their agents. Ctrl-C removes everything.`)
  const playground = await open(mode, Number(hosts), settings)
  await serve(playground, () => process.exit(0))
  const hints = [...playground.hints, 'help'].map((words) => `  npm run lab -- ${words}`)
  console.log(`\n${overview(playground)}\n\nIn a second terminal, for example:\n${hints.join('\n')}`)
  await new Promise(() => {})
}

function open(mode: string, hosts: number, options: LabOptions): Promise<Playground> {
  if (mode === 'overlay') return OverlayPlayground.up(hosts, options)
  if (mode === 'host-gateway') return HostGatewayPlayground.up(hosts, options)
  throw new Error(`--mode must be overlay or host-gateway, got ${mode}`)
}

async function exec(args: readonly string[]): Promise<void> {
  const [name, ...rest] = args
  const command = rest[0] === '--' ? rest.slice(1) : rest
  if (name === undefined || command.length === 0) throw new Error('usage: exec HOST|CONTAINER -- COMMAND...')
  const namespace = await RemoteLab.find().namespaceOf(name)
  const child = spawn('ip', ['netns', 'exec', namespace, ...command], { stdio: 'inherit' })
  // A Ctrl-C reaches the command as well; its end is ours.
  process.on('SIGINT', () => {})
  process.exitCode = await new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)))
}

async function remotely(words: readonly string[]): Promise<void> {
  removeAbandoned()
  console.log(await RemoteLab.find().perform(words))
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(1)
})
