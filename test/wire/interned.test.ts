import { expect, it } from 'vitest'
import { Reader } from '../../src/wire/bytes.ts'
import { Interned } from '../../src/wire/interned.ts'

function pool(capacity: number): { read(byte: number): number; decoded: number[] } {
  const interned = new Interned<{ readonly byte: number }>(capacity)
  const decoded: number[] = []
  const decode = (reader: Reader): { byte: number } => {
    const byte = reader.u8()
    decoded.push(byte)
    return { byte }
  }
  return { read: (byte) => interned.read(new Reader(Uint8Array.of(byte)), decode, () => {}).byte, decoded }
}

it('what is met again and again is decoded once, however much else comes', () => {
  const { read, decoded } = pool(4)
  for (let i = 0; i < 200; i++) {
    expect(read(0)).toBe(0)
    expect(read(1 + (i % 100))).toBe(1 + (i % 100))
  }
  expect(decoded.filter((byte) => byte === 0)).toHaveLength(1)
})

it('of what is not met again no more is kept than two generations', () => {
  const { read, decoded } = pool(4)
  for (let byte = 0; byte < 50; byte++) read(byte)
  for (let byte = 0; byte < 50; byte++) read(byte)
  expect(decoded).toHaveLength(100)
})

it('what was not met for a generation of reads goes, even where there is room', () => {
  const { read, decoded } = pool(100)
  read(7)
  for (let i = 0; i < 2 * 16 * 100; i++) read(1)
  read(7)
  expect(decoded).toEqual([7, 1, 7])
})

it('an ill-formed value is not remembered', () => {
  const interned = new Interned<number>(4)
  let decoded = 0
  const decode = (reader: Reader): number => {
    decoded++
    return reader.u16()
  }
  for (let i = 0; i < 2; i++) {
    const reader = new Reader(Uint8Array.of(1))
    interned.read(reader, decode, () => {})
    expect(reader.failed).toBe(true)
  }
  expect(decoded).toBe(2)
})
