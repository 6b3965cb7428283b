const BLOCK_BYTES = 4_096

/** Copies of bytes that do not live long, many in one allocation: one of its own costs more than a message. */
export class BytePool {
  #block = new Uint8Array(0)
  #used = 0

  copy(bytes: Uint8Array): Uint8Array {
    if (bytes.length > this.#block.length - this.#used) {
      this.#block = new Uint8Array(Math.max(BLOCK_BYTES, bytes.length))
      this.#used = 0
    }
    const start = this.#used
    this.#used += bytes.length
    this.#block.set(bytes, start)
    return this.#block.subarray(start, this.#used)
  }
}
