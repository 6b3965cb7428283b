import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressCodec, settingsCodec, stationCodec } from '../../../examples/overlay-agent/tables.ts'
import { parseMac, parseVtep } from '../../../src/agent/node-addresses.ts'

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

describe.each([
  [
    'stations',
    stationCodec,
    'vtep',
    parseVtep,
    { 'fd77::1': 'FD77::0:1', '10.77.0.1': '10.77.0.1' },
    ['10.77.0.1 port 53', 'fe80::1', '224.0.0.1', '10.77.0.1\nfdb del 02:42:00:00:00:01 dev vx1 self'],
  ],
  [
    'addresses',
    addressCodec,
    'mac',
    parseMac,
    { '02:42:0a:2a:00:01': '02:42:0A:2A:00:01' },
    ['01:42:0a:2a:00:01', '02:42:0a:2a:00:01 dev eth0', '02:42:0a:2a:00:01\nlink del dev eth0'],
  ],
] as const)('the codec of %s', (_, codec, field, parse, spellings, bad) => {
  it.each(Object.entries(spellings))('spells an address as the kernel does: %s', (canonical, spelling) => {
    expect(codec.decode(encode({ [field]: spelling }))).toEqual({ [field]: canonical })
  })

  it('gives back what it was given, and no field that it does not know', () => {
    const value = { [field]: Object.keys(spellings)[0] } as never
    expect(codec.decode(codec.encode(value))).toEqual(value)
    expect(codec.decode(encode({ ...(value as object), extra: 1 }))).toEqual(value)
  })

  it.each([7, null, [], {}, { [field]: [] }, ...bad.map((text) => ({ [field]: text }))])(
    'throws at %j',
    (value) => {
      expect(() => codec.decode(encode(value))).toThrow(TypeError)
    },
  )

  it('turns any bytes at all into a canonical address or an error', () => {
    const anyText = fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.constantFrom(...bad))
    const anyBytes = fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => new TextEncoder().encode(text)),
      anyText.map((text) => encode({ [field]: text })),
    )
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        let value: Readonly<Record<string, string>> | undefined
        try {
          value = codec.decode(bytes) as unknown as Record<string, string>
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
        }
        if (value !== undefined) expect(parse(value[field] as string)).toBe(value[field])
      }),
    )
  })
})

describe('the codec of settings', () => {
  it('takes a VNI and nothing else', () => {
    expect(settingsCodec.decode(encode({ vni: 42, extra: 1 }))).toEqual({ vni: 42 })
    for (const vni of [0, -1, 1.5, 2 ** 24, '42', null, undefined]) {
      expect(() => settingsCodec.decode(encode({ vni }))).toThrow(TypeError)
    }
  })
})
