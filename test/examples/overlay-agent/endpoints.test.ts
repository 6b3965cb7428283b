import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Endpoint, endpointCodec, parseEndpoint } from '../../../examples/overlay-agent/endpoints.ts'
import { endpoint } from '../../agent/arbitraries.ts'

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
const GOOD: Endpoint = { ip: '10.42.0.1', mac: '02:42:0a:2a:00:01', vtep: '10.77.0.1' }

describe('the codec of endpoints', () => {
  it('gives back what it was given', () => {
    fc.assert(
      fc.property(endpoint, (value) => {
        expect(endpointCodec.decode(endpointCodec.encode(value))).toEqual(value)
      }),
    )
  })

  it('spells every address as the kernel does', () => {
    const value = endpointCodec.decode(
      encode({ ip: 'FD42::0:1', mac: '02:42:0A:2A:00:01', vtep: '10.77.0.1' }),
    )
    expect(value).toEqual({ ip: 'fd42::1', mac: '02:42:0a:2a:00:01', vtep: '10.77.0.1' })
  })

  it('drops fields that it does not know', () => {
    expect(endpointCodec.decode(encode({ ...GOOD, extra: 'x' }))).toEqual(GOOD)
  })

  it.each([
    ['no object', 7],
    ['null', null],
    ['a missing field', { ip: GOOD.ip, mac: GOOD.mac }],
    ['an array for an address', { ...GOOD, ip: [GOOD.ip] }],
    ['an IP with a command behind it', { ...GOOD, ip: '10.42.0.1 dev eth0' }],
    ['a MAC with a line behind it', { ...GOOD, mac: `${GOOD.mac}\nfdb del ${GOOD.mac} dev vx1 self` }],
    ['a VTEP with an option behind it', { ...GOOD, vtep: '10.77.0.1 port 53' }],
  ])('throws at %s', (_, value) => {
    expect(() => endpointCodec.decode(encode(value))).toThrow(TypeError)
  })

  it('turns any bytes at all into canonical addresses or an error', () => {
    const anyBytes = fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => new TextEncoder().encode(text)),
    )
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        let value: Endpoint | undefined
        try {
          value = endpointCodec.decode(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
        }
        if (value !== undefined) expect(parseEndpoint(value)).toEqual(value)
      }),
    )
  })
})
