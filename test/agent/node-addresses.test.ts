import { isIP } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDevice, parseIp, parseMac, parsePrefix, parseVtep } from '../../src/agent/node-addresses.ts'

describe('addresses', () => {
  it('takes unicast addresses in the spelling of the kernel', () => {
    expect(parseIp('10.42.0.1')).toBe('10.42.0.1')
    expect(parseIp('FD42:0:0:0:0:0:0:1')).toBe('fd42::1')
    expect(parseIp('fe80::1')).toBe('fe80::1')
    expect(parseMac('02:42:0A:2a:00:01')).toBe('02:42:0a:2a:00:01')
  })

  it.each([
    '',
    '10.42.0',
    '10.42.0.01',
    '10.42.0.1/24',
    '10.42.0.1 ',
    '0.0.0.0',
    '127.0.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'ff02::1',
    'fe80::1%eth0',
    '::ffff:10.42.0.1',
    '::10.42.0.1',
    '[fd42::1]',
    'fd42::1\nlink del dev eth0',
  ])('refuses %j as an IP address', (text) => {
    expect(parseIp(text)).toBeUndefined()
  })

  it.each([
    '',
    '02:42:0a:2a:00',
    '02-42-0a-2a-00-01',
    '02420a2a0001',
    '2:42:a:2a:0:1',
    '00:00:00:00:00:00',
    'ff:ff:ff:ff:ff:ff',
    '01:00:5e:00:00:01',
    '02:42:0a:2a:00:01 dev eth0',
    '02:42:0a:2a:00:01\n',
  ])('refuses %j as a MAC address', (text) => {
    expect(parseMac(text)).toBeUndefined()
  })

  it('refuses a link-local VTEP, which would need an interface', () => {
    expect(parseVtep('fe80::1')).toBeUndefined()
    expect(parseVtep('febf::1')).toBeUndefined()
    expect(parseVtep('fd77::1')).toBe('fd77::1')
    expect(parseVtep('10.77.0.1')).toBe('10.77.0.1')
  })

  it('takes network prefixes in the spelling of the kernel', () => {
    for (const text of [
      '10.42.1.0/24',
      '10.42.1.7/32',
      '10.0.0.0/8',
      '128.0.0.0/1',
      'fd42:1::/64',
      'fd42::7/128',
    ]) {
      expect(parsePrefix(text)).toBe(text)
    }
    expect(parsePrefix('FD42:0:0:1:0:0:0:0/64')).toBe('fd42:0:0:1::/64')
  })

  it.each([
    '0.0.0.0/0',
    '::/0',
    '10.42.1.1/24',
    '10.42.1.0/33',
    '10.42.1.0/024',
    '10.42.1.0/',
    '10.42.1.0',
    '10.42.1.0/24 dev eth0',
    '224.0.0.0/4',
    '127.0.0.0/8',
    'fd42::1/64',
    'fd42::/129',
    'fd42:1:1:1::1:0/110',
    'fe80::/64',
    'ff00::/8',
  ])('refuses %j as a network prefix', (text) => {
    expect(parsePrefix(text)).toBeUndefined()
  })

  it('takes a prefix just if nothing of the address is beyond its length', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1 << 24, max: 0x7eff_ffff }),
        fc.integer({ min: 1, max: 32 }),
        (bits, length) => {
          const masked = Math.floor(bits / 2 ** (32 - length)) * 2 ** (32 - length)
          const ip = [24, 16, 8, 0].map((shift) => (bits >>> shift) & 0xff).join('.')
          expect(parsePrefix(`${ip}/${length}`)).toBe(masked === bits ? `${ip}/${length}` : undefined)
        },
      ),
    )
  })

  it.each(['', 'a b', '-x', 'x'.repeat(16), 'vx;1', 'vx/1', 'vx\n'])(
    'refuses %j as a device name',
    (text) => {
      expect(parseDevice(text)).toBeUndefined()
    },
  )

  it('gives a fixed point for every IP address: one spelling each', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const ip = parseIp(text)
        fc.pre(ip !== undefined)
        expect(parseIp(ip)).toBe(ip)
        expect(isIP(ip)).toBe(isIP(text))
      }),
    )
  })

  it('lets nothing through that a command line would split or a shell would read', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.string({ unit: 'grapheme' })), (text) => {
        for (const parse of [parseIp, parseMac, parseVtep, parseDevice]) {
          const value = parse(text)
          if (value !== undefined) expect(value).toMatch(/^[A-Za-z0-9][A-Za-z0-9:._-]*$|^::[0-9a-f:]+$/)
        }
      }),
    )
  })
})
