import { sameBytes } from '../wire/bytes.ts'
import type { EntryItem } from '../wire/entry-event.ts'

/**
 * A set as a log keeps it. Its value is held as a string of one byte a character: a byte array of its own would cost
 * some two hundred bytes beside the value, and there may be a hundred thousand of them.
 */
export class StoredItem implements EntryItem {
  readonly seq: number
  readonly key: string
  readonly stamp: number
  readonly #bytes: string

  constructor({ seq, key, stamp }: EntryItem, value: Uint8Array) {
    this.seq = seq
    this.key = key
    this.stamp = stamp
    this.#bytes = String.fromCharCode.apply(null, value as unknown as number[])
  }

  /** Whether two items, sets both, have the same value. */
  static sameValue(a: EntryItem, b: EntryItem): boolean {
    if (a instanceof StoredItem && b instanceof StoredItem) return a.#bytes === b.#bytes
    return sameBytes(a.value!, b.value!)
  }

  /** Another copy each time. */
  get value(): Uint8Array {
    const bytes = this.#bytes
    const value = new Uint8Array(bytes.length)
    for (let i = 0; i < value.length; i++) value[i] = bytes.charCodeAt(i)
    return value
  }
}
