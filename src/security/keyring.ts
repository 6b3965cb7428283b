import { HearsayError } from '../errors.ts'
import type { Sodium } from './sodium.ts'

export const KEY_BYTES = 32

/** What `crypto_kdf` makes of a cluster key; the numbers are part of the protocol. */
const CONTEXT = 'hearsay1'
const PACKET_SUBKEY = 1
const STREAM_SUBKEY = 2
const ID_SUBKEY = 3

/**
 * What one cluster key is used through. Neither fields nor getters hold bytes of it, so that no log or dump
 * shows them.
 */
export class Subkeys {
  /** The key's name on the wire: 32 bits that say nothing about the key. */
  readonly id: number
  readonly #packets: Uint8Array
  readonly #streams: Uint8Array
  readonly #clusterKey: Uint8Array

  /** Takes the bytes over: they are wiped with the subkeys. */
  constructor(sodium: Sodium, clusterKey: Uint8Array) {
    const id = sodium.deriveKey(16, ID_SUBKEY, CONTEXT, clusterKey)
    this.id = ((id[0]! << 24) | (id[1]! << 16) | (id[2]! << 8) | id[3]!) >>> 0
    this.#packets = sodium.deriveKey(KEY_BYTES, PACKET_SUBKEY, CONTEXT, clusterKey)
    this.#streams = sodium.deriveKey(KEY_BYTES, STREAM_SUBKEY, CONTEXT, clusterKey)
    this.#clusterKey = clusterKey
  }

  /** Seals packets, and nothing else. */
  forPackets(): Uint8Array {
    return this.#packets
  }

  /** Goes into the handshake of streams, and nothing else. */
  forStreams(): Uint8Array {
    return this.#streams
  }

  /** The key itself: for members that lack it, by sealed stream, and for the application to keep. */
  forKeeping(): Uint8Array {
    return this.#clusterKey
  }

  wipe(sodium: Sodium): void {
    sodium.wipe(this.#clusterKey)
    sodium.wipe(this.#packets)
    sodium.wipe(this.#streams)
  }

  toJSON(): { id: number } {
    return { id: this.id }
  }
}

/**
 * The keys that a node holds: it seals with the primary one, or for whoever is known not to hold that, with another; and
 * opens with the one that a packet or stream names by id.
 */
export class Keyring {
  readonly #sodium: Sodium
  readonly #byId = new Map<number, Subkeys>()
  /** Addresses whose nodes are known not to hold the primary key, with one that they hold. Empty but during rotations. */
  readonly #others = new Map<string, Subkeys>()
  #primary: Subkeys | undefined

  /** Rejects keys of another form with `ERR_KEY_INVALID`. A key given twice counts once. The first one seals. */
  constructor(sodium: Sodium, keys: readonly (Uint8Array | string)[]) {
    this.#sodium = sodium
    if (keys.length === 0) throw invalid('There is no key')
    try {
      for (const key of keys) this.add(key)
    } catch (error) {
      this.dispose()
      throw error
    }
    ;[this.#primary] = this.#byId.values()
  }

  /** The key that seals. Throws `ERR_CLOSED` once disposed of: a wiped key must never seal. */
  get primary(): Subkeys {
    if (this.#primary === undefined) throw new HearsayError('ERR_CLOSED', 'The keys of this node are wiped.')
    return this.#primary
  }

  /** In the order in which they were added. */
  get ids(): readonly number[] {
    return [...this.#byId.keys()]
  }

  get size(): number {
    return this.#byId.size
  }

  find(id: number): Subkeys | undefined {
    return this.#byId.get(id)
  }

  /** What to seal with for an address. */
  keyFor(to: string): Subkeys {
    return this.#others.size === 0 ? this.primary : (this.#others.get(to) ?? this.primary)
  }

  /** What to open a stream to an address with, if so many tries with other keys have failed; nothing if all have. */
  keyForTry(to: string, failed: number): Subkeys | undefined {
    const first = this.keyFor(to)
    if (failed === 0) return first
    return [...this.#byId.values()].filter((key) => key !== first)[failed - 1]
  }

  /** From now on seals for an address with this key, or without one with the primary. Keys that are not held are passed over. */
  sealFor(to: string, id: number | undefined): void {
    const key = id === undefined ? undefined : this.#byId.get(id)
    if (key === undefined || key === this.#primary) this.#others.delete(to)
    else this.#others.set(to, key)
  }

  /** Seals with the primary key for everyone. */
  sealAlike(): void {
    this.#others.clear()
  }

  /** Adds a key that opens. Throws `ERR_KEY_INVALID`. One that is held already is the same key. */
  add(key: Uint8Array | string): void {
    this.#add(new Subkeys(this.#sodium, parseKey(key)))
  }

  /** The id that a key has or would have. Throws `ERR_KEY_INVALID`. */
  identify(key: Uint8Array | string): number {
    const subkeys = new Subkeys(this.#sodium, parseKey(key))
    subkeys.wipe(this.#sodium)
    return subkeys.id
  }

  /** Makes a key that is held the primary one. */
  use(id: number): void {
    this.#primary = this.#byId.get(id) ?? this.#primary
  }

  /** Wipes a key and forgets it, but never the primary one. */
  remove(id: number): void {
    const key = this.#byId.get(id)
    if (key === undefined || key === this.#primary) return
    this.#byId.delete(id)
    for (const [address, other] of this.#others) if (other === key) this.#others.delete(address)
    key.wipe(this.#sodium)
  }

  /** Wipes every key and forgets it. Idempotent. */
  dispose(): void {
    for (const subkeys of this.#byId.values()) subkeys.wipe(this.#sodium)
    this.#byId.clear()
    this.#others.clear()
    this.#primary = undefined
  }

  toJSON(): { ids: readonly number[] } {
    return { ids: this.ids }
  }

  #add(subkeys: Subkeys): void {
    const namesake = this.#byId.get(subkeys.id)
    if (namesake === undefined) {
      this.#byId.set(subkeys.id, subkeys)
      return
    }
    const same = sameBytes(namesake.forKeeping(), subkeys.forKeeping())
    if (namesake !== subkeys) subkeys.wipe(this.#sodium)
    if (!same) throw invalid('Two of the keys share an id, one chance in four billion')
  }
}

const HEX = /^[0-9a-f]{64}$/i
const BASE64 = /^(?:[A-Za-z0-9+/]{43}|[A-Za-z0-9_-]{43})=?$/

/**
 * The 32 bytes of a key, as a copy: from bytes, 64 hexadecimal digits, base64 or base64url. Else
 * `ERR_KEY_INVALID`.
 */
export function parseKey(key: Uint8Array | string): Uint8Array {
  const bytes = typeof key === 'string' ? decodeKey(key) : copyKey(key)
  if (bytes.every((byte) => byte === 0)) throw invalid('The key is all zeros')
  return bytes
}

/** Whether a text has the form of a key. */
export function isKeyText(text: string): boolean {
  return HEX.test(text) || BASE64.test(text)
}

function copyKey(key: unknown): Uint8Array {
  if (!(key instanceof Uint8Array)) throw invalid('The key is neither bytes nor a string')
  if (key.length !== KEY_BYTES) throw invalid(`The key has ${key.length} bytes`)
  return Uint8Array.from(key)
}

function decodeKey(text: string): Uint8Array {
  if (HEX.test(text)) {
    return Uint8Array.from({ length: KEY_BYTES }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16))
  }
  if (BASE64.test(text)) {
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
    return Uint8Array.from(binary, (character) => character.charCodeAt(0))
  }
  throw invalid(`The key is a string of ${text.length} characters that is neither hexadecimal nor base64`)
}

function invalid(fault: string): HearsayError {
  const advice = 'give 32 bytes, 64 hexadecimal digits or their base64, or make a key with generateKey()'
  return new HearsayError('ERR_KEY_INVALID', `${fault}: ${advice}.`)
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i])
}
