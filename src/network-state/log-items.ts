import type { Reader } from '../wire/bytes.ts'
import { Writer } from '../wire/bytes.ts'
import { type EntryItem, isEntryKey, MAX_ENTRY_KEY_BYTES, STAMP_LIMIT } from '../wire/entry-event.ts'
import { MAX_VALUE_BYTES } from '../wire/limits.ts'

/**
 * Items of one log in a row, as a transfer carries them: each told by how it differs from the one before it. Numbers and stamps
 * of a log ascend in small steps, and its keys begin alike.
 */

const ITEM_BYTES_PER_FRAME = 16_000
/** A bound on what a peer can make this node decode in one step. */
const MAX_ITEMS_PER_FRAME = 4_096
/** Number, shared length, length of the rest, stamp, length of the value: at their widest. */
const MAX_ITEM_BYTES = 8 + 2 + 2 + MAX_ENTRY_KEY_BYTES + 8 + 2 + MAX_VALUE_BYTES

/** Count, then as many items from `start` on as one frame holds. Returns where the next one begins. */
export function writeItems(writer: Writer, items: readonly EntryItem[], start: number): number {
  body.reset()
  encoder.reset()
  const most = Math.min(items.length, start + MAX_ITEMS_PER_FRAME)
  let next = start
  while (next < most && body.length < ITEM_BYTES_PER_FRAME) body.bytes(encoder.encode(items[next++]!))
  writer.varint(next - start).raw(body.view())
  return next
}

/** Total: undefined if anything is ill-formed. */
export function readItems(reader: Reader): EntryItem[] | undefined {
  const count = reader.varint()
  if (count > MAX_ITEMS_PER_FRAME) return undefined
  const items: EntryItem[] = []
  decoder.reset()
  for (let i = 0; i < count && !reader.failed; i++) {
    const length = reader.varint()
    const end = reader.position + length
    items.push(decoder.decode(reader))
    // What a later version appends to an item is skipped.
    if (reader.position > end) reader.fail()
    else reader.skip(end - reader.position)
  }
  return reader.failed ? undefined : items
}

/** Of use within one step only: most logs are small, and many are sent. */
const body = new Writer(ITEM_BYTES_PER_FRAME + MAX_ITEM_BYTES)

class ItemEncoder {
  readonly #writer = new Writer(MAX_ITEM_BYTES)
  #key = new Uint8Array(MAX_ENTRY_KEY_BYTES)
  #keyBefore = new Uint8Array(MAX_ENTRY_KEY_BYTES)
  #lengthBefore = 0
  #seq = 0
  #stamp = 0

  reset(): void {
    this.#lengthBefore = 0
    this.#seq = 0
    this.#stamp = 0
  }

  /** A view that the next item overwrites. */
  encode({ seq, key, value, stamp }: EntryItem): Uint8Array {
    const length = encodeKey(key, this.#key)
    const shared = this.#shared(length)
    const writer = this.#writer.reset().varint(seq - this.#seq)
    writer
      .varint(shared)
      .bytes(this.#key.subarray(shared, length))
      .varint(zigzag(stamp - this.#stamp))
    // 0 is a delete, so that an empty value stays a value.
    if (value === undefined) writer.varint(0)
    else writer.varint(value.length + 1).raw(value)
    this.#seq = seq
    this.#stamp = stamp
    this.#lengthBefore = length
    const spare = this.#keyBefore
    this.#keyBefore = this.#key
    this.#key = spare
    return writer.view()
  }

  /** With how many bytes of the key before this one begins. */
  #shared(length: number): number {
    const most = Math.min(length, this.#lengthBefore)
    let shared = 0
    while (shared < most && this.#key[shared] === this.#keyBefore[shared]) shared++
    return shared
  }
}

class ItemDecoder {
  /** The key of the item before, in UTF-8. */
  readonly #key = new Uint8Array(MAX_ENTRY_KEY_BYTES)
  #length = 0
  #seq = 0
  #stamp = 0

  reset(): void {
    this.#length = 0
    this.#seq = 0
    this.#stamp = 0
  }

  decode(reader: Reader): EntryItem {
    const step = reader.varint()
    this.#seq += step
    const key = this.#decodeKey(reader)
    this.#stamp += unzigzag(reader.varint())
    const length = reader.varint()
    if (
      step === 0 ||
      this.#seq > Number.MAX_SAFE_INTEGER ||
      !isEntryKey(key) ||
      this.#stamp < 0 ||
      this.#stamp >= STAMP_LIMIT ||
      length > MAX_VALUE_BYTES + 1
    )
      reader.fail()
    const value = length === 0 || reader.failed ? undefined : reader.raw(length - 1).slice()
    return { seq: this.#seq, key, value, stamp: this.#stamp }
  }

  #decodeKey(reader: Reader): string {
    const shared = reader.varint()
    const rest = reader.bytes(MAX_ENTRY_KEY_BYTES)
    const length = shared + rest.length
    // Whoever shares less than there is to share writes the same in another way.
    const more = shared < this.#length && rest.length > 0 && rest[0] === this.#key[shared]
    if (shared > this.#length || length > MAX_ENTRY_KEY_BYTES || more) {
      reader.fail()
      return ''
    }
    this.#key.set(rest, shared)
    this.#length = length
    const key = decodeKey(this.#key.subarray(0, length))
    if (key === undefined) reader.fail()
    return key ?? ''
  }
}

const encoder = new ItemEncoder()
const decoder = new ItemDecoder()
const utf8Encoder = new TextEncoder()
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** How many bytes the key takes in UTF-8, which are put into `into`. */
function encodeKey(key: string, into: Uint8Array): number {
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i)
    if (unit >= 0x80) return utf8Encoder.encodeInto(key, into).written
    into[i] = unit
  }
  return key.length
}

function decodeKey(bytes: Uint8Array): string | undefined {
  let ascii = true
  for (let i = 0; i < bytes.length && ascii; i++) ascii = bytes[i]! < 0x80
  if (ascii) return String.fromCharCode.apply(null, bytes as unknown as number[])
  try {
    return utf8Decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** Small differences either way become small integers; exact for differences of integers below 2^52. */
function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value
}

function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}
