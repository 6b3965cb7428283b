import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PlainPackets } from '../../src/security/plain-packets.ts'
import { PACKET_OVERHEAD_BYTES } from '../../src/wire/limits.ts'

const blue = new PlainPackets('blue')
const body = fc.uint8Array({ maxLength: 1400 })

describe('plain packets', () => {
  it('carry a body, with no more overhead than sealed ones', () => {
    fc.assert(
      fc.property(body, (bytes) => {
        const packet = blue.seal(bytes)
        expect(packet.length - bytes.length).toBeLessThanOrEqual(PACKET_OVERHEAD_BYTES)
        expect(blue.open(packet)).toEqual({ body: bytes, session: undefined, sequence: 0 })
      }),
    )
  })

  it('a flipped bit is noticed', () => {
    fc.assert(
      fc.property(body, fc.nat(), (bytes, at) => {
        const packet = blue.seal(bytes)
        packet[at % packet.length]! ^= 1 << (at & 7)
        expect(blue.open(packet)).toBeTypeOf('string')
      }),
    )
  })

  it('each kind of refusal has its cause', () => {
    const good = blue.seal(new Uint8Array(40))
    expect(blue.open(new Uint8Array(1))).toBe('too-short')
    expect(blue.open(good.subarray(0, 5))).toBe('too-short')
    expect(blue.open(good.with(0, 9))).toBe('version')
    expect(blue.open(good.with(1, 9))).toBe('kind')
    expect(blue.open(good.with(1, 2))).toBe('sealed')
    expect(blue.open(new PlainPackets('red').seal(new Uint8Array(40)))).toBe('checksum')
  })

  it('bytes of strangers never raise an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        blue.open(bytes)
        expect(blue.open(Uint8Array.from([1, 1, 0, 0, 0, 0, ...bytes]))).toBe('checksum')
      }),
    )
  })

  it('a plain packet is the same for ever', () => {
    const packet = blue.seal(new TextEncoder().encode('hearsay'))
    expect(Buffer.from(packet).toString('hex')).toBe('0101f10ae8fa68656172736179')
  })
})
