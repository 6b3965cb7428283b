import { randomFillSync } from 'node:crypto'

/** A draw from the operating system costs microseconds however small it is, so draws are made in bulk. */
const POOL_BYTES = 4096

/** Random bytes and numbers of `node:crypto`. */
export class NodeRandom {
  readonly #words = new Uint32Array(POOL_BYTES / 4)
  #wordsUsed: number = this.#words.length
  readonly #bytes = new Uint8Array(POOL_BYTES)
  #bytesUsed = POOL_BYTES

  uint32(): number {
    if (this.#wordsUsed === this.#words.length) {
      randomFillSync(this.#words)
      this.#wordsUsed = 0
    }
    return this.#words[this.#wordsUsed++]!
  }

  /** No byte is handed out twice, and none stays behind: it may be part of a key. */
  fill(bytes: Uint8Array): void {
    if (bytes.length > POOL_BYTES / 16) {
      randomFillSync(bytes)
      return
    }
    if (this.#bytesUsed + bytes.length > POOL_BYTES) {
      randomFillSync(this.#bytes)
      this.#bytesUsed = 0
    }
    const drawn = this.#bytes.subarray(this.#bytesUsed, this.#bytesUsed + bytes.length)
    bytes.set(drawn)
    drawn.fill(0)
    this.#bytesUsed += bytes.length
  }
}
