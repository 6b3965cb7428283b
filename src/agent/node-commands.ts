import { execFile, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { HearsayError } from '../errors.ts'

export type Tool = 'ip' | 'bridge'

/** Runs one iproute2 tool and resolves with what it printed. Rejects with a `CommandError` if it fails. */
export interface Run {
  (tool: Tool, args: readonly string[], input?: string): Promise<string>
  /**
   * Starts a tool that goes on printing and does not keep this process alive; it ends when this process does, in
   * whatever way. Returns how to end it. Left out where there is nothing to follow.
   */
  follow?(tool: Tool, args: readonly string[], listener: FollowListener): () => void
}

export interface FollowListener {
  onLine(line: string): void
  /** A line on stderr: it may have missed something. */
  onComplaint(line: string): void
  /** It has ended, and not because it was told to. */
  onEnd(): void
}

/** `ERR_COMMAND_FAILED`: a tool ended badly, or could not be run. */
export class CommandError extends HearsayError {
  /** What the tool said about it. */
  readonly stderr: string

  constructor(command: string, stderr: string, cause: unknown) {
    const words = stderr.trim().split('\n')[0] || String(cause)
    super('ERR_COMMAND_FAILED', `${command}: ${words}`, { cause })
    this.stderr = stderr
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return HearsayError[Symbol.hasInstance](value) && (value as HearsayError).code === 'ERR_COMMAND_FAILED'
  }
}

const MOST_OUTPUT_BYTES = 256 * 1024 * 1024
const COMMAND_TIMEOUT_MS = 60_000

const runs = new Map<string | undefined, Run>()

/**
 * Tools that act on the network namespace of this process, or on a named one. Asked again, it returns the same
 * function, so that whatever is shared by all who watch a namespace is shared.
 */
export function iproute2(namespace?: string): Run {
  const known = runs.get(namespace)
  if (known !== undefined) return known
  const prefix = namespace === undefined ? [] : ['-netns', namespace]
  const run: Run = Object.assign(
    (tool: Tool, args: readonly string[], input?: string) => runOnce(tool, [...prefix, ...args], input),
    {
      follow: (tool: Tool, args: readonly string[], listener: FollowListener) =>
        follow(tool, [...prefix, ...args], listener),
    },
  )
  runs.set(namespace, run)
  return run
}

function runOnce(tool: Tool, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { maxBuffer: MOST_OUTPUT_BYTES, timeout: COMMAND_TIMEOUT_MS }
    const child = execFile(tool, args, options, (error, stdout, stderr) => {
      if (error === null && !isInterrupted(stderr)) resolve(stdout)
      else reject(new CommandError([tool, ...args].join(' '), stderr, error ?? undefined))
    })
    // A tool that fails early closes its input; its exit code says so already.
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}

/** Of a table that changed while it was read the tool tells what it saw, and ends well. */
function isInterrupted(stderr: string): boolean {
  return stderr.includes('Dump was interrupted')
}

/**
 * Runs a tool for as long as its input is open, so that none outlives this process, not even after a SIGKILL.
 * Its output ends with the tool, since nobody else has it open.
 */
const WHILE_INPUT_IS_OPEN = '"$@" & tool=$!; exec >&- 2>&-; read -r _; kill "$tool"; wait "$tool"'

function follow(tool: Tool, args: readonly string[], listener: FollowListener): () => void {
  let isStopped = false
  // Detached: a Ctrl-C is for us, who then end it in good order.
  const child = spawn('sh', ['-c', WHILE_INPUT_IS_OPEN, 'sh', tool, ...args], { detached: true })
  const lines = createInterface(child.stdout)
  const complaints = createInterface(child.stderr)
  child.stdin.on('error', () => {})
  child.unref()
  // Typed as streams, and sockets in fact: they must not keep us alive.
  for (const stream of [child.stdin, child.stdout, child.stderr]) (stream as unknown as Socket).unref()
  const onEnd = (): void => {
    child.stdin.end()
    if (!isStopped) listener.onEnd()
    isStopped = true
  }
  lines.on('line', (line) => {
    if (!isStopped) listener.onLine(line)
  })
  complaints.on('line', (line) => {
    if (!isStopped) listener.onComplaint(line)
  })
  let openCount = 2
  for (const stream of [lines, complaints]) {
    stream.once('close', () => {
      if (--openCount === 0) onEnd()
    })
  }
  child.once('error', onEnd)
  return () => {
    isStopped = true
    child.stdin.end()
  }
}
