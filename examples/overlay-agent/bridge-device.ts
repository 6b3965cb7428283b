import { CommandError, type Run } from '../../src/agent/index.ts'
import { ApiError } from '../shared/api-error.ts'

/** Written on each bridge that we make. One without it is somebody else's and is left alone. */
const MARK = 'hearsay overlay bridge'

interface Link {
  readonly ifname: string
  readonly ifalias?: string
  readonly flags: readonly string[]
}

/** The bridge of a network for which the user has named none. */
export class BridgeDevice {
  readonly #name: string
  readonly #run: Run

  constructor(name: string, run: Run) {
    this.#name = name
    this.#run = run
  }

  /** Removes every bridge of this host, or namespace, that carries our mark. Returns their names. */
  static async removeOurs(run: Run): Promise<string[]> {
    const links = JSON.parse(await run('ip', ['-json', 'link', 'show', 'type', 'bridge'])) as Partial<Link>[]
    const names = links.filter(({ ifalias }) => ifalias === MARK).map(({ ifname = '' }) => ifname)
    for (const name of names) await run('ip', ['link', 'del', 'dev', name])
    return names
  }

  /** Makes it where it is missing. One that an earlier process has made is adopted with all its ports. */
  async ensure(): Promise<void> {
    const link = await this.#find()
    if (link !== undefined && link.ifalias !== MARK) {
      const message = `device ${this.#name} exists and is not ours: name it with --bridge, or choose another`
      throw new ApiError(409, 'ERR_DEVICE_FOREIGN', message)
    }
    const lines: string[] = []
    if (link === undefined) {
      lines.push(`link add name ${this.#name} type bridge`, `link set dev ${this.#name} alias "${MARK}"`)
    }
    if (!link?.flags.includes('UP')) lines.push(`link set dev ${this.#name} up`)
    if (lines.length > 0) await this.#run('ip', ['-batch', '-'], `${lines.join('\n')}\n`)
  }

  /** Idempotent; leaves a bridge that is not ours alone. */
  async remove(): Promise<void> {
    const link = await this.#find()
    if (link?.ifalias === MARK) await this.#run('ip', ['link', 'del', 'dev', this.#name])
  }

  async #find(): Promise<Link | undefined> {
    try {
      const links = JSON.parse(await this.#run('ip', ['-json', 'link', 'show', 'dev', this.#name]))
      return (links as Link[])[0]
    } catch (error) {
      if (error instanceof CommandError && error.stderr.includes('does not exist')) return undefined
      throw error
    }
  }
}
