import { HearsayError } from '../errors.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { sameBytes, utf8Length } from '../wire/bytes.ts'
import { entryBytes, entryKey } from '../wire/entry-event.ts'
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
  /** Keys set since this node started, and whether the whole set was declared: what is inherited and is neither goes. */
  readonly #declared = new Set<string>()
  #declaredWhole = false

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
    this.#declared.add(key)
    const own = this.#own(key)
    const winner = this.#host.replica.view.winner(this.#entryKey(key))
    if (winner?.owner === this.#host.self && own !== undefined && sameBytes(own, bytes)) return
    this.#host.replica.write(this.#entryKey(key), bytes)
  }

  /** Gives up this node's own claim to a key; says whether there was one. Other owners' claims stay. */
  delete(key: string): boolean {
    this.#host.checkWritable()
    this.#checkKey(key)
    this.#declared.add(key)
    if (this.#own(key) === undefined) return false
    this.#host.replica.write(this.#entryKey(key), undefined)
    return true
  }

  /**
   * Declares the whole set of entries that this node owns in this table: what differs is set, what is missing is deleted,
   * what is equal stays untouched. Throws as `set` does, before anything has changed.
   */
  replaceOwn(entries: Iterable<readonly [key: string, value: V]>): void {
    this.#host.checkWritable()
    const wanted = new Map<string, Uint8Array>()
    for (const [key, value] of entries) wanted.set(key, this.#encode(key, value))
    this.#declaredWhole = true
    for (const key of this.#ownKeys()) {
      if (!wanted.has(key)) this.#host.replica.write(this.#entryKey(key), undefined)
    }
    for (const [key, bytes] of wanted) {
      const own = this.#own(key)
      if (own === undefined || !sameBytes(own, bytes)) this.#host.replica.write(this.#entryKey(key), bytes)
    }
  }

  /** The winning value of a key, and whose it is. */
  get(key: string): Owned<V> | undefined {
    this.#host.checkOpen()
    const claim = this.#host.replica.view.winner(this.#entryKey(key))
    const decoded = claim && this.#decode(claim)
    return decoded && { value: decoded.value, owner: claim!.owner }
  }

  /** Every key that has a winner. The table must not be changed while it is walked. */
  *entries(): Generator<readonly [key: string, entry: Owned<V>], void> {
    this.#host.checkOpen()
    for (const entryKey of this.#host.replica.view.keys(this.name)) {
      const claim = this.#host.replica.view.winner(entryKey)
      const decoded = claim && this.#decode(claim)
      if (decoded !== undefined)
        yield [this.#keyWithin(entryKey), { value: decoded.value, owner: claim!.owner }]
    }
  }

  /** All claims to a key, the winner first; those of owners that are gone are `hidden` and last. */
  claims(key: string): readonly (Owned<V> & { readonly hidden: boolean })[] {
    this.#host.checkOpen()
    return this.#host.replica.view.claims(this.#entryKey(key)).flatMap((claim) => {
      const decoded = this.#decode(claim)
      return decoded === undefined ? [] : [{ value: decoded.value, owner: claim.owner, hidden: claim.hidden }]
    })
  }

  /**
   * The entries there are, then `synced`, then every change. Changes of a key that come faster than they are taken are merged into
   * one. Ends quietly when the signal aborts, the loop breaks, or the network is left.
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
        decode: (claim) => this.#decode(claim),
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

  /** @internal Whether this node has declared a key anew since it started. */
  isDeclared(key: string): boolean {
    return this.#declaredWhole || this.#declared.has(key)
  }

  #entryKey(key: string): string {
    return entryKey(this.name, key)
  }

  #keyWithin(entryKey: string): string {
    return entryKey.slice(this.name.length + 1)
  }

  #own(key: string): Uint8Array | undefined {
    return this.#host.replica.ownEntry(this.#entryKey(key))?.value
  }

  #ownKeys(): string[] {
    const keys: string[] = []
    const prefix = this.#entryKey('')
    for (const key of this.#host.replica.keysOf(this.#host.self)) {
      if (key.startsWith(prefix)) keys.push(this.#keyWithin(key))
    }
    return keys
  }

  #encode(key: string, value: V): Uint8Array {
    this.#checkKey(key)
    let bytes: Uint8Array
    try {
      bytes = this.codec.encode(value)
      if (!(bytes instanceof Uint8Array)) throw new TypeError('encode returned no Uint8Array')
    } catch (cause) {
      const message = `The codec of table '${this.name}' failed to encode the value of '${key}'; see the cause.`
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
    return bytes.slice()
  }

  #checkKey(key: string): void {
    if (typeof key !== 'string' || /\p{Surrogate}/u.test(key) || utf8Length(key) > MAX_KEY_BYTES) {
      const message = `A key must be well-formed text of at most ${MAX_KEY_BYTES} bytes of UTF-8; shorten or correct it.`
      throw new HearsayError('ERR_NAME_INVALID', message)
    }
  }

  #decode(claim: Claim): { readonly value: V } | undefined {
    try {
      // A codec that keeps or changes what it is given must not reach into the log.
      return { value: this.codec.decode(claim.item.value!.slice()) }
    } catch (cause) {
      this.#host.undecodable(this.name, this.#keyWithin(claim.item.key), claim.owner, cause)
      return undefined
    }
  }
}
