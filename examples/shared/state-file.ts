import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/**
 * What an agent has to know after a crash: one JSON file, replaced as a whole, so that it holds a complete
 * state at every moment. Saving is cheap to call: what is asked for while a write is under way is written
 * once, as it is then.
 */
export class StateFile<State> {
  readonly path: string
  readonly #snapshot: () => State
  #next: Promise<void> | undefined
  #last: Promise<void> = Promise.resolve()

  /** `snapshot` is asked right before each write. */
  constructor(directory: string, name: string, snapshot: () => State) {
    this.path = join(directory, name)
    this.#snapshot = snapshot
  }

  /** Resolves once a state that is not older than this call is on the disk. */
  save(): Promise<void> {
    this.#next ??= this.#last
      .catch(() => {})
      .then(() => {
        this.#next = undefined
        this.#last = writeWhole(this.path, `${JSON.stringify(this.#snapshot(), undefined, 2)}\n`)
        return this.#last
      })
    return this.#next
  }

  /** Resolves once nothing is being written any more, so that another process may go on with the file. */
  async flushed(): Promise<void> {
    await this.#next?.catch(() => {})
    await this.#last.catch(() => {})
  }

  /** Idempotent. */
  async remove(): Promise<void> {
    await this.flushed()
    await rm(this.path, { force: true })
    await rm(`${this.path}.new`, { force: true })
  }
}

/**
 * What a state file holds, or undefined if there is none. Rejects, naming the file and what to do, where
 * `parse` throws.
 */
export async function readState<State>(
  directory: string,
  name: string,
  parse: (value: unknown) => State,
): Promise<State | undefined> {
  const path = join(directory, name)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    return parse(JSON.parse(text))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`the state file ${path} is damaged (${reason}): correct or remove it`, { cause })
  }
}

async function writeWhole(path: string, text: string): Promise<void> {
  const directory = dirname(path)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const file = await open(`${path}.new`, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
  // Else the name may lead to the former content after a power failure.
  const entry = await open(directory, 'r')
  await entry.sync().finally(() => entry.close())
}
