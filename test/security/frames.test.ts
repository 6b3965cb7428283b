import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { encodeFrame, FrameParser, MAX_FRAME_BYTES } from '../../src/security/frames.ts'

function parse(parser: FrameParser, chunks: Iterable<Uint8Array>): Uint8Array[] {
  const frames: Uint8Array[] = []
  for (const chunk of chunks) {
    parser.feed(chunk)
    for (let frame = parser.next(); frame !== undefined; frame = parser.next()) frames.push(frame.slice())
  }
  return frames
}

function joined(frames: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(frames.flatMap((frame) => [...encodeFrame(frame)]))
}

function* cut(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  let at = 0
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!
    yield bytes.slice(at, at + size)
    at += size
  }
}

const frame = fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ maxLength: 3000 }))
const frames = fc.array(frame, { maxLength: 20 })

describe('frames', () => {
  it('however a stream is chunked, the same frames come out', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 10 })
    fc.assert(
      fc.property(frames, sizes, (sent, chunkSizes) => {
        const bytes = joined(sent)
        expect(parse(new FrameParser(3000), cut(bytes, chunkSizes))).toEqual(sent)
      }),
    )
  })

  it('the longest frame passes, byte by byte too; one byte more does not', () => {
    const longest = new Uint8Array(MAX_FRAME_BYTES).fill(5)
    expect(parse(new FrameParser(MAX_FRAME_BYTES), cut(encodeFrame(longest), [1]))).toEqual([longest])
    const parser = new FrameParser(MAX_FRAME_BYTES)
    expect(parse(parser, [encodeFrame(new Uint8Array(MAX_FRAME_BYTES + 1))])).toEqual([])
    expect(parser.oversized).toBe(true)
  })

  it('an oversized frame is known by its length alone, and nothing after it is read', () => {
    const parser = new FrameParser(100)
    const announced = Uint8Array.from([0xff, 0xff, 0xff, 0xff])
    expect(parse(parser, [announced, encodeFrame(new Uint8Array(3))])).toEqual([])
    expect(parser.oversized).toBe(true)
  })

  it('no byte is copied twice, however small the chunks', () => {
    const bytes = encodeFrame(new Uint8Array(5000))
    const copies = vi.spyOn(Object.getPrototypeOf(Uint8Array.prototype), 'set')
    const parser = new FrameParser(5000)
    for (const chunk of cut(bytes, [7])) {
      parser.feed(chunk)
      parser.next()
    }
    const copied = copies.mock.calls.reduce((sum, [source]) => sum + (source as Uint8Array).length, 0)
    copies.mockRestore()
    expect(copied).toBe(5000)
  })

  it('a limit that is raised holds from the next frame on', () => {
    const parser = new FrameParser(2)
    const bytes = joined([Uint8Array.of(1, 2), Uint8Array.of(1, 2, 3)])
    parser.feed(bytes)
    expect(parser.next()).toEqual(Uint8Array.of(1, 2))
    parser.limit = 3
    expect(parser.next()).toEqual(Uint8Array.of(1, 2, 3))
  })

  it('bytes of strangers never raise an exception', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (chunks) => {
        for (const parsed of parse(new FrameParser(50), chunks)) {
          expect(parsed.length).toBeLessThanOrEqual(50)
        }
      }),
    )
  })
})
