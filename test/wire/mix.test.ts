import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { finish, hashString, mix, mixBytes, mixNumber, mixString } from '../../src/wire/mix.ts'

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)
const word = (text: string): number => new DataView(ascii(text).buffer).getInt32(0, true)

describe('hashes', () => {
  // MurmurHash3_x86_32 of whole words, as published: its length goes in by XOR, right before the end.
  it.each([
    ['test', 0, 0xba6bd213],
    ['aaaa', 0x9747b28c, 0x5a97808a],
    ['abcd', 0x9747b28c, 0xf0478627],
  ])('mix as MurmurHash3 does: %s', (text, seed, hash) => {
    expect(finish(mix(seed, word(text)) ^ text.length)).toBe(hash)
  })

  it('are the same for ever, on every node', () => {
    expect({
      empty: hashString(''),
      a: hashString('a'),
      name: hashString('node-1'),
      unicode: hashString('münchen😀'),
      seeded: hashString('a', 1),
      bytes: finish(mixBytes(0, Uint8Array.of(1, 2, 3, 4, 5))),
      number: finish(mixNumber(0, 1_735_689_600_000)),
    }).toEqual({
      empty: 0xff19274a,
      a: 0xf43d3b2e,
      name: 0x63225e93,
      unicode: 0x96c98605,
      seeded: 0x4bd92edf,
      bytes: 0x38aa391d,
      number: 0xb6d91c9b,
    })
  })

  it('are unsigned 32-bit integers', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const hash = hashString(text)
        expect(hash).toBe(hash >>> 0)
      }),
    )
  })

  it('change in half of their bits when one bit of what goes in changes', () => {
    const changed = new Array<number>(32).fill(0)
    const samples = 2000
    for (let i = 0; i < samples; i++) {
      const value = Math.imul(i, 0x9e3779b1) >>> 0
      const difference = finish(mix(0, value)) ^ finish(mix(0, value ^ (1 << (i % 32))))
      for (let bit = 0; bit < 32; bit++) changed[bit]! += (difference >>> bit) & 1
    }
    for (const count of changed) expect(Math.abs(count / samples - 0.5)).toBeLessThan(0.06)
  })

  it('tell numbers apart beyond 32 bits', () => {
    const numbers = [0, 1, 2 ** 32, 2 ** 32 + 1, 2 ** 52, Number.MAX_SAFE_INTEGER]
    expect(new Set(numbers.map((number) => mixNumber(0, number))).size).toBe(numbers.length)
  })

  it('tell apart what differs in where one string or byte string ends and the next begins', () => {
    expect(mixString(mixString(0, 'ab'), 'c')).not.toBe(mixString(mixString(0, 'a'), 'bc'))
    expect(mixBytes(mixBytes(0, ascii('ab')), ascii('c'))).not.toBe(
      mixBytes(mixBytes(0, ascii('a')), ascii('bc')),
    )
    expect(mixBytes(0, ascii('a'))).not.toBe(mixBytes(0, ascii('a\0')))
  })

  it('of a hundred thousand names hardly ever collide', () => {
    const hashes = new Set(Array.from({ length: 100_000 }, (_, i) => hashString(`node-${i}`)))
    // One pair in 2^32: some one collision among so many is to be expected.
    expect(100_000 - hashes.size).toBeLessThan(8)
  })
})
