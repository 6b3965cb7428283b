import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Reader, Writer } from '../../src/wire/bytes.ts'
import {
  type EntryEvent,
  entryBytes,
  entryKey,
  MAX_SUPERSEDED_RANGES,
  readEntryEvent,
  readItem,
  STAMP_LIMIT,
  supersededBytes,
  tableOf,
  writeEntryEvent,
  writeItem,
} from '../../src/wire/entry-event.ts'
import {
  MAX_ENTRY_BYTES,
  MAX_KEY_BYTES,
  MAX_NAME_BYTES,
  MAX_VALUE_BYTES,
  MIN_PACKET_BYTES,
  PACKET_OVERHEAD_BYTES,
} from '../../src/wire/limits.ts'
import { beginMessage, endMessage, MESSAGE } from '../../src/wire/messages.ts'
import { entryEvent, entryItem, name, text } from './arbitraries.ts'

const EVENT: EntryEvent = {
  network: 'blue',
  owner: 'a',
  epoch: { time: 1, nonce: 2 },
  base: 0,
  item: { seq: 1, key: entryKey('t', 'k'), value: Uint8Array.of(1, 2, 3), stamp: 4 },
  superseded: [],
}

function encode(event: EntryEvent): Uint8Array {
  return writeEntryEvent(new Writer(), event).copy()
}

function size({ network, owner, item, superseded }: EntryEvent): number {
  return entryBytes(network, owner, item.key, item.value?.length ?? 0) + supersededBytes(item.seq, superseded)
}

function accepts(event: EntryEvent): boolean {
  const reader = new Reader(encode(event))
  readEntryEvent(reader)
  return !reader.failed
}

function withItem(item: Partial<EntryEvent['item']>): EntryEvent {
  return { ...EVENT, item: { ...EVENT.item, ...item } }
}

describe('an entry on its way', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(entryEvent, (event) => {
        fc.pre(size(event) <= MAX_ENTRY_BYTES)
        const reader = new Reader(encode(event))
        expect(readEntryEvent(reader)).toEqual(event)
        expect([reader.failed, reader.remaining]).toEqual([false, 0])
      }),
    )
  })

  it('comes back in a stream as it was written', () => {
    fc.assert(
      fc.property(entryItem, (item) => {
        const reader = new Reader(writeItem(new Writer(), item).copy())
        expect(readItem(reader)).toEqual(item)
        expect([reader.failed, reader.remaining]).toEqual([false, 0])
      }),
    )
  })

  it('never throws when read from arbitrary bytes, and what passes is passed on byte for byte', () => {
    const good = entryEvent.chain((event) => {
      const bytes = encode(event)
      return fc
        .array(fc.tuple(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 0, max: 255 })), {
          maxLength: 2,
        })
        .map((changes) => {
          for (const [at, byte] of changes) bytes[at] = byte
          return bytes
        })
    })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), good), (bytes) => {
        const reader = new Reader(bytes)
        const event = readEntryEvent(reader)
        const none = event.superseded.length === 0 && reader.position > encode(event).length ? 1 : 0
        if (!reader.failed) expect(encode(event)).toEqual(bytes.slice(0, reader.position - none))
      }),
      { numRuns: 2000 },
    )
  })

  it('cut off anywhere is refused', () => {
    fc.assert(
      fc.property(entryEvent, fc.nat(), (event, cut) => {
        const bytes = encode(event)
        const whole = encode({ ...event, superseded: [] }).length
        fc.pre(cut % bytes.length !== whole)
        const reader = new Reader(bytes.subarray(0, cut % bytes.length))
        readEntryEvent(reader)
        expect(reader.failed).toBe(true)
      }),
    )
  })

  it('an empty value is not a delete', () => {
    for (const value of [undefined, new Uint8Array(0)]) {
      expect(readEntryEvent(new Reader(encode(withItem({ value })))).item.value).toEqual(value)
    }
  })

  it('keeps its value when the packet that it came in is overwritten', () => {
    const bytes = encode(EVENT)
    const { value } = readEntryEvent(new Reader(bytes)).item
    bytes.fill(0)
    expect([...value!]).toEqual([1, 2, 3])
  })

  it.each<[string, EntryEvent, boolean]>([
    ['the longest network name', { ...EVENT, network: 'n'.repeat(MAX_NAME_BYTES) }, true],
    ['a longer network name', { ...EVENT, network: 'n'.repeat(MAX_NAME_BYTES + 1) }, false],
    ['the built-in network', { ...EVENT, network: '' }, true],
    ['the longest owner', { ...EVENT, owner: 'n'.repeat(MAX_NAME_BYTES) }, true],
    ['a longer owner', { ...EVENT, owner: 'n'.repeat(MAX_NAME_BYTES + 1) }, false],
    ['no owner', { ...EVENT, owner: '' }, false],
    ['the longest key', withItem({ key: entryKey('t'.repeat(63), 'k'.repeat(MAX_KEY_BYTES)) }), true],
    ['a longer key', withItem({ key: entryKey('t'.repeat(64), 'k'.repeat(MAX_KEY_BYTES)) }), false],
    ['an empty key', withItem({ key: entryKey('t', '') }), true],
    ['no table', withItem({ key: entryKey('', 'k') }), false],
    ['a key without a table', withItem({ key: 'k' }), false],
    ['the longest value', withItem({ value: new Uint8Array(MAX_VALUE_BYTES) }), true],
    ['a longer value', withItem({ value: new Uint8Array(MAX_VALUE_BYTES + 1) }), false],
    ['the first number', withItem({ seq: 1 }), true],
    ['number zero', withItem({ seq: 0 }), false],
    ['the last stamp', withItem({ stamp: STAMP_LIMIT - 1 }), true],
    ['a later stamp', withItem({ stamp: STAMP_LIMIT }), false],
  ])('with %s: accepted is %3$s', (_, event, accepted) => {
    expect(accepts(event)).toBe(accepted)
  })

  const superseding = (...pairs: number[]): EntryEvent => ({
    ...withItem({ seq: 100 }),
    superseded: pairs,
  })

  it('with what it supersedes, at most 16 ranges, costs a few bytes', () => {
    const even = Array.from({ length: MAX_SUPERSEDED_RANGES }, (_, i) => [2 * i + 2, 2 * i + 2]).flat()
    expect(accepts(superseding(...even))).toBe(true)
    expect(accepts(superseding(...even, 90, 90))).toBe(false)
    expect(encode(superseding(...even)).length - encode(superseding()).length).toBe(1 + even.length)
  })

  it.each([
    ['up to the number below its own', [1, 99], true],
    ['its own number', [99, 100], false],
    ['ranges that touch', [10, 20, 21, 30], false],
    ['ranges apart by one number', [10, 20, 22, 30], true],
    ['number zero', [0, 4], false],
  ])('superseding %s: accepted is %3$s', (_, pairs, accepted) => {
    expect(accepts(superseding(...pairs))).toBe(accepted)
  })

  it('may say that it supersedes nothing, so that something else can follow some day', () => {
    const reader = new Reader(Uint8Array.of(...encode(EVENT), 0))
    expect(readEntryEvent(reader)).toEqual(EVENT)
    expect([reader.failed, reader.remaining]).toEqual([false, 0])
  })

  it('the table of a key is what stands before the first NUL', () => {
    expect(tableOf(entryKey('peers', 'a\u0000b'))).toBe('peers')
  })
})

describe('the size of an entry', () => {
  const widest = {
    epoch: { time: 2 ** 47 - 1, nonce: 0xffff_ffff },
    base: Number.MAX_SAFE_INTEGER,
    seq: Number.MAX_SAFE_INTEGER,
    stamp: STAMP_LIMIT - 1,
  }
  const names = fc.record({
    network: text(0, MAX_NAME_BYTES),
    owner: name,
    table: text(1, MAX_NAME_BYTES),
    key: text(0, MAX_KEY_BYTES),
  })

  it('is never less than what it takes, whatever its numbers', () => {
    fc.assert(
      fc.property(entryEvent, (event) => {
        expect(encode(event).length).toBeLessThanOrEqual(size(event))
      }),
    )
  })

  it('is just what it takes where all its numbers are at their widest', () => {
    const item = {
      seq: widest.seq,
      stamp: widest.stamp,
      key: entryKey('t'.repeat(MAX_NAME_BYTES), 'k'.repeat(MAX_KEY_BYTES)),
      value: new Uint8Array(200),
    }
    const event = { ...EVENT, epoch: widest.epoch, base: widest.base, item }
    expect(encode(event)).toHaveLength(size(event))
  })

  it('an accepted entry fits the smallest packet, for every node that forwards it', () => {
    const valueBytes = fc.oneof(fc.nat({ max: MAX_VALUE_BYTES }), fc.constant(MAX_VALUE_BYTES))
    fc.assert(
      fc.property(names, valueBytes, ({ network, owner, table, key }, most) => {
        const room = MAX_ENTRY_BYTES - entryBytes(network, owner, entryKey(table, key), 0)
        const value = new Uint8Array(Math.min(most, room))
        const item = { seq: widest.seq, stamp: widest.stamp, key: entryKey(table, key), value }
        const event = { network, owner, epoch: widest.epoch, base: widest.base, item, superseded: [] }
        expect(size(event)).toBeLessThanOrEqual(MAX_ENTRY_BYTES)

        const writer = new Writer()
        const start = beginMessage(writer, MESSAGE.entry)
        endMessage(writeEntryEvent(writer, event), start)
        expect(writer.length + PACKET_OVERHEAD_BYTES).toBeLessThanOrEqual(MIN_PACKET_BYTES)
        expect(accepts(event)).toBe(true)
      }),
    )
  })

  it('an entry larger than that is refused, since not every node could forward it', () => {
    const longest = { ...EVENT, network: 'n'.repeat(MAX_NAME_BYTES), owner: 'o'.repeat(MAX_NAME_BYTES) }
    const value = new Uint8Array(
      MAX_ENTRY_BYTES - size({ ...longest, item: { ...EVENT.item, value: undefined } }),
    )
    const item = { ...EVENT.item, value }
    expect(value.length).toBeLessThan(MAX_VALUE_BYTES)
    expect(accepts({ ...longest, item })).toBe(true)
    expect(accepts({ ...longest, item: { ...item, value: new Uint8Array(value.length + 1) } })).toBe(false)
  })
})
