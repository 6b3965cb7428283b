import { inspect } from 'node:util'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { Keyring, parseKey } from '../../src/security/keyring.ts'
import { loadSodium, type Sodium } from '../../src/security/sodium.ts'

let sodium: Sodium
beforeAll(async () => {
  sodium = await loadSodium()
})

const keyBytes = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .filter((bytes) => bytes.some((byte) => byte !== 0))
const KEY = Uint8Array.from({ length: 32 }, (_, i) => i + 1)
const OTHER_KEY = new Uint8Array(32).fill(9)
const THIRD_KEY = new Uint8Array(32).fill(8)

describe('parsing of keys', () => {
  it('hex, base64 and base64url, padded or not, are the same key as its bytes', () => {
    fc.assert(
      fc.property(keyBytes, (bytes) => {
        const buffer = Buffer.from(bytes)
        const base64 = buffer.toString('base64')
        const base64url = buffer.toString('base64url')
        const hex = buffer.toString('hex')
        for (const text of [
          hex,
          hex.toUpperCase(),
          base64,
          base64.slice(0, 43),
          base64url,
          `${base64url}=`,
        ]) {
          expect(parseKey(text)).toEqual(bytes)
        }
      }),
    )
  })

  it('the bytes are a copy, so that wiping it leaves the caller its key', () => {
    const given = KEY.slice()
    parseKey(given).fill(0)
    new Keyring(sodium, [given]).dispose()
    expect(given).toEqual(KEY)
  })

  it('anything else is refused with a code and a sentence that says what to do, and that never shows the key', () => {
    const nearlyHex = 'ab'.repeat(31)
    const bad = [new Uint8Array(31), new Uint8Array(33), new Uint8Array(32), '', nearlyHex, 'z'.repeat(64)]
    for (const key of bad) {
      let error: unknown
      try {
        parseKey(key)
      } catch (caught) {
        error = caught
      }
      expect(error).toMatchObject({ code: 'ERR_KEY_INVALID' })
      expect(String(error)).toMatch(/give 32 bytes, .* or make a key with generateKey\(\)/)
      if (typeof key === 'string' && key !== '') expect(String(error)).not.toContain(key)
    }
    const notAKey = JSON.parse('{"length":32}')
    expect(() => parseKey(notAKey)).toThrow(/neither bytes nor a string/)
  })

  it('a keyring without keys is refused', () => {
    expect(() => new Keyring(sodium, [])).toThrow(expect.objectContaining({ code: 'ERR_KEY_INVALID' }))
  })
})

function exposed({ primary }: Keyring): { id: number; forPackets: Uint8Array; forStreams: Uint8Array } {
  return { id: primary.id, forPackets: primary.forPackets(), forStreams: primary.forStreams() }
}

describe('a keyring', () => {
  it('seals with the first key and finds each by its id', () => {
    const ring = new Keyring(sodium, [KEY, OTHER_KEY])
    const alone = new Keyring(sodium, [OTHER_KEY])
    expect(ring.ids).toHaveLength(2)
    expect(ring.primary.id).toBe(new Keyring(sodium, [KEY]).primary.id)
    expect(ring.find(alone.primary.id)?.forPackets()).toEqual(alone.primary.forPackets())
    expect(ring.find((ring.primary.id + 1) >>> 0)).toBeUndefined()
  })

  it('a key given twice counts once', () => {
    expect(new Keyring(sodium, [KEY, KEY]).ids).toHaveLength(1)
  })

  it('the subkeys differ from each other and from the cluster key, which seals nothing', () => {
    const { forPackets, forStreams, id } = exposed(new Keyring(sodium, [KEY]))
    const texts = [forPackets, forStreams, KEY].map((bytes) => Buffer.from(bytes).toString('hex'))
    expect(new Set(texts).size).toBe(3)
    for (const text of texts) expect(text).not.toContain(id.toString(16).padStart(8, '0'))
  })

  it('the subkeys are what the protocol says', () => {
    const { forPackets, forStreams, id } = exposed(new Keyring(sodium, [KEY]))
    expect(id.toString(16)).toBe('329481e7')
    expect(Buffer.from(forPackets).toString('hex')).toBe(
      '6c05648e230b4a3fe66f08fc2426d4c6070918df9d1863a7d16fe8a9c54904f3',
    )
    expect(Buffer.from(forStreams).toString('hex')).toBe(
      'bd36991d975c0523f5f3dadfd4e5159f599bea467a322b351005bcaa2f754948',
    )
  })

  it('no key byte shows in inspect, JSON or string form', () => {
    const ring = new Keyring(sodium, [KEY])
    const { forPackets, forStreams } = exposed(ring)
    for (const shown of [ring, ring.primary]) {
      const texts = [
        inspect(shown, {
          showHidden: true,
          getters: true,
          depth: Number.POSITIVE_INFINITY,
          maxArrayLength: null,
        }),
        JSON.stringify(shown),
        String(shown),
      ]
      for (const secret of [KEY, forPackets, forStreams]) {
        for (const text of texts) {
          expect(text).not.toContain(Buffer.from(secret).toString('hex').slice(0, 8))
          expect(text.replace(/\s+/g, ' ')).not.toContain([...secret.subarray(0, 4)].join(', '))
          expect(text).not.toContain([...secret.subarray(0, 4)].join(','))
        }
      }
    }
  })

  it('disposal wipes the cluster keys that the subkeys were made of, and no key of the caller', () => {
    const derivedFrom: Uint8Array[] = []
    const watched: Sodium = {
      ...sodium,
      deriveKey(length, id, context, key) {
        derivedFrom.push(key)
        return sodium.deriveKey(length, id, context, key)
      },
    }
    const given = KEY.slice()
    new Keyring(watched, [given, OTHER_KEY]).dispose()
    expect(given).toEqual(KEY)
    expect(derivedFrom.length).toBeGreaterThan(0)
    for (const key of derivedFrom) expect(key).toEqual(new Uint8Array(32))
  })

  it('disposal wipes the subkeys, and a wiped key neither seals nor opens', () => {
    const ring = new Keyring(sodium, [KEY])
    const { forPackets, forStreams, id } = exposed(ring)
    ring.dispose()
    ring.dispose()
    expect(forPackets).toEqual(new Uint8Array(32))
    expect(forStreams).toEqual(new Uint8Array(32))
    expect(ring.find(id)).toBeUndefined()
    expect(() => ring.primary).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }))
  })

  it('for whom it is told to, it seals with another key that it holds, for all others with the primary', () => {
    const ring = new Keyring(sodium, [KEY, OTHER_KEY])
    const [first, second] = ring.ids
    ring.sealFor('a', second)
    expect([ring.keyFor('a').id, ring.keyFor('b').id]).toEqual([second, first])
    ring.sealFor('b', 12345)
    expect(ring.keyFor('b').id).toBe(first)
    ring.sealAlike()
    expect(ring.keyFor('a').id).toBe(first)
  })

  it('a key that is removed is wiped and opens nothing, but the primary one stays', () => {
    const ring = new Keyring(sodium, [KEY, OTHER_KEY])
    const [first, second] = ring.ids
    ring.sealFor('a', second)
    const forPackets = ring.find(second!)!.forPackets()
    ring.remove(second!)
    ring.remove(first!)
    expect(forPackets).toEqual(new Uint8Array(32))
    expect(ring.ids).toEqual([first])
    expect(ring.keyFor('a').id).toBe(first)
  })

  it('a stream that failed with one key is tried with each of the others, and then no more', () => {
    const ring = new Keyring(sodium, [KEY, OTHER_KEY, THIRD_KEY])
    const [first, second, third] = ring.ids
    const tries = [0, 1, 2, 3].map((failed) => ring.keyForTry('a', failed)?.id)
    expect(tries).toEqual([first, second, third, undefined])
    ring.sealFor('a', third)
    expect([0, 1, 2, 3].map((failed) => ring.keyForTry('a', failed)?.id)).toEqual([
      third,
      first,
      second,
      undefined,
    ])
  })
})
