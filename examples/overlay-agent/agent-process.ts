import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { OverlayRow } from '../../src/agent/index.ts'
import type { MemberStatus } from '../../src/index.ts'
import { ControlClient } from './control-client.ts'
import type { AgentEvent } from './events.ts'

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))

export interface AgentProcessOptions {
  /** Command line of `run`. */
  readonly args: readonly string[]
  readonly socketPath: string
  readonly key: string
  /** The network namespace to run in; default: this process's own. */
  readonly namespace?: string
}

export interface SeenMember {
  readonly address: string
  readonly status: MemberStatus
}

/** An overlay agent in a process of its own, how to ask it, and what is known of it from its log. */
export class AgentProcess {
  readonly client: ControlClient
  /** The state of each member, as this agent sees it. */
  readonly members: Map<string, SeenMember> = new Map()
  /** Where it listens, once it does. */
  address: string | undefined
  /** Dry run only: the rows that there would be. */
  rows: readonly OverlayRow[] = []
  readonly problems: string[] = []
  readonly #commands: string[] = []
  readonly #child: ChildProcess
  readonly #exited: Promise<void>
  #isEnding = false
  #exit: string | undefined
  #stderr = ''

  constructor({ args, socketPath, key, namespace }: AgentProcessOptions) {
    this.client = new ControlClient(socketPath)
    const agent = ['run', '--stop-on-eof', '--socket', socketPath, ...args]
    const node = [process.execPath, '--import', 'tsx', MAIN, ...agent]
    const [command = '', ...rest] =
      namespace === undefined ? node : ['ip', 'netns', 'exec', namespace, ...node]
    // Detached: a Ctrl-C is for us, who then end it in good order.
    const child = spawn(command, rest, {
      cwd: PROJECT,
      env: { ...process.env, HEARSAY_KEY: key },
      detached: true,
    })
    this.#child = child
    createInterface(child.stdout).on('line', (line) => this.#take(JSON.parse(line)))
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#exit = error.message
        resolve()
      })
      child.once('close', (code, signal) => {
        this.#exit ??= String(signal ?? code)
        resolve()
      })
    })
  }

  /** Throws, with what the agent said last, if it ended without having been told to. */
  assertAlive(): void {
    if (this.#exit === undefined || this.#isEnding) return
    throw new Error(`an agent ended (${this.#exit}): ${this.#stderr.trim() || this.problems.at(-1)}`)
  }

  /** Dry run only: the commands that would have been run since the last call. */
  takeCommands(): string[] {
    return this.#commands.splice(0)
  }

  /** As a crash would: it tells nobody and tidies nothing up. */
  async crash(): Promise<void> {
    this.kill()
    await this.#exited
  }

  /**
   * Has it withdraw and remove everything, and resolves once it has ended. Rejects if it does not end well.
   */
  async down(): Promise<void> {
    this.#isEnding = true
    await this.client.down()
    await this.#exited
    if (this.#exit !== '0')
      throw new Error(`an agent did not end well (${this.#exit}): ${this.#stderr.trim()}`)
  }

  /** Ends it at once, from a handler that cannot wait. */
  kill(): void {
    this.#isEnding = true
    this.#child.kill('SIGKILL')
  }

  #take(event: AgentEvent): void {
    if (event.event === 'listening') this.address = event.address
    else if (event.event === 'member') this.members.set(event.name, event)
    else if (event.event === 'problem') this.problems.push(event.message)
    else if (event.event === 'dry-run') {
      this.#commands.push(...event.commands)
      this.rows = event.rows
    }
  }
}
