import { HearsayError } from '../errors.ts'
import type { Runtime, Timer } from '../runtime/runtime.ts'
import { tableOf } from '../wire/entry-event.ts'
import { type Codec, JSON_CODEC } from './codec.ts'
import type { Replica } from './replica.ts'
import { Table, type TableHost } from './table.ts'

/** What a network needs of the node that it was joined at. */
export interface NetworkHost {
  readonly self: string
  readonly runtime: Runtime
  hiddenBecause(network: string, owner: string): 'left' | 'failed' | undefined
  participants(network: string): readonly string[]
  undecodable(network: string, table: string, key: string, owner: string, cause: unknown): void
  leaveNetwork(network: Network): void
  /** Throws `ERR_NAME_CONFLICT` when this node has lost its name to another one. */
  checkWritable(): void
  /** Throws `ERR_NAME_INVALID`. */
  checkTableName(name: string): void
}

/** A network that this node has joined. */
export class Network {
  readonly name: string
  readonly #replica: Replica
  readonly #host: NetworkHost
  readonly #tables = new Map<string, Table<unknown>>()
  /** Entries of this node's former life that the application has not spoken of yet. */
  readonly #undeclared = new Set<string>()
  #inheritance: Timer | undefined
  #left = false

  /** @internal */
  constructor(replica: Replica, host: NetworkHost) {
    this.name = replica.name
    this.#replica = replica
    this.#host = host
  }

  /**
   * Whether the state of another participant has been taken over, or there was none. False after `joinNetwork` when nobody
   * answered in time; becomes true once somebody has.
   */
  get synced(): boolean {
    return this.#replica.synced
  }

  /**
   * A table of this network; asked again, the same one. Values are JSON unless a codec is given. Throws `ERR_NAME_INVALID`,
   * `ERR_CLOSED`, or `ERR_TABLE_REDEFINED` when it is open with another codec.
   */
  table<V>(name: string, codec?: Codec<V>): Table<V> {
    this.#checkOpen()
    this.#host.checkTableName(name)
    if (codec !== undefined) checkCodec(name, codec)
    const present = this.#tables.get(name) as Table<V> | undefined
    const wanted = codec ?? (JSON_CODEC as Codec<V>)
    if (present === undefined) {
      const table = new Table<V>(name, wanted, this.#tableHost())
      this.#tables.set(name, table as Table<unknown>)
      return table
    }
    if (
      codec !== undefined &&
      (present.codec.encode !== wanted.encode || present.codec.decode !== wanted.decode)
    ) {
      const message = `Table '${name}' of network '${this.name}' is open with another codec; open it once and share it.`
      throw new HearsayError('ERR_TABLE_REDEFINED', message)
    }
    return present
  }

  /** Names of the members that take part, this node included. */
  participants(): readonly string[] {
    this.#checkOpen()
    return this.#host.participants(this.name)
  }

  /** Gives up all entries and forgets those of others. Idempotent. */
  async leave(): Promise<void> {
    if (this.#left) return
    this.#host.leaveNetwork(this)
  }

  /** @internal After a time, what was inherited from a former life and was not declared anew is deleted. */
  expireInherited(inheritMs: number): void {
    if (this.#replica.own === undefined || this.#replica.own.log.base === 0) return
    for (const key of this.#replica.keysOf(this.#host.self)) this.#undeclared.add(key)
    this.#inheritance = this.#host.runtime.setTimer(inheritMs, () => {
      for (const key of this.#undeclared) this.#replica.write(key, undefined)
      this.#undeclared.clear()
    })
  }

  /** @internal Ends watches; calls throw from now on. */
  end(): void {
    this.#left = true
    this.#inheritance?.cancel()
    for (const table of this.#tables.values()) table.end()
  }

  #declared(table: string, entryKey: string | undefined): void {
    if (this.#undeclared.size === 0) return
    if (entryKey !== undefined) this.#undeclared.delete(entryKey)
    else for (const key of this.#undeclared) if (tableOf(key) === table) this.#undeclared.delete(key)
  }

  #checkOpen(): void {
    if (!this.#left) return
    throw new HearsayError('ERR_CLOSED', `Network '${this.name}' was left, or its node closed; join it anew.`)
  }

  #tableHost(): TableHost {
    return {
      self: this.#host.self,
      runtime: this.#host.runtime,
      replica: this.#replica,
      checkOpen: () => this.#checkOpen(),
      checkWritable: () => {
        this.#checkOpen()
        this.#host.checkWritable()
      },
      hiddenBecause: (owner) => this.#host.hiddenBecause(this.name, owner),
      declared: (table, entryKey) => this.#declared(table, entryKey),
      undecodable: (table, key, owner, cause) => this.#host.undecodable(this.name, table, key, owner, cause),
    }
  }
}

function checkCodec(
  table: string,
  { encode, decode }: { readonly encode?: unknown; readonly decode?: unknown },
): void {
  if (typeof encode === 'function' && typeof decode === 'function') return
  const message = `The codec of table '${table}' must have the functions encode and decode.`
  throw new HearsayError('ERR_OPTION_INVALID', message)
}
