import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalIp, formatAddress, isWildcard } from '../../src/runtime/address.ts'
import { MAX_ADDRESS_BYTES, readAddress, writeAddress } from '../../src/wire/address-codec.ts'
import { Reader, Writer } from '../../src/wire/bytes.ts'

const address = fc
  .tuple(
    fc.oneof(fc.ipV4(), fc.ipV6()).map((ip) => canonicalIp(ip)!),
    fc.integer({ min: 1, max: 65_535 }),
  )
  .filter(([host]) => !isWildcard(host))
  .map(([host, port]) => formatAddress(host, port))

function encode(text: string): Uint8Array {
  return writeAddress(new Writer(), text).copy()
}

describe('the encoding of an address', () => {
  it('has a tag, the IP address and the port', () => {
    expect([...encode('10.0.0.2:7946')]).toEqual([4, 10, 0, 0, 2, 0x1f, 0x0a])
    expect([...encode('[fd00::2]:1')]).toEqual([6, 0xfd, ...Array<number>(14).fill(0), 2, 0, 1])
  })

  it('comes back as the same string', () => {
    fc.assert(
      fc.property(address, (text) => {
        const bytes = encode(text)
        const reader = new Reader(bytes)
        expect(readAddress(reader)).toBe(text)
        expect(reader.failed || reader.remaining > 0).toBe(false)
        expect(bytes.length).toBeLessThanOrEqual(MAX_ADDRESS_BYTES)
      }),
    )
  })

  it('is the only one of its address', () => {
    expect(encode('[::ffff:10.0.0.2]:1')).toEqual(encode('10.0.0.2:1'))
    const tag = fc.constantFrom(4, 6, 0, 255)
    const mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
    const body = fc.oneof(
      fc.array(fc.nat(255), { maxLength: 20 }),
      fc.array(fc.nat(255), { minLength: 6, maxLength: 6 }).map((rest) => [...mapped, ...rest]),
    )
    fc.assert(
      fc.property(tag, body, (tag, body) => {
        const bytes = Uint8Array.from([tag, ...body])
        const reader = new Reader(bytes)
        const text = readAddress(reader)
        if (reader.failed) expect(text).toBe('')
        else expect(encode(text)).toEqual(bytes.slice(0, reader.position))
      }),
      { numRuns: 1000 },
    )
  })

  it.each([
    ['nothing', []],
    ['an unknown tag', [5, 10, 0, 0, 2, 0, 1]],
    ['a cut IPv4 address', [4, 10, 0, 0, 2, 0]],
    ['port 0', [4, 10, 0, 0, 2, 0, 0]],
    ['the IPv4 wildcard', [4, 0, 0, 0, 0, 0, 1]],
    ['the IPv6 wildcard', [6, ...Array<number>(16).fill(0), 0, 1]],
    ['IPv4 mapped into IPv6', [6, ...Array<number>(10).fill(0), 0xff, 0xff, 10, 0, 0, 2, 0, 1]],
  ])('is refused when it is %s', (_, bytes) => {
    const reader = new Reader(Uint8Array.from(bytes))
    expect(readAddress(reader)).toBe('')
    expect(reader.failed).toBe(true)
  })

  it.each(['host.name:7946', '0.0.0.0:7946', '[::]:7946', '10.0.0.2:0', '10.0.0.2'])(
    'is not made of what nothing can be sent to: %s',
    (text) => {
      expect(() => encode(text)).toThrow(expect.objectContaining({ code: 'ERR_ADDRESS_INVALID' }))
    },
  )
})
