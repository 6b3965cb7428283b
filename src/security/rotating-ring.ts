import { HearsayError } from '../errors.ts'
import type { Runtime, Timer } from '../runtime/runtime.ts'
import { MAX_LISTED_KEYS } from '../wire/member-record.ts'
import { type KeyNews, writeKeys } from './key-exchange.ts'
import { compareKeys, type KeyLattice, keyInUse, mergeLattices, NO_ROTATION } from './key-lattice.ts'
import type { Keyring } from './keyring.ts'

/** A member and the ids of the keys that it says it holds, the one that it seals with first. */
export interface KeyHolder {
  readonly name: string
  readonly address: string
  readonly keys: readonly number[]
}

/** Packets and hellos that were sealed with a retired key and are still on their way open for so long. */
export const RETIRE_GRACE_MS = 30_000

const NO_BYTES = new Uint8Array(0)
const NO_KEYS: ReadonlyMap<number, Uint8Array> = new Map()

/** The keyring of a node, and the lattice that says which keys are on it. */
export class RotatingRing {
  readonly #runtime: Runtime
  readonly #keyring: Keyring
  readonly #retiring = new Map<number, Timer>()
  #lattice = NO_ROTATION
  #listed: readonly number[]

  constructor(runtime: Runtime, keyring: Keyring) {
    this.#runtime = runtime
    this.#keyring = keyring
    this.#listed = keyring.ids.slice(0, MAX_LISTED_KEYS)
  }

  get lattice(): KeyLattice {
    return this.#lattice
  }

  /** Ids of the keys on the ring, the one that seals first. */
  get listed(): readonly number[] {
    return this.#listed
  }

  /** Whether there is more than one key to seal with; those that are being retired count. */
  get hasChoice(): boolean {
    return this.#keyring.size > 1
  }

  /** The keys on the ring, the one that seals first: copies of their bytes. */
  keys(): Uint8Array[] {
    return this.#listed.map((id) => this.#keyring.find(id)!.forKeeping().slice())
  }

  /** All that others need to go along. Holds bytes of keys: for sealed streams only. */
  news(): Uint8Array {
    const bytes = new Map(this.#lattice.keys.map(({ id }) => [id, this.#keyring.find(id)!.forKeeping()]))
    return writeKeys({ lattice: this.#lattice, bytes })
  }

  /** The id that a key has or would have. Throws `ERR_KEY_INVALID`. */
  identify(key: Uint8Array | string): number {
    return this.#keyring.identify(key)
  }

  /**
   * Merges news of the lattice; tells whether they were any. Throws `ERR_KEY_INVALID` where the bytes of a key that is not
   * held are missing or are those of another one.
   */
  merge(news: { readonly lattice: KeyLattice; readonly bytes?: KeyNews['bytes'] }): boolean {
    const lattice = mergeLattices(this.#lattice, news.lattice)
    if (lattice === this.#lattice) return false
    this.#addAll(lattice, news.bytes ?? NO_KEYS)
    this.#lattice = lattice
    this.#listed = this.#list()
    this.#keyring.use(this.#listed[0]!)
    for (const id of this.#keyring.ids) this.#settle(id)
    return true
  }

  /** Seals for a member with the newest key that both hold, if it does not list the one in use. */
  sealFor({ address, keys }: KeyHolder): void {
    const knows = keys.length === 0 || keys.includes(this.#listed[0]!)
    this.#keyring.sealFor(address, knows ? undefined : this.#newestOf(keys))
  }

  sealAlike(): void {
    this.#keyring.sealAlike()
  }

  #newestOf(listed: readonly number[]): number | undefined {
    const newest = this.#lattice.keys.findLast(({ id }) => listed.includes(id))
    return newest?.id ?? this.#keyring.ids.find((id) => listed.includes(id))
  }

  /** All or none. */
  #addAll(lattice: KeyLattice, bytes: KeyNews['bytes']): void {
    const lacking = lattice.keys.filter(({ id }) => this.#keyring.find(id) === undefined)
    for (const { id } of lacking) {
      if (this.#keyring.identify(bytes.get(id) ?? NO_BYTES) !== id) throw otherKey()
    }
    for (const { id } of lacking) this.#keyring.add(bytes.get(id)!)
  }

  /** What is to come next is told before what is past. */
  #list(): readonly number[] {
    const { keys, floor } = this.#lattice
    const used = keyInUse(this.#lattice)
    const isNext = (key: (typeof keys)[number]): boolean => used === undefined || compareKeys(key, used) > 0
    const older = keys.filter((key) => !isNext(key)).reverse()
    const former = floor.generation === 0 ? this.#keyring.ids : []
    const first = used?.id ?? this.#keyring.primary.id
    const ids = [first, ...[...keys.filter(isNext), ...older].map(({ id }) => id), ...former]
    return [...new Set(ids)].slice(0, MAX_LISTED_KEYS)
  }

  /** Begins to retire a key that is on the ring no more, or keeps one that is on it again. */
  #settle(id: number): void {
    const { keys, floor } = this.#lattice
    const retiring = this.#retiring.get(id)
    if (floor.generation === 0 || keys.some((key) => key.id === id)) {
      retiring?.cancel()
      this.#retiring.delete(id)
    } else if (retiring === undefined) {
      const wipe = (): void => {
        this.#retiring.delete(id)
        this.#keyring.remove(id)
      }
      this.#retiring.set(id, this.#runtime.setTimer(RETIRE_GRACE_MS, wipe))
    }
  }
}

function otherKey(): HearsayError {
  return new HearsayError('ERR_KEY_INVALID', 'A key does not have the id that it is said to have.')
}
