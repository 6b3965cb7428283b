import type { Reader } from './bytes.ts'

interface Decoded<T> {
  readonly bytes: Uint8Array
  readonly value: T
}

/** A generation ends after so many reads for each value that it may hold: what was not met again meanwhile is past. */
const READS_PER_VALUE = 2

/**
 * Values by the bytes that they were decoded from: the same bytes give the very same value, undecoded. Two generations, each of
 * at most `capacity` values: what is met again lives on, what is not goes with its generation.
 */
export class Interned<T> {
  readonly #capacity: number
  #young = new Map<number, Decoded<T>>()
  #old = new Map<number, Decoded<T>>()
  #reads = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** What the rest of the reader's bytes was decoded to before, and reads past it; else decodes it, and the reader may fail. */
  read(reader: Reader, decode: (reader: Reader) => T, added: (bytes: Uint8Array, value: T) => void): T {
    if (++this.#reads >= READS_PER_VALUE * this.#capacity) this.#turn()
    // Signed, so that looking it up makes no box.
    const hash = reader.hashRest() | 0
    const young = this.#young.get(hash)
    if (young !== undefined && reader.skipRest(young.bytes)) return young.value
    const old = this.#old.get(hash)
    if (old !== undefined && reader.skipRest(old.bytes)) {
      this.#keep(hash, old)
      return old.value
    }
    const bytes = reader.rest()
    const value = decode(reader)
    if (!reader.failed) {
      const own = bytes.slice()
      added(own, value)
      this.#keep(hash, { bytes: own, value })
    }
    return value
  }

  #keep(hash: number, decoded: Decoded<T>): void {
    if (this.#young.size >= this.#capacity) this.#turn()
    this.#young.set(hash, decoded)
  }

  #turn(): void {
    this.#old = this.#young
    this.#young = new Map()
    this.#reads = 0
  }
}
