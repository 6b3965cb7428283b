import { finish, mixBytes } from './mix.ts'

/**
 * Writing and reading of bytes. A `Reader` is total: past the end, or at ill-formed input, it turns `failed` and
 * returns zeros from then on, so that a decoder reads straight through and asks once at the end.
 */

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const EMPTY = new Uint8Array(0)
/** Names read of late, by a hash of their bytes: ASCII alone. */
const NAME_SLOTS = 4_096
const LONGEST_NAME = 64
const names: (string | undefined)[] = new Array<string | undefined>(NAME_SLOTS).fill(undefined)

/** Length of a string in UTF-8, without encoding it. Lone surrogates count as the three bytes of U+FFFD. */
export function utf8Length(text: string): number {
  let length = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) continue
    length += unit < 0x800 ? 1 : 2
    if (unit >= 0xd800 && unit < 0xdc00) {
      // The other half of a pair: four bytes for two units.
      const next = text.charCodeAt(i + 1)
      if (next >= 0xdc00 && next < 0xe000) i++
    }
  }
  return length
}

/** Bytes that `varint` takes for a value. */
export function varintLength(value: number): number {
  let length = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++
  return length
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Appends to a buffer that grows. Reusable by `reset`. */
export class Writer {
  #bytes: Uint8Array
  #length = 0

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity)
  }

  get length(): number {
    return this.#length
  }

  reset(): this {
    this.#length = 0
    return this
  }

  /** Forgets what was written past `length`. */
  truncate(length: number): void {
    if (length < this.#length) this.#length = length
  }

  u8(value: number): this {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
    return this
  }

  u16(value: number): this {
    return this.u8(value >>> 8).u8(value & 0xff)
  }

  /** Overwrites two bytes written before, for a length known only afterwards. */
  patchU16(at: number, value: number): void {
    this.#bytes[at] = value >>> 8
    this.#bytes[at + 1] = value & 0xff
  }

  u32(value: number): this {
    this.#reserve(4)
    const bytes = this.#bytes
    bytes[this.#length++] = value >>> 24
    bytes[this.#length++] = value >>> 16
    bytes[this.#length++] = value >>> 8
    bytes[this.#length++] = value
    return this
  }

  /** Six bytes: wall-clock milliseconds and counters below 2^48. */
  u48(value: number): this {
    return this.u16(Math.floor(value / 0x1_0000_0000)).u32(value % 0x1_0000_0000)
  }

  /** An unsigned integer below 2^53, seven bits a byte, lowest first. */
  varint(value: number): this {
    this.#reserve(8)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#length++] = rest
    return this
  }

  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
    return this
  }

  /** Length, then bytes. */
  bytes(bytes: Uint8Array): this {
    return this.varint(bytes.length).raw(bytes)
  }

  /** Length in bytes, then UTF-8. */
  string(text: string): this {
    const length = utf8Length(text)
    this.varint(length).#reserve(length)
    if (length === text.length) {
      for (let i = 0; i < length; i++) this.#bytes[this.#length + i] = text.charCodeAt(i)
    } else {
      encoder.encodeInto(text, this.#bytes.subarray(this.#length, this.#length + length))
    }
    this.#length += length
    return this
  }

  /** What was written, as a view that the next write may change. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** What was written, as a copy of its own. */
  copy(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #reserve(more: number): void {
    const needed = this.#length + more
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}

/** Reads a slice of bytes front to back. */
export class Reader {
  readonly #bytes: Uint8Array
  #end: number
  #at: number
  #failed = false

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
  }

  /** Whether anything read so far was missing or ill-formed. Stays true. */
  get failed(): boolean {
    return this.#failed
  }

  get remaining(): number {
    return this.#end - this.#at
  }

  get position(): number {
    return this.#at
  }

  /** Marks the input as ill-formed, for what only the caller can know. */
  fail(): void {
    this.#failed = true
    this.#at = this.#end
  }

  u8(): number {
    if (this.#at >= this.#end) {
      this.fail()
      return 0
    }
    return this.#bytes[this.#at++]!
  }

  u16(): number {
    return this.u8() * 0x100 + this.u8()
  }

  u32(): number {
    if (this.#end - this.#at < 4) {
      this.fail()
      return 0
    }
    const bytes = this.#bytes
    const at = this.#at
    this.#at = at + 4
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  }

  u48(): number {
    return this.u16() * 0x1_0000_0000 + this.u32()
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 8; i++) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (value <= Number.MAX_SAFE_INTEGER && (byte !== 0 || i === 0)) return value
        break
      }
      scale *= 0x80
    }
    this.fail()
    return 0
  }

  /** A view of the next `length` bytes. */
  raw(length: number): Uint8Array {
    if (length > this.#end - this.#at) {
      this.fail()
      return EMPTY
    }
    const start = this.#at
    this.#at += length
    return this.#bytes.subarray(start, this.#at)
  }

  /** A view of length-prefixed bytes; longer than `most` fails. */
  bytes(most: number): Uint8Array {
    const length = this.varint()
    if (length > most) {
      this.fail()
      return EMPTY
    }
    return this.raw(length)
  }

  /** Length-prefixed UTF-8 of at most `most` bytes. */
  string(most: number): string {
    const length = this.varint()
    if (length > most || length > this.#end - this.#at) {
      this.fail()
      return ''
    }
    const start = this.#at
    this.#at += length
    for (let i = start; i < this.#at; i++) {
      if (this.#bytes[i]! >= 0x80) return this.#decode(start)
    }
    return String.fromCharCode.apply(null, this.#bytes.subarray(start, this.#at) as unknown as number[])
  }

  /** As `string`, for what comes again and again: the same bytes mostly give the very same string. */
  name(most: number): string {
    const before = this.#at
    const length = this.varint()
    const start = this.#at
    const end = start + length
    if (length > LONGEST_NAME || length > most || end > this.#end) {
      this.#at = this.#failed ? this.#end : before
      return this.string(most)
    }
    const bytes = this.#bytes
    let hash = length
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x0100_0193)
    const slot = (hash ^ (hash >>> 15)) & (NAME_SLOTS - 1)
    const known = names[slot]
    if (known !== undefined && known.length === length) {
      let i = 0
      while (i < length && known.charCodeAt(i) === bytes[start + i]) i++
      if (i === length) {
        this.#at = end
        return known
      }
    }
    this.#at = before
    const name = this.string(most)
    // Only of ASCII are characters and bytes the same.
    if (name.length === length) names[slot] = name
    return name
  }

  skip(length: number): void {
    if (length > this.#end - this.#at) this.fail()
    else this.#at += length
  }

  /** A view of all that is left, without moving. */
  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at, this.#end)
  }

  /** A hash of all that is left, without moving. */
  hashRest(): number {
    return finish(mixBytes(0, this.#bytes, this.#at, this.#end))
  }

  /** Reads past all that is left if it is just these bytes; else stays where it is. */
  skipRest(expected: Uint8Array): boolean {
    const { length } = expected
    if (this.#failed || this.#end - this.#at !== length) return false
    for (let i = 0; i < length; i++) if (this.#bytes[this.#at + i] !== expected[i]) return false
    this.#at = this.#end
    return true
  }

  /** Ends at the next `length` bytes until `leave`, which is to be given what this returns. */
  enter(length: number): number {
    const end = this.#end
    if (length > end - this.#at) this.fail()
    else this.#end = this.#at + length
    return end
  }

  /** Goes on behind the bytes that were entered, read or not. */
  leave(end: number): void {
    this.#at = this.#failed ? end : this.#end
    this.#end = end
  }

  /** A reader of the next `length` bytes, past which this one goes on. */
  slice(length: number): Reader {
    if (length > this.#end - this.#at) this.fail()
    const start = this.#at
    this.#at = Math.min(this.#end, start + length)
    return new Reader(this.#bytes, start, this.#at)
  }

  #decode(start: number): string {
    try {
      return decoder.decode(this.#bytes.subarray(start, this.#at))
    } catch {
      this.fail()
      return ''
    }
  }
}
