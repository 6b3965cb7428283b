import { lstatSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { callJson } from '../shared/json-client.ts'
import { JsonServer } from '../shared/json-server.ts'
import { namespaceOf, perform } from './commands.ts'
import type { Playground } from './playground.ts'

const SOCKET = 'lab.sock'
/** The first start of an agent on a busy machine takes its time. */
const TIMEOUT_MS = 120_000

/** Takes commands from other terminals, one at a time. `onDown` is called by the one that ends the lab. */
export function serve(playground: Playground, onDown: () => void): Promise<JsonServer> {
  let last: Promise<unknown> = Promise.resolve()
  return JsonServer.listen(join(playground.lab.directory, SOCKET), async ({ path, body }) => {
    const words = Array.isArray(body) ? body.map(String) : []
    if (path[0] === 'namespaces') return namespaceOf(playground.lab, words[0] ?? '')
    if (words[0] === 'down') {
      setImmediate(onDown)
      return 'removing everything'
    }
    const result = last.then(() => perform(playground, words))
    last = result.catch(() => {})
    return result
  })
}

/** A lab that runs in another process of this user. */
export class RemoteLab {
  readonly #socketPath: string

  /** The one that was started last. Throws if there is none. */
  static find(): RemoteLab {
    const sockets = readdirSync(tmpdir()).flatMap((name) => {
      const found = /^hearsay-\d+-\d+-/.test(name) ? socketOf(join(tmpdir(), name)) : undefined
      return found === undefined ? [] : [found]
    })
    const [latest] = sockets.sort((a, b) => b.since - a.since)
    if (latest === undefined) throw new Error('no lab is running: npm run lab -- up')
    return new RemoteLab(latest.path)
  }

  private constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  /** Resolves with what to print. */
  async perform(words: readonly string[]): Promise<string> {
    return String(await this.#call('/commands', words))
  }

  async namespaceOf(name: string): Promise<string> {
    return String(await this.#call('/namespaces', [name]))
  }

  #call(path: string, body: readonly string[]): Promise<unknown> {
    return callJson(this.#socketPath, 'POST', path, { body, timeoutMs: TIMEOUT_MS })
  }
}

/** Of a lab in this directory, if there is one, and the directory is ours: others may have made one of that name. */
function socketOf(directory: string): { path: string; since: number } | undefined {
  try {
    if (lstatSync(directory).uid !== process.getuid?.()) return undefined
    const path = join(directory, SOCKET)
    return { path, since: lstatSync(path).mtimeMs }
  } catch {
    return undefined
  }
}
