import { HearsayError } from './errors.ts'
import type { EventQueue } from './events.ts'
import type { Runtime, SecretFiles } from './runtime/runtime.ts'
import { parseKey } from './security/keyring.ts'

const MAX_FILE_BYTES = 65_536
/** What could not be written is tried again so often. */
const RETRY_MS = 30_000

const HEADER: Uint8Array = new TextEncoder().encode(
  '# Keys of a Hearsay cluster, one a line; the first one seals. Written by the node, after a rotation.\n',
)
const HEX_DIGITS: Uint8Array = new TextEncoder().encode('0123456789abcdef')
const NEWLINE = 10

/**
 * The file that a node takes its keys from, and in which it keeps them when they rotate: one key a line, the first one seals. Empty lines
 * and what follows a `#` are passed over.
 */
export class KeyFile {
  readonly path: string
  /** Whether others than the owner of the file may read or write it. */
  readonly shared: boolean
  readonly #runtime: Runtime
  readonly #files: SecretFiles
  #keys: readonly Uint8Array[]
  #wanted: Uint8Array | undefined
  #writing: Promise<void> | undefined
  #closed = false

  /** Rejects with `ERR_KEY_FILE`, or with `ERR_OPTION_INVALID` where the runtime knows no files. */
  static async read(runtime: Runtime, path: string): Promise<KeyFile> {
    const files = runtime.secretFiles
    if (files === undefined) {
      throw new HearsayError('ERR_OPTION_INVALID', 'Option keyFile needs a runtime with files; pass `keys`.')
    }
    const { bytes, shared } = await files.read(path, MAX_FILE_BYTES).catch((cause: unknown) => {
      const advice = `make one with 'hearsay keygen --out FILE', or correct path and permissions`
      throw failure(`The key file '${path}' cannot be read${reasonOf(cause)}: ${advice}.`, cause)
    })
    try {
      return new KeyFile(runtime, files, path, shared, parse(path, bytes))
    } finally {
      bytes.fill(0)
    }
  }

  private constructor(
    runtime: Runtime,
    files: SecretFiles,
    path: string,
    shared: boolean,
    keys: readonly Uint8Array[],
  ) {
    this.#runtime = runtime
    this.#files = files
    this.path = path
    this.shared = shared
    this.#keys = keys
  }

  /** What the file held, once, for a user who does not keep it: the bytes are wiped afterwards. */
  async use<T>(user: (keys: readonly Uint8Array[]) => Promise<T>): Promise<T> {
    const keys = this.#keys
    this.#keys = []
    try {
      return await user(keys)
    } finally {
      for (const key of keys) key.fill(0)
    }
  }

  /** Whether the latest keys are on their way to the file. */
  get writing(): boolean {
    return this.#writing !== undefined
  }

  /**
   * Keeps these keys from now on, and wipes the bytes given. Resolves when they, or later ones, are in the file; also when that has failed, which a
   * warning tells. It is then tried again.
   */
  keep(keys: readonly Uint8Array[], events: EventQueue): Promise<void> {
    this.#wanted?.fill(0)
    this.#wanted = format(keys)
    for (const key of keys) key.fill(0)
    this.#writing ??= this.#write(events)
    return this.#writing
  }

  /** Resolves once nothing is being written any more. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#writing
    this.#wanted?.fill(0)
  }

  async #write(events: EventQueue, again = false): Promise<void> {
    let failed: Uint8Array | undefined
    while (this.#wanted !== undefined) {
      const bytes = this.#wanted
      this.#wanted = undefined
      failed = undefined
      try {
        await this.#files.replace(this.path, bytes)
        bytes.fill(0)
      } catch (cause) {
        failed = bytes
        if (!again) events.warn('WARN_KEY_FILE_NOT_WRITTEN', notWritten(this.path, cause), cause)
      }
    }
    this.#wanted = failed
    this.#writing = undefined
    if (failed === undefined || this.#closed) return
    this.#runtime.setTimer(RETRY_MS, () => {
      this.#writing ??= this.#write(events, true)
    })
  }
}

function parse(path: string, bytes: Uint8Array): readonly Uint8Array[] {
  if (bytes.length > MAX_FILE_BYTES) {
    throw failure(`The key file '${path}' has more than ${MAX_FILE_BYTES} bytes: it is another file.`)
  }
  const keys: Uint8Array[] = []
  for (const [i, line] of new TextDecoder().decode(bytes).split('\n').entries()) {
    const text = line.replace(/#.*/, '').trim()
    if (text === '') continue
    try {
      keys.push(parseKey(text))
    } catch (cause) {
      for (const key of keys) key.fill(0)
      const advice = 'write one key a line, as 64 hexadecimal digits or base64'
      throw failure(`Line ${i + 1} of the key file '${path}' holds no key: ${advice}.`, cause)
    }
  }
  if (keys.length > 0) return keys
  throw failure(`The key file '${path}' holds no key: make one with 'hearsay keygen'.`)
}

/** Without strings on the way, which nobody can wipe. */
function format(keys: readonly Uint8Array[]): Uint8Array {
  const lines = keys.map((key) => {
    const line = new Uint8Array(2 * key.length + 1)
    for (const [i, byte] of key.entries()) {
      line[2 * i] = HEX_DIGITS[byte >>> 4]!
      line[2 * i + 1] = HEX_DIGITS[byte & 15]!
    }
    line[2 * key.length] = NEWLINE
    return line
  })
  const bytes = new Uint8Array(lines.reduce((sum, { length }) => sum + length, HEADER.length))
  bytes.set(HEADER)
  let at = HEADER.length
  for (const line of lines) {
    bytes.set(line, at)
    at += line.length
    line.fill(0)
  }
  return bytes
}

function notWritten(path: string, cause: unknown): string {
  return `The keys have changed, but the key file '${path}' cannot be written${reasonOf(cause)}: make it writable, or a restart of this node may find no key that others hold. It is tried again.`
}

function reasonOf(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' ? ` (${code})` : ''
}

function failure(message: string, cause?: unknown): HearsayError {
  return new HearsayError('ERR_KEY_FILE', message, cause === undefined ? {} : { cause })
}
