import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Reader, sameBytes, utf8Length, varintLength, Writer } from '../../src/wire/bytes.ts'
import { text, uint8, uint32, uint48, varint } from './arbitraries.ts'

/** Any UTF-16 at all, lone surrogates included. */
const utf16 = fc
  .array(fc.oneof(fc.nat({ max: 0xffff }), fc.integer({ min: 0xd7f0, max: 0xe010 }), fc.nat({ max: 0x7f })))
  .map((units) => String.fromCharCode(...units))

/** A value, how to write it and how to read it. */
const field = fc.oneof(
  uint8.map((value) => ({ value, write: (w: Writer) => w.u8(value), read: (r: Reader) => r.u8() })),
  fc.nat({ max: 0xffff }).map((value) => ({
    value,
    write: (w: Writer) => w.u16(value),
    read: (r: Reader) => r.u16(),
  })),
  uint32.map((value) => ({ value, write: (w: Writer) => w.u32(value), read: (r: Reader) => r.u32() })),
  uint48.map((value) => ({ value, write: (w: Writer) => w.u48(value), read: (r: Reader) => r.u48() })),
  varint.map((value) => ({ value, write: (w: Writer) => w.varint(value), read: (r: Reader) => r.varint() })),
  fc.uint8Array().map((value) => ({
    value,
    write: (w: Writer) => w.raw(value),
    read: (r: Reader) => r.raw(value.length),
  })),
  fc.uint8Array({ maxLength: 300 }).map((value) => ({
    value,
    write: (w: Writer) => w.bytes(value),
    read: (r: Reader) => r.bytes(300),
  })),
  text(0, 300).map((value) => ({
    value,
    write: (w: Writer) => w.string(value),
    read: (r: Reader) => r.string(300),
  })),
  text(0, 300).map((value) => ({
    value,
    write: (w: Writer) => w.string(value),
    read: (r: Reader) => r.name(300),
  })),
)

/** All that can be asked of a reader. Numbers come first, so that their zeros can be told from empty bytes. */
const readings: readonly ((reader: Reader, length: number) => number | string | Uint8Array)[] = [
  (reader) => reader.u8(),
  (reader) => reader.u16(),
  (reader) => reader.u32(),
  (reader) => reader.u48(),
  (reader) => reader.varint(),
  (reader, length) => reader.raw(length),
  (reader, length) => reader.bytes(length),
  (reader, length) => reader.string(length),
  (reader, length) => reader.name(length),
]

describe('bytes', () => {
  it('whatever is written is read back, and takes no more than it says', () => {
    fc.assert(
      fc.property(fc.array(field), fc.nat({ max: 8 }), (fields, capacity) => {
        const writer = new Writer(capacity)
        for (const { write } of fields) write(writer)
        const reader = new Reader(writer.copy())
        for (const { value, read } of fields) expect(read(reader)).toEqual(value)
        expect(reader.failed).toBe(false)
        expect(reader.remaining).toBe(0)
        expect(reader.position).toBe(writer.length)
      }),
    )
  })

  it('a reader of arbitrary bytes never throws or leaves its slice, and once failed it reads nothing any more', () => {
    const step = fc.record({ reading: fc.nat({ max: readings.length - 1 }), length: fc.nat({ max: 20 }) })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.array(step), fc.nat(40), (bytes, steps, cut) => {
        const end = Math.min(cut, bytes.length)
        const start = Math.floor(end / 2)
        const reader = new Reader(bytes, start, end)
        const twin = new Reader(bytes.slice(start, end))
        for (const { reading, length } of steps) {
          const failedBefore = reader.failed
          const result = readings[reading]!(reader, length)
          expect(readings[reading]!(twin, length)).toEqual(result)
          expect(reader.failed).toBe(twin.failed)
          expect(reader.position).toBeLessThanOrEqual(end)
          expect(reader.remaining).toBe(end - reader.position)
          if (failedBefore) expect(typeof result === 'number' ? result : result.length).toBe(0)
          if (reader.failed) expect(reader.remaining).toBe(0)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it.each([
    ['u8', 1, (reader: Reader) => reader.u8()],
    ['u16', 2, (reader: Reader) => reader.u16()],
    ['u32', 4, (reader: Reader) => reader.u32()],
    ['u48', 6, (reader: Reader) => reader.u48()],
    ['raw', 3, (reader: Reader) => reader.raw(3)],
  ])('a %s that is cut short fails', (_, size, read) => {
    const whole = new Reader(new Uint8Array(size))
    read(whole)
    expect(whole.failed).toBe(false)
    const cut = new Reader(new Uint8Array(size - 1))
    read(cut)
    expect(cut.failed).toBe(true)
  })

  it('a slice cannot be read past, and the reader goes on behind it', () => {
    const reader = new Reader(Uint8Array.of(1, 2, 3, 4))
    const slice = reader.slice(2)
    expect([slice.u8(), slice.u8(), slice.u8()]).toEqual([1, 2, 0])
    expect(slice.failed).toBe(true)
    expect(reader.failed).toBe(false)
    expect(reader.u8()).toBe(3)
    const beyond = reader.slice(2)
    expect(reader.failed).toBe(true)
    expect(beyond.remaining).toBe(0)
  })

  it('what was entered cannot be read past, and is left where it ends, read or not', () => {
    const reader = new Reader(Uint8Array.of(1, 2, 3, 4))
    const end = reader.enter(2)
    expect([reader.remaining, reader.u8()]).toEqual([2, 1])
    reader.leave(end)
    expect([reader.remaining, reader.u8(), reader.failed]).toEqual([2, 3, false])
    const last = reader.enter(1)
    expect([reader.u8(), reader.u8(), reader.failed]).toEqual([4, 0, true])
    reader.leave(last)
    expect(reader.remaining).toBe(0)
  })

  it('more than is left cannot be entered, and a reader that failed within reads nothing behind it', () => {
    const short = new Reader(Uint8Array.of(1, 2))
    short.leave(short.enter(3))
    expect([short.u8(), short.failed]).toEqual([0, true])
    const reader = new Reader(Uint8Array.of(1, 2, 3))
    const end = reader.enter(1)
    reader.u16()
    reader.leave(end)
    expect([reader.u8(), reader.failed]).toEqual([0, true])
  })

  it('can be passed over, but not past the end', () => {
    const reader = new Reader(Uint8Array.of(1, 2, 3), 0, 2)
    reader.skip(1)
    expect(reader.u8()).toBe(2)
    reader.skip(1)
    expect(reader.failed).toBe(true)
  })

  it('can be recognised as a whole before they are read', () => {
    const bytes = fc.uint8Array({ maxLength: 9 })
    fc.assert(
      fc.property(bytes, bytes, bytes, fc.boolean(), (before, left, other, same) => {
        const reader = new Reader(
          Uint8Array.from([...before, ...left, 7]),
          before.length,
          before.length + left.length,
        )
        expect(reader.rest()).toEqual(left)
        expect(reader.hashRest()).toBe(new Reader(left).hashRest())
        const expected = same ? left.slice() : other
        const equal = same || (left.length === other.length && left.every((byte, i) => byte === other[i]))
        expect(reader.skipRest(expected)).toBe(equal)
        expect([reader.remaining, reader.failed]).toEqual([equal ? 0 : left.length, false])
      }),
    )
  })

  it('bytes and strings longer than the reader allows fail, however many are there', () => {
    const bytes = new Writer().string('abcd').copy()
    expect(new Reader(bytes).string(4)).toBe('abcd')
    for (const read of [(r: Reader) => r.string(3), (r: Reader) => r.bytes(3)]) {
      const reader = new Reader(bytes)
      expect(read(reader)).toHaveLength(0)
      expect(reader.failed).toBe(true)
    }
  })
})

describe('a varint', () => {
  it('has one encoding only: whatever is read is what would be written', () => {
    const continued = fc.integer({ min: 0x80, max: 0xff })
    const bytes = fc
      .tuple(fc.array(continued, { maxLength: 8 }), fc.array(uint8, { maxLength: 2 }))
      .map(([head, tail]) => Uint8Array.from([...head, ...tail]))
    fc.assert(
      fc.property(bytes, (bytes) => {
        const reader = new Reader(bytes)
        const value = reader.varint()
        if (reader.failed) expect(value).toBe(0)
        else expect(new Writer().varint(value).copy()).toEqual(bytes.slice(0, reader.position))
      }),
      { numRuns: 2000 },
    )
  })

  it.each([
    ['0', 0, [0]],
    ['127', 127, [0x7f]],
    ['128', 128, [0x80, 0x01]],
    ['2^32', 2 ** 32, [0x80, 0x80, 0x80, 0x80, 0x10]],
    ['2^53 - 1', Number.MAX_SAFE_INTEGER, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]],
  ])('%s has the bytes of LEB128', (_, value, bytes) => {
    expect([...new Writer().varint(value).copy()]).toEqual(bytes)
    expect(varintLength(value)).toBe(bytes.length)
    expect(new Reader(Uint8Array.from(bytes)).varint()).toBe(value)
  })

  it.each([
    ['2^53', [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]],
    ['more than eight bytes', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ['a zero byte at its end', [0x81, 0x00]],
    ['no end', [0x81]],
    ['nothing', []],
  ])('with %s is refused', (_, bytes) => {
    const reader = new Reader(Uint8Array.from(bytes))
    expect(reader.varint()).toBe(0)
    expect(reader.failed).toBe(true)
  })

  it('takes as many bytes as it says', () => {
    fc.assert(
      fc.property(varint, (value) => {
        expect(new Writer().varint(value).length).toBe(varintLength(value))
      }),
    )
  })
})

describe('a name', () => {
  it('is read as a string is, whatever was read before: from good bytes, bad ones and too few', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 8 }),
      fc.array(fc.constantFrom(0, 0x61, 0xc3, 0xa9), { maxLength: 4 }).map((all) => Uint8Array.from(all)),
      text(0, 70).map((value) => new TextEncoder().encode(value)),
    )
    const written = bytes.map((content) => new Writer().bytes(content).copy())
    fc.assert(
      fc.property(fc.array(fc.tuple(written, fc.nat(80), fc.nat(2)), { maxLength: 30 }), (all) => {
        for (const [whole, most, missing] of all) {
          const end = Math.max(0, whole.length - missing)
          const name = new Reader(whole, 0, end)
          const string = new Reader(whole, 0, end)
          expect(name.name(most)).toBe(string.string(most))
          expect([name.failed, name.position]).toEqual([string.failed, string.position])
        }
      }),
      { numRuns: 1000 },
    )
  })
})

describe('a string', () => {
  it('takes the bytes of its UTF-8, and what a lone surrogate makes of it is U+FFFD', () => {
    fc.assert(
      fc.property(utf16, (string) => {
        const utf8 = Buffer.from(string)
        expect(utf8Length(string)).toBe(utf8.length)
        const expected = new Writer().bytes(utf8).copy()
        // A writer used before must leave no trace.
        const writer = new Writer().raw(new Uint8Array(200).fill(0xaa)).reset()
        expect(writer.string(string).copy()).toEqual(expected)
        expect(new Reader(expected).string(utf8.length)).toBe(utf8.toString())
      }),
      { numRuns: 1000 },
    )
  })

  it('has one encoding only: whatever is read is what would be written', () => {
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 6 }),
      fc.array(fc.constantFrom(0x41, 0x80, 0xbf, 0xc0, 0xc3, 0xed, 0xa0, 0xef, 0xbb, 0xf0, 0x9f, 0xf4), {
        maxLength: 6,
      }),
    )
    fc.assert(
      fc.property(body, (body) => {
        const bytes = new Writer().bytes(Uint8Array.from(body)).copy()
        const reader = new Reader(bytes)
        const string = reader.string(6)
        if (reader.failed) expect(string).toBe('')
        else expect(new Writer().string(string).copy()).toEqual(bytes)
      }),
      { numRuns: 2000 },
    )
  })

  it('keeps a byte order mark', () => {
    const string = '\ufeffa'
    expect(new Reader(new Writer().string(string).copy()).string(8)).toBe(string)
  })
})

describe('a writer', () => {
  it('can be cut back and used anew', () => {
    const writer = new Writer(1).u8(1).u8(2).u8(3)
    writer.truncate(2)
    expect([...writer.u8(9).copy()]).toEqual([1, 2, 9])
    writer.truncate(7)
    expect(writer.length).toBe(3)
    expect([...writer.reset().u8(4).copy()]).toEqual([4])
  })

  it('patches a length that was not known before', () => {
    const writer = new Writer().u8(7).u16(0).raw(new Uint8Array(300))
    writer.patchU16(1, 300)
    expect([...writer.copy().subarray(0, 3)]).toEqual([7, 0x01, 0x2c])
  })

  it('copies are of their own, views are not', () => {
    const writer = new Writer().u8(1)
    const copy = writer.copy()
    const view = writer.view()
    writer.reset().u8(2)
    expect([copy[0], view[0]]).toEqual([1, 2])
  })
})

it('bytes are the same if their contents are', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
      expect(sameBytes(a, a.slice())).toBe(true)
      expect(sameBytes(a, b)).toBe(Buffer.compare(a, b) === 0)
    }),
  )
})
