import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { LabHost } from './lab.ts'

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
const PATIENCE_MS = 60_000
const LOOK_AGAIN_MS = 20
const LAST_WORDS = 5

/** What runs on a host of a lab: a main file, and its command line for that host. */
export interface AgentProgram {
  readonly main: string
  readonly args: (host: LabHost) => readonly string[]
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>
}

/** The agent of one host, as a process in its namespace that is started and ended again and again. */
export class LabAgent {
  readonly socketPath: string
  /** All that it ever printed. */
  readonly logPath: string
  readonly #host: LabHost
  readonly #program: AgentProgram
  #child: ChildProcess | undefined
  #exited: Promise<void> = Promise.resolve()
  #exitCode: string | undefined

  constructor(host: LabHost, program: AgentProgram) {
    this.#host = host
    this.#program = program
    this.socketPath = join(host.directory, 'agent.sock')
    this.logPath = join(host.directory, 'agent.log')
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get isRunning(): boolean {
    return this.#child !== undefined
  }

  /** Starts the process, if there is none. */
  start(): void {
    if (this.#child !== undefined) return
    const { main, args, env } = this.#program
    mkdirSync(this.#host.directory, { recursive: true })
    const log = openSync(this.logPath, 'a')
    const node = [process.execPath, '--import', 'tsx', main, ...args(this.#host)]
    // Detached: a Ctrl-C is for us, who then end it with everything else.
    const child = spawn('ip', ['netns', 'exec', this.#host.namespace, ...node], {
      cwd: PROJECT,
      env: { ...process.env, ...env },
      stdio: ['ignore', log, log],
      detached: true,
    })
    closeSync(log)
    this.#child = child
    this.#exitCode = undefined
    this.#exited = new Promise((resolve) => {
      const end = (how: string): void => {
        this.#child = undefined
        this.#exitCode = how
        resolve()
      }
      child.once('error', ({ message }) => end(message))
      child.once('exit', (code, signal) => end(String(signal ?? code)))
    })
  }

  /** Resolves with what `ask` does once that is something; rejects if the process ends, or with what went wrong last. */
  async until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
    const giveUpAt = performance.now() + PATIENCE_MS
    for (;;) {
      let problem: unknown
      const answer = await ask().catch((error: unknown) => {
        problem = error
        return undefined
      })
      if (answer !== undefined) return answer
      if (!this.isRunning || performance.now() > giveUpAt) {
        const state = this.isRunning ? 'still runs' : `ended (${this.#exitCode})`
        const words = [`${this.#host.name}: ${what} did not come true; its agent ${state}`, ...this.lastWords]
        throw new Error(words.join('\n  '), { cause: problem })
      }
      await sleep(LOOK_AGAIN_MS)
    }
  }

  /** As a crash would (SIGKILL): it tells nobody and tidies nothing up. Resolves once it is gone. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.#exited
  }

  /** Asks it to end (SIGTERM), and resolves once it has. Rejects if it does not end well. */
  async stop(): Promise<void> {
    this.#child?.kill('SIGTERM')
    await this.#exited
    if (this.#exitCode === '0') return
    const words = [`the agent of ${this.#host.name} did not stop well (${this.#exitCode})`, ...this.lastWords]
    throw new Error(words.join('\n  '))
  }

  /** The last lines that it printed. */
  get lastWords(): string[] {
    try {
      return readFileSync(this.logPath, 'utf8').trim().split('\n').slice(-LAST_WORDS)
    } catch {
      return []
    }
  }
}
