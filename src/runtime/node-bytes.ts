/** The same memory without Node's `Buffer` around it, whose `slice` is a view where that of `Uint8Array` is a copy. */
export function plainBytes(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
}
