import { HearsayError } from '../errors.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { sameBytes, utf8Length } from '../wire/bytes.ts'
import { type EntryItem, entryBytes, entryKey } from '../wire/entry-event.ts'
import { MAX_ENTRY_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES } from '../wire/limits.ts'
import type { Codec } from './codec.ts'
import type { Replica } from './replica.ts'
import type { Claim } from './view.ts'
import { type Change, type Owned, Watch } from './watch.ts'

/** What a table needs of the network that it belongs to. */
export interface TableHost {
  readonly self: string
  readonly runtime: Runtime
  readonly replica: Replica
  /** Throws `ERR_CLOSED` when the network was left or the node closed. */
  checkOpen(): void
  /** The same, and `ERR_NAME_CONFLICT` when this node has lost its name to another one. */
  checkWritable(): void
  hiddenBecause(owner: string): 'left' | 'failed' | undefined
  /** The application has spoken of an entry of this node, or, without a key, of all of a table; see `Network`. */
  declared(table: string, entryKey?: string): void
  /** Reports an entry that the codec could not decode. */
  undecodable(table: string, key: string, owner: string, cause: unknown): void
}

/**
 * A named map within a network. Every member that takes part may claim keys; where several claim one, all agree on the winner:
 * the latest claim of an owner that can be reached.
 */
export class Table<V> {
  readonly name: string
  readonly codec: Codec<V>
  readonly #host: TableHost
  readonly #watches = new Set<Watch<V>>()
  /** What watches were given of an entry, so that each is decoded once for all of them. */
  readonly #shared = new WeakMap<EntryItem, { readonly value: V } | undefined>()

  /** @internal */
  constructor(name: string, codec: Codec<V>, host: TableHost) {
    this.name = name
    this.codec = codec
    this.#host = host
  }

  /**
   * Claims a key with a value, over every claim that this node sees. Throws `ERR_CLOSED`, `ERR_NAME_CONFLICT`,
   * `ERR_NAME_INVALID` (the key), `ERR_ENCODE_FAILED` or `ERR_ENTRY_TOO_LARGE`; then nothing has changed.
   */
  set(key: string, value: V): void {
    this.#host.checkWritable()
    const bytes = this.#encode(key, value)
    const { replica, self } = this.#host
    const entryKey = this.#entryKey(key)
    this.#host.declared(this.name, entryKey)
    const own = replica.ownEntry(entryKey)?.value
    const isOurs = own !== undefined && replica.view.winner(entryKey)?.owner === self
    if (!isOurs || !sameBytes(own, bytes)) replica.write(entryKey, bytes)
  }

  /** Gives up this node's own claim to a key; says whether there was one. Other owners' claims stay. */
  delete(key: string): boolean {
    this.#host.checkWritable()
    checkKey(key)
    const { replica } = this.#host
    const entryKey = this.#entryKey(key)
    this.#host.declared(this.name, entryKey)
    if (replica.ownEntry(entryKey) === undefined) return false
    replica.write(entryKey, undefined)
    return true
  }

  /**
   * Declares the whole set of entries that this node owns in this table: what differs is set, what is missing is deleted,
   * what is equal stays untouched. Throws as `set` does, before anything has changed.
   */
  replaceOwn(entries: Iterable<readonly [key: string, value: V]>): void {
    this.#host.checkWritable()
    const wanted = new Map<string, Uint8Array>()
    for (const [key, value] of entries) wanted.set(this.#entryKey(key), this.#encode(key, value))
    const { replica } = this.#host
    this.#host.declared(this.name)
    for (const entryKey of this.#ownKeys()) if (!wanted.has(entryKey)) replica.write(entryKey, undefined)
    for (const [entryKey, bytes] of wanted) {
      const own = replica.ownEntry(entryKey)?.value
      if (own === undefined || !sameBytes(own, bytes)) replica.write(entryKey, bytes)
    }
  }

  /** The winning value of a key, and whose it is. */
  get(key: string): Owned<V> | undefined {
    this.#host.checkOpen()
    const claim = this.#host.replica.view.winner(this.#entryKey(key))
    const decoded = claim && this.#decode(claim)
    return decoded && { value: decoded.value, owner: claim!.owner }
  }

  /** Every key that has a winner, in no order. As with a `Map`, what changes during the walk may be seen or not. */
  entries(): IterableIterator<readonly [key: string, entry: Owned<V>]> {
    this.#host.checkOpen()
    return this.#walk()
  }

  *#walk(): Generator<readonly [key: string, entry: Owned<V>], void> {
    for (const entryKey of this.#host.replica.view.keys(this.name)) {
      const claim = this.#host.replica.view.winner(entryKey)
      const decoded = claim && this.#decode(claim)
      if (decoded !== undefined)
        yield [this.#keyWithin(entryKey), { value: decoded.value, owner: claim!.owner }]
    }
  }

  /** All claims to a key, the winner first; those of owners that have failed are `hidden` and last. */
  claims(key: string): readonly (Owned<V> & { readonly hidden: boolean })[] {
    this.#host.checkOpen()
    return this.#host.replica.view.claims(this.#entryKey(key)).flatMap((claim) => {
      const decoded = this.#decode(claim)
      return decoded === undefined ? [] : [{ value: decoded.value, owner: claim.owner, hidden: claim.hidden }]
    })
  }

  /**
   * The entries there are, then `synced`, then every change. Changes of a key that come faster than they are taken are merged into
   * one. Ends quietly when the signal aborts, the loop breaks, or the network is left. Watches of one table are given the same
   * values: leave them as they are.
   */
  watch(options: { signal?: AbortSignal } = {}): AsyncIterableIterator<Change<V>> {
    this.#host.checkOpen()
    const { signal } = options
    const abort = (): void => watch.end()
    const watch = new Watch<V>(
      this.#host.runtime,
      {
        table: this.name,
        view: this.#host.replica.view,
        decode: (claim) => this.#decodeShared(claim),
        keyWithin: (entryKey) => this.#keyWithin(entryKey),
        hiddenBecause: (owner) => this.#host.hiddenBecause(owner),
      },
      () => {
        this.#watches.delete(watch)
        signal?.removeEventListener('abort', abort)
      },
    )
    this.#watches.add(watch)
    if (signal?.aborted) watch.end()
    else signal?.addEventListener('abort', abort)
    return watch
  }

  /** @internal Ends all watches. */
  end(): void {
    for (const watch of [...this.#watches]) watch.end()
  }

  #entryKey(key: string): string {
    return entryKey(this.name, key)
  }

  #keyWithin(entryKey: string): string {
    return entryKey.slice(this.name.length + 1)
  }

  #ownKeys(): string[] {
    const prefix = this.#entryKey('')
    return [...this.#host.replica.keysOf(this.#host.self)].filter((entryKey) => entryKey.startsWith(prefix))
  }

  /** A copy of its own, whatever the codec does with what it returned. */
  #encode(key: string, value: V): Uint8Array {
    checkKey(key)
    let bytes: Uint8Array
    try {
      bytes = this.codec.encode(value)
      if (!(bytes instanceof Uint8Array))
        throw new TypeError(`encode returned ${kindOf(bytes)}, not a Uint8Array`)
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      const message = `The codec of table '${this.name}' cannot encode the value of '${key}': ${reason}`
      throw new HearsayError('ERR_ENCODE_FAILED', message, { cause })
    }
    const { replica, self } = this.#host
    if (bytes.length > MAX_VALUE_BYTES) {
      const message = `The value of '${key}' has ${bytes.length} bytes, more than ${MAX_VALUE_BYTES}; store less, or a reference.`
      throw new HearsayError('ERR_ENTRY_TOO_LARGE', message)
    }
    const size = entryBytes(replica.name, self, this.#entryKey(key), bytes.length)
    if (size > MAX_ENTRY_BYTES) {
      const message = `The entry '${key}' takes ${size} bytes with its names, more than ${MAX_ENTRY_BYTES}; shorten value, key or names.`
      throw new HearsayError('ERR_ENTRY_TOO_LARGE', message)
    }
    // Not `slice`: a Buffer's shares its memory.
    return new Uint8Array(bytes)
  }

  /** An entry that cannot be decoded is as none. It is reported, and stops nothing. */
  #decode(claim: Claim): { readonly value: V } | undefined {
    try {
      // A copy, so that a codec that keeps or changes what it is given does not reach into the log.
      return { value: this.codec.decode(claim.item.value!) }
    } catch (cause) {
      this.#host.undecodable(this.name, this.#keyWithin(claim.item.key), claim.owner, cause)
      return undefined
    }
  }

  #decodeShared(claim: Claim): { readonly value: V } | undefined {
    if (this.#watches.size === 1) return this.#decode(claim)
    if (this.#shared.has(claim.item)) return this.#shared.get(claim.item)
    const decoded = this.#decode(claim)
    this.#shared.set(claim.item, decoded)
    return decoded
  }
}

function checkKey(key: unknown): asserts key is string {
  const problem = problemOf(key)
  if (problem !== undefined) throw new HearsayError('ERR_NAME_INVALID', `The key of an entry ${problem}`)
}

function problemOf(key: unknown): string | undefined {
  if (typeof key !== 'string') return `must be a string, not ${kindOf(key)}.`
  if (/\p{Surrogate}/u.test(key)) return 'contains half a surrogate pair; pass well-formed Unicode.'
  const bytes = utf8Length(key)
  if (bytes <= MAX_KEY_BYTES) return undefined
  const beginning = key.slice(0, 20)
  return `has ${bytes} bytes of UTF-8, more than ${MAX_KEY_BYTES}; shorten '${beginning}…'.`
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  return typeof value === 'object'
    ? `an object of ${value.constructor?.name ?? 'no class'}`
    : `a ${typeof value}`
}
