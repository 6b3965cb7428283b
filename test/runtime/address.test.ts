import { isIPv4, isIPv6 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HearsayError } from '../../src/errors.ts'
import {
  canonicalIp,
  formatAddress,
  formatIp,
  isWildcard,
  parseAddress,
  parseIp,
} from '../../src/runtime/address.ts'

const ipv4 = fc.ipV4()
const ipv6 = fc.oneof(
  fc.ipV6(),
  fc
    .array(fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.nat(0xffff)), { minLength: 8, maxLength: 8 })
    .map((groups) => groups.map((group) => group.toString(16)).join(':')),
)
const port = fc.nat(65_535)

function fault(text: string): string {
  try {
    parseAddress(text)
  } catch (error) {
    expect(error).toBeInstanceOf(HearsayError)
    expect((error as HearsayError).code).toBe('ERR_ADDRESS_INVALID')
    return (error as HearsayError).message
  }
  throw new Error(`${text} was accepted`)
}

describe('an address', () => {
  it('is taken apart into host, port and family', () => {
    expect(parseAddress('10.0.0.2:7946')).toEqual({ host: '10.0.0.2', port: 7946, family: 4 })
    expect(parseAddress('[fd00::2]:7946')).toEqual({ host: 'fd00::2', port: 7946, family: 6 })
    expect(parseAddress('host.name:7946')).toEqual({ host: 'host.name', port: 7946, family: undefined })
    expect(parseAddress('my_service:0')).toEqual({ host: 'my_service', port: 0, family: undefined })
    expect(parseAddress('4a.example.:1').host).toBe('4a.example.')
  })

  it('has one string for all its spellings', () => {
    for (const [spelling, canonical] of [
      ['[FD00:0:0:0::2]:1', '[fd00::2]:1'],
      ['[fd00:0000:0000:0001:0000:0000:0000:0002]:1', '[fd00:0:0:1::2]:1'],
      ['[2001:db8::1:1:1:1:1]:1', '[2001:db8:0:1:1:1:1:1]:1'],
      ['[1:0:0:2:0:0:0:3]:1', '[1:0:0:2::3]:1'],
      ['[1:0:0:2:3:0:0:4]:1', '[1::2:3:0:0:4]:1'],
      ['[1:2:3:4:5:6:7::]:1', '[1:2:3:4:5:6:7:0]:1'],
      ['[::ffff:10.0.0.2]:1', '10.0.0.2:1'],
      ['[0:0:0:0:0:FFFF:0a00:0002]:1', '10.0.0.2:1'],
      ['[64:ff9b::10.0.0.2]:1', '[64:ff9b::a00:2]:1'],
      ['Host.Name:1', 'host.name:1'],
    ] as const) {
      const { host, port } = parseAddress(spelling)
      expect(formatAddress(host, port)).toBe(canonical)
    }
  })

  it.each([
    ['10.0.0.2', 'has no port'],
    ['10.0.0.2:', 'has no port'],
    ['[fd00::2]', 'has no port'],
    ['', 'has no port'],
    [':7946', 'has no host'],
    ['10.0.0.2:65536', 'has a port that is not'],
    ['10.0.0.2:-1', 'has a port that is not'],
    ['10.0.0.2:07946', 'has a port that is not'],
    ['10.0.0.2:7946 ', 'has a port that is not'],
    ['10.0.0.2:0x1f', 'has a port that is not'],
    ['fd00::2:7946', 'is an IPv6 address without brackets'],
    ['::1', 'is an IPv6 address without brackets'],
    ['http://a:1', 'has more than one colon'],
    ['[fd00::2:7946', 'does not close its bracket'],
    ['[10.0.0.2]:7946', 'has no IPv6 address in its brackets'],
    ['[fe80::1%eth0]:7946', 'has a zone id'],
    ['[1:2:3:4:5:6:7]:1', 'has no IPv6 address in its brackets'],
    ['[1::2::3]:1', 'has no IPv6 address in its brackets'],
    ['[1:2:3:4:5:6:7:8::]:1', 'has no IPv6 address in its brackets'],
    ['[1.2.3.4::]:1', 'has no IPv6 address in its brackets'],
    ['[:1:2:3:4:5:6:7]:1', 'has no IPv6 address in its brackets'],
    ['10.0.0.256:1', 'is not an IPv4 address'],
    ['010.0.0.1:1', 'is not an IPv4 address'],
    ['10.0.1:1', 'is not an IPv4 address'],
    ['10.0.0.1.:1', 'is not an IPv4 address'],
    ['host..name:1', 'neither an IP address nor a host name'],
    ['-host:1', 'neither an IP address nor a host name'],
    ['hôst:1', 'neither an IP address nor a host name'],
    ['a b:1', 'neither an IP address nor a host name'],
    [`${'a'.repeat(64)}:1`, 'neither an IP address nor a host name'],
    [`${'a.'.repeat(127)}:1`, 'neither an IP address nor a host name'],
  ])('that is wrong is rejected with what is wrong: %j %s', (text, what) => {
    expect(fault(text)).toContain(what)
  })

  it('that is wrong is answered with what to write', () => {
    expect(fault('fd00::2:7946')).toBe(
      '"fd00::2:7946" is an IPv6 address without brackets; write "10.0.0.2:7946", "[fd00::2]:7946" or "host.name:7946"',
    )
    expect(fault('x'.repeat(10_000)).length).toBeLessThan(250)
  })

  it('survives formatting and parsing', () => {
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), port, (ip, port) => {
        const host = canonicalIp(ip)!
        const parsed = parseAddress(formatAddress(host, port))
        expect(parsed).toEqual({ host, port, family: host.includes(':') ? 6 : 4 })
      }),
    )
  })

  it('is parsed or rejected in order, whatever the text', () => {
    const pieces = fc.constantFrom(
      '[',
      ']',
      ':',
      '::',
      '.',
      '1',
      '255',
      'ffff',
      'fd00',
      '%',
      'host',
      '0',
      ' ',
    )
    const text = fc.oneof(
      fc.string(),
      fc.array(pieces, { maxLength: 14 }).map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(text, (text) => {
        try {
          const { host, port } = parseAddress(text)
          expect(parseAddress(formatAddress(host, port)).host).toBe(host)
        } catch (error) {
          expect(error).toBeInstanceOf(HearsayError)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('an IP address', () => {
  it('is recognised exactly when Node recognises it, but for zone ids', () => {
    const pieces = fc.constantFrom(':', '::', '.', '1', '255', '256', 'ffff', 'FD00', '0', '00', 'g')
    const text = fc.oneof(
      fc.array(pieces, { maxLength: 16 }).map((parts) => parts.join('')),
      ipv4,
      ipv6,
    )
    fc.assert(
      fc.property(text, (text) => {
        expect(canonicalIp(text) !== undefined).toBe(isIPv4(text) || isIPv6(text))
      }),
      { numRuns: 3000 },
    )
    expect(canonicalIp('fe80::1%lo')).toBeUndefined()
  })

  it('of version 6 is written as the URL standard writes it', () => {
    fc.assert(
      fc.property(ipv6, (ip) => {
        const canonical = canonicalIp(ip)!
        if (canonical.includes(':')) expect(`[${canonical}]`).toBe(new URL(`http://[${ip}]`).hostname)
      }),
      { numRuns: 1000 },
    )
  })

  it('survives its bytes', () => {
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), (ip) => {
        const bytes = parseIp(ip)!
        expect([4, 16]).toContain(bytes.length)
        expect(formatIp(bytes)).toBe(canonicalIp(ip))
      }),
    )
  })

  it('is a wildcard when it is all zeros', () => {
    expect(isWildcard(canonicalIp('0.0.0.0')!)).toBe(true)
    expect(isWildcard(canonicalIp('0:0::0:0')!)).toBe(true)
    expect(isWildcard(canonicalIp('::ffff:0.0.0.0')!)).toBe(true)
    expect(isWildcard(canonicalIp('::1')!)).toBe(false)
  })
})
