import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readItems, writeItems } from '../../src/network-state/log-items.ts'
import { MAX_FRAME_BYTES } from '../../src/security/frames.ts'
import { Reader, Writer } from '../../src/wire/bytes.ts'
import { type EntryItem, entryKey, STAMP_LIMIT } from '../../src/wire/entry-event.ts'
import { MAX_KEY_BYTES, MAX_NAME_BYTES, MAX_VALUE_BYTES } from '../../src/wire/limits.ts'
import { entryItem } from '../wire/arbitraries.ts'

const items = fc
  .uniqueArray(entryItem, { maxLength: 40, selector: ({ seq }) => seq })
  .map((list) => list.sort((a, b) => a.seq - b.seq))

/** All frames that it takes, one after the other. */
function written(list: readonly EntryItem[]): Uint8Array[] {
  const frames: Uint8Array[] = []
  for (let next = 0; next < list.length; ) {
    const writer = new Writer()
    next = writeItems(writer, list, next)
    frames.push(writer.copy())
  }
  return frames
}

function read(bytes: ArrayLike<number>): EntryItem[] | undefined {
  const reader = new Reader(Uint8Array.from(bytes))
  const list = readItems(reader)
  return reader.remaining === 0 ? list : undefined
}

/** One item as it is written: number, shared bytes of the key, the rest of it, stamp, value. */
function raw(step: number, shared: number, rest: string, stamp: number, value: readonly number[]): Writer {
  return new Writer().varint(step).varint(shared).string(rest).varint(stamp).raw(Uint8Array.from(value))
}

function frame(...list: readonly Writer[]): Uint8Array {
  const writer = new Writer().varint(list.length)
  for (const item of list) writer.bytes(item.view())
  return writer.copy()
}

describe('items of a log', () => {
  it('come out as they went in, in frames of bounded size', () => {
    fc.assert(
      fc.property(items, (list) => {
        const frames = written(list)
        for (const bytes of frames) expect(bytes.length).toBeLessThan(MAX_FRAME_BYTES / 3)
        expect(frames.flatMap((bytes) => read(bytes))).toEqual(list)
      }),
    )
  })

  it('take 6 bytes beyond what is new in key and value where numbers and stamps go on', () => {
    const value = Uint8Array.of(1, 2)
    const list = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((key, i) => ({
      seq: 1_000 + i,
      key: entryKey('endpoints', key),
      value,
      stamp: 2 ** 50 + i,
    }))
    const [one] = written(list.slice(0, 1))
    const [three] = written(list)
    expect(three!.length - one!.length).toBe(2 * (6 + 1 + 2))
  })

  it('may be of the greatest length and the widest numbers', () => {
    const key = entryKey('t'.repeat(MAX_NAME_BYTES), 'k'.repeat(MAX_KEY_BYTES))
    const value = new Uint8Array(MAX_VALUE_BYTES)
    const list = [
      { seq: 1, key, value, stamp: STAMP_LIMIT - 1 },
      { seq: Number.MAX_SAFE_INTEGER, key: entryKey('u', ''), value: undefined, stamp: 0 },
    ]
    expect(written(list).flatMap((bytes) => read(bytes))).toEqual(list)
  })

  it('tell keys that share a part of a character', () => {
    const list = ['t\0é', 't\0è', 't\0€', 't\0𝄞'].map((key, i) => ({
      seq: i + 1,
      key,
      value: undefined,
      stamp: 0,
    }))
    expect(written(list).flatMap((bytes) => read(bytes))).toEqual(list)
  })

  it('may have more behind them than is known', () => {
    const [known, more] = [raw(1, 0, 't\0a', 0, [2, 9]), raw(1, 0, 't\0a', 0, [2, 9]).u8(77)]
    const next = raw(1, 3, 'b', 2, [0])
    expect(read(frame(more, next))).toEqual(read(frame(known, next)))
    expect(read(frame(more, next))).toHaveLength(2)
  })

  it.each<[string, Uint8Array]>([
    ['number 0', frame(raw(0, 0, 't\0a', 0, [0]))],
    ['a number twice', frame(raw(1, 0, 't\0a', 0, [0]), raw(0, 3, 'b', 0, [0]))],
    ['a number beyond all', frame(raw(2 ** 53 - 1, 0, 't\0a', 0, [0]), raw(1, 3, 'b', 0, [0]))],
    ['a key without a table', frame(raw(1, 0, '\0a', 0, [0]))],
    ['a key that shares more than there is', frame(raw(1, 1, 't\0a', 0, [0]))],
    ['a key that shares less than there is', frame(raw(1, 0, 't\0a', 0, [0]), raw(1, 1, '\0b', 0, [0]))],
    ['a key that is too long', frame(raw(1, 0, `t\0${'a'.repeat(MAX_NAME_BYTES + MAX_KEY_BYTES)}`, 0, [0]))],
    ['a stamp below 0', frame(raw(1, 0, 't\0a', 1, [0]))],
    ['a stamp that is too high', frame(raw(1, 0, 't\0a', 2 * STAMP_LIMIT, [0]))],
    ['a value that is too long', frame(raw(1, 0, 't\0a', 0, [0x82, 0x08, ...new Uint8Array(1_025)]))],
    [
      'an item that is longer than it says',
      new Writer()
        .varint(1)
        .varint(6)
        .raw(raw(1, 0, 't\0a', 0, [2, 9]).view())
        .copy(),
    ],
    ['more items than a frame has', new Writer().varint(4_097).copy()],
  ])('are ill-formed with %s', (_, bytes) => {
    expect(readItems(new Reader(bytes))).toBeUndefined()
  })

  it('are never read from bytes that were cut, and bytes of any kind do no harm', () => {
    const list = [1, 2].map((seq) => ({
      seq,
      key: entryKey('t', `k${seq}`),
      value: Uint8Array.of(seq),
      stamp: seq,
    }))
    const [bytes] = written(list)
    for (let end = 0; end < bytes!.length; end++) expect(read(bytes!.subarray(0, end))).toBeUndefined()
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void readItems(new Reader(bytes))))
  })
})
