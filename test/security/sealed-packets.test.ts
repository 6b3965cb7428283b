import { createDecipheriv } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { Keyring } from '../../src/security/keyring.ts'
import { MAX_SEQUENCE, NonceSource } from '../../src/security/nonces.ts'
import type { OpenedPacket, OpenResult } from '../../src/security/packet-codec.ts'
import { PlainPackets } from '../../src/security/plain-packets.ts'
import { SealedPackets } from '../../src/security/sealed-packets.ts'
import { loadSodium, type Sodium } from '../../src/security/sodium.ts'
import { PACKET_OVERHEAD_BYTES } from '../../src/wire/limits.ts'

let sodium: Sodium
beforeAll(async () => {
  sodium = await loadSodium()
})

const KEY = Uint8Array.from({ length: 32 }, (_, i) => i + 1)
const OTHER_KEY = new Uint8Array(32).fill(9)
const body = fc.uint8Array({ maxLength: 1400 })

/** Prefixes 1 1 1…, 2 2 2… and so on. */
function counting(from = 1): (bytes: Uint8Array) => void {
  let next = from
  return (bytes) => void bytes.fill(next++)
}

let lives = 1
function node(keys = [KEY], label = 'blue', firstSequence = 0): SealedPackets {
  lives += 10
  return new SealedPackets(
    sodium,
    new Keyring(sodium, keys),
    label,
    new NonceSource(counting(lives), firstSequence),
  )
}

function opened(result: OpenResult): OpenedPacket {
  if (typeof result === 'string') throw new Error(`dropped: ${result}`)
  return result
}

/** draft-irtf-cfrg-xchacha, section 2.2. */
function hchacha20(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const input = Buffer.concat([Buffer.from('expand 32-byte k'), key, nonce])
  const x = Uint32Array.from({ length: 16 }, (_, i) => input.readUInt32LE(4 * i))
  const mixInto = (a: number, b: number, c: number, bits: number) => {
    x[a]! += x[b]!
    const y = x[c]! ^ x[a]!
    x[c] = (y << bits) | (y >>> (32 - bits))
  }
  const quarter = (a: number, b: number, c: number, d: number) => {
    mixInto(a, b, d, 16)
    mixInto(c, d, b, 12)
    mixInto(a, b, d, 8)
    mixInto(c, d, b, 7)
  }
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 4; i++) quarter(i, 4 + i, 8 + i, 12 + i)
    for (let i = 0; i < 4; i++) quarter(i, 4 + ((i + 1) & 3), 8 + ((i + 2) & 3), 12 + ((i + 3) & 3))
  }
  const output = Buffer.alloc(32)
  for (const [i, word] of [0, 1, 2, 3, 12, 13, 14, 15].entries()) output.writeUInt32LE(x[word]!, 4 * i)
  return output
}

describe('sealed packets', () => {
  it('another key holder opens what one sealed', () => {
    const [a, b] = [node(), node()]
    fc.assert(
      fc.property(body, (bytes) => {
        const packet = a.seal(bytes)
        expect(packet.length - bytes.length).toBe(PACKET_OVERHEAD_BYTES)
        expect(opened(b.open(packet)).body).toEqual(bytes)
      }),
    )
  })

  it('one session, and each sequence number once, in order', () => {
    const [a, b] = [node(), node()]
    const packets = Array.from({ length: 300 }, () => opened(b.open(a.seal(KEY))))
    expect(new Set(packets.map((packet) => packet.session)).size).toBe(1)
    expect(packets.map((packet) => packet.sequence)).toEqual(packets.map((_, i) => i))
  })

  it('a sealed packet is the same for ever', () => {
    const prefix = counting(0xa0)
    const nonces = new NonceSource(prefix, 0x0102_0304_0506)
    const packets = new SealedPackets(sodium, new Keyring(sodium, [KEY]), 'blue', nonces)
    const hex = Buffer.from(packets.seal(new TextEncoder().encode('hearsay'))).toString('hex')
    expect(hex).toBe(
      '0102329481e7a0a0a0a0a0a0a0a0a0a00102030405065ef855202f57463be3265261625547d9732aa12ed195d7',
    )
  })

  it('opens by the book: HChaCha20 by hand, then the ChaCha20-Poly1305 of another library', () => {
    const keyring = new Keyring(sodium, [KEY])
    const bytes = new TextEncoder().encode('by the book')
    const packet = new SealedPackets(sodium, keyring, 'blue', new NonceSource(counting())).seal(bytes)
    const subkey = hchacha20(keyring.primary.forPackets(), packet.subarray(6, 22))
    const decipher = createDecipheriv('chacha20-poly1305', subkey, new Uint8Array(12), { authTagLength: 16 })
    decipher.setAAD(Buffer.concat([packet.subarray(0, 6), Buffer.from('blue')]), {
      plaintextLength: bytes.length,
    })
    decipher.setAuthTag(packet.subarray(-16))
    expect(Uint8Array.from(decipher.update(packet.subarray(22, -16)))).toEqual(bytes)
    decipher.final()
  })

  it('any flipped bit is noticed', () => {
    const [a, b] = [node(), node()]
    const packet = a.seal(new TextEncoder().encode('every bit counts'))
    for (let bit = 0; bit < packet.length * 8; bit++) {
      const flipped = packet.slice()
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      expect(b.open(flipped)).toBeTypeOf('string')
    }
    expect(opened(b.open(packet)).sequence).toBe(0)
  })

  it('a packet cut short or lengthened is noticed', () => {
    const [a, b] = [node(), node()]
    const packet = a.seal(KEY)
    for (let length = 0; length < packet.length; length++) {
      expect(b.open(packet.subarray(0, length))).toBeTypeOf('string')
    }
    expect(b.open(Uint8Array.from([...packet, 0]))).toBe('forged')
  })

  it('parts of two packets make no third', () => {
    const [a, other, b] = [node(), node(), node()]
    fc.assert(
      fc.property(body, body, fc.nat(), (one, two, at) => {
        const [p, q] = [a.seal(one), other.seal(two)]
        const cut = 1 + (at % (Math.min(p.length, q.length) - 1))
        const spliced = Uint8Array.from([...p.subarray(0, cut), ...q.subarray(cut)])
        const asEither = Buffer.compare(spliced, p) === 0 || Buffer.compare(spliced, q) === 0
        fc.pre(!asEither)
        expect(b.open(spliced)).toBe('forged')
      }),
    )
  })

  it('bytes of strangers never raise an exception', () => {
    const b = node()
    const id = new Keyring(sodium, [KEY]).primary.id
    const likely = fc.uint8Array({ maxLength: 100 }).map((rest) => {
      const keyId = [id >>> 24, id >>> 16, id >>> 8, id]
      return Uint8Array.from([1, 2, ...keyId, ...rest])
    })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 2000 }), likely), (bytes) => {
        expect(b.open(bytes)).toBeTypeOf('string')
      }),
      { numRuns: 1000 },
    )
  })

  it('each kind of refusal has its cause', () => {
    const b = node()
    const good = node().seal(KEY)
    const with_ = (at: number, value: number) => good.with(at, value)
    expect(b.open(with_(0, 2))).toBe('version')
    expect(b.open(with_(1, 9))).toBe('kind')
    expect(b.open(new PlainPackets('blue').seal(KEY))).toBe('plaintext')
    expect(b.open(good.subarray(0, 37))).toBe('too-short')
    expect(b.open(good.subarray(0, 1))).toBe('too-short')
    expect(b.open(node([OTHER_KEY]).seal(KEY))).toBe('unknown-key')
    expect(b.open(node([KEY], 'red').seal(KEY))).toBe('forged')
    expect(b.open(good.slice().fill(0, 30))).toBe('forged')
  })

  it('a key that is held but does not seal opens all the same', () => {
    const sender = node([OTHER_KEY])
    const receiver = node([KEY, OTHER_KEY])
    expect(opened(receiver.open(sender.seal(KEY))).body).toEqual(KEY)
    expect(sender.open(receiver.seal(KEY))).toBe('unknown-key')
  })

  it("a node's own packets that come back are dropped, those of former sessions too", () => {
    const a = node()
    const packet = a.seal(KEY)
    expect(a.open(packet)).toBe('reflected')
    a.renewNonce()
    expect(a.open(packet)).toBe('reflected')
  })

  it('another nonce prefix is another session', () => {
    const [a, b] = [node(), node()]
    const before = opened(b.open(a.seal(KEY)))
    a.renewNonce()
    const after = opened(b.open(a.seal(KEY)))
    expect(after.session).not.toBe(before.session)
    expect(after.sequence).toBe(0)
  })
})

describe('nonces', () => {
  it('the counter refuses to pass 2^48-1', () => {
    const nonces = new NonceSource(counting(), MAX_SEQUENCE)
    expect(Buffer.from(nonces.next().slice(10)).toString('hex')).toBe('ffffffffffff0000000000000000')
    expect(() => nonces.next()).toThrow(expect.objectContaining({ code: 'ERR_RUNTIME' }))
    expect(nonces.exhausted).toBe(true)
    nonces.renew()
    expect(nonces.exhausted).toBe(false)
  })

  it('a node whose counter is used up goes on under another prefix', () => {
    const [a, b] = [node([KEY], 'blue', MAX_SEQUENCE), node()]
    const last = opened(b.open(a.seal(KEY)))
    const next = opened(b.open(a.seal(KEY)))
    expect(last.sequence).toBe(MAX_SEQUENCE)
    expect(next.sequence).toBe(0)
    expect(next.session).not.toBe(last.session)
  })

  it('all of the counter is on the wire', () => {
    const b = node()
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX_SEQUENCE }), (sequence) => {
        expect(opened(b.open(node([KEY], 'blue', sequence).seal(KEY))).sequence).toBe(sequence)
      }),
    )
  })
})
