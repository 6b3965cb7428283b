import { execFile } from 'node:child_process'

/** Runs one iproute2 tool and resolves with what it printed. Rejects with a `CommandError` if it fails. */
export type Run = (tool: 'ip' | 'bridge', args: readonly string[], input?: string) => Promise<string>

export class CommandError extends Error {
  override readonly name = 'CommandError'
  /** What the tool said about it. */
  readonly stderr: string

  constructor(command: string, stderr: string, cause: unknown) {
    super(`${command}: ${stderr.trim().split('\n')[0] || String(cause)}`, { cause })
    this.stderr = stderr
  }
}

/** Tools that act on the network namespace of this process, or on a named one. */
export function iproute2(namespace?: string): Run {
  const prefix = namespace === undefined ? [] : ['-netns', namespace]
  return (tool, args, input = '') =>
    new Promise((resolve, reject) => {
      const options = { maxBuffer: 256 * 1024 * 1024, timeout: 60_000 }
      const child = execFile(tool, [...prefix, ...args], options, (error, stdout, stderr) => {
        if (error === null) resolve(stdout)
        else reject(new CommandError([tool, ...args].join(' '), stderr, error))
      })
      // A tool that fails early closes its input; its exit code says so already.
      child.stdin?.on('error', () => {})
      child.stdin?.end(input)
    })
}
