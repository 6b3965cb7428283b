import { SocketAddress } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  contains,
  formatAddress,
  formatPrefix,
  type Prefix,
  parseAddress,
  parsePrefix,
  widthOf,
} from '../../../examples/host-gateway/prefix.ts'

/** Any prefix at all. */
const prefix: fc.Arbitrary<Prefix> = fc.constantFrom(4 as const, 6 as const).chain((family) =>
  fc
    .record({
      bits: fc.bigInt({ min: 0n, max: (1n << BigInt(widthOf(family))) - 1n }),
      length: fc.integer({ min: 0, max: widthOf(family) }),
    })
    .map(({ bits, length }) => {
      const rest = BigInt(widthOf(family) - length)
      return { family, first: (bits >> rest) << rest, length }
    }),
)

describe('a prefix', () => {
  it('is read from what it was written as', () => {
    fc.assert(
      fc.property(prefix, (value) => {
        // An IPv4 address within an IPv6 one is refused, wherever it comes from.
        if (!formatPrefix(value).includes('.') || value.family === 4) {
          expect(parsePrefix(formatPrefix(value))).toEqual(value)
        }
      }),
    )
  })

  it('reads IPv6 as Node does', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const { address } = new SocketAddress({ address: text, family: 'ipv6' })
        const parsed = parseAddress(text)
        if (!text.includes('.')) expect(parsed && formatAddress(parsed)).toBe(address)
      }),
    )
  })

  it.each([
    ['10.42.0.0/16', { family: 4, first: 0x0a2a_0000n, length: 16 }],
    ['0.0.0.0/0', { family: 4, first: 0n, length: 0 }],
    ['fd42::/48', { family: 6, first: 0xfd42n << 112n, length: 48 }],
    ['::1/128', { family: 6, first: 1n, length: 128 }],
  ])('reads %s', (text, value) => {
    expect(parsePrefix(text)).toEqual(value)
  })

  it.each([
    '10.42.0.0',
    '10.42.0.1/16',
    '10.42.0.0/33',
    '10.42.0/16',
    '10.42.0.0/16/16',
    '10.42.0.0/-1',
    'fd42::1/64',
    'fd42::/129',
    'fd42::%eth0/64',
    '::ffff:10.0.0.0/112',
    'fd42::/64 dev eth0',
    '/16',
    '',
  ])('refuses %j', (text) => {
    expect(parsePrefix(text)).toBeUndefined()
  })

  it('contains itself, what is in it, and nothing of the other family', () => {
    fc.assert(
      fc.property(prefix, prefix, (a, b) => {
        expect(contains(a, a)).toBe(true)
        const last = (p: Prefix): bigint => p.first + (1n << BigInt(widthOf(p.family) - p.length)) - 1n
        const isIn = a.family === b.family && a.first <= b.first && last(b) <= last(a)
        expect(contains(a, b)).toBe(isIn)
      }),
    )
  })

  it('has addresses one after the other', () => {
    const subnet = parsePrefix('10.42.255.0/24') as Prefix
    expect([0n, 1n, 255n].map((n) => formatAddress(subnet, n))).toEqual([
      '10.42.255.0',
      '10.42.255.1',
      '10.42.255.255',
    ])
    expect(formatAddress(parsePrefix('fd42:0:0:3::/64') as Prefix, 1n)).toBe('fd42:0:0:3::1')
  })
})
