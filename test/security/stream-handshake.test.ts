import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { MAX_OPENING_BYTES } from '../../src/security/framed-stream.ts'
import { Keyring } from '../../src/security/keyring.ts'
import { MAX_SEQUENCE, NonceSource } from '../../src/security/nonces.ts'
import { PlainStreams } from '../../src/security/plain-stream.ts'
import { loadSodium, type Sodium } from '../../src/security/sodium.ts'
import { StreamHandshake, type StreamKeys } from '../../src/security/stream-handshake.ts'

/** Counts curve operations. */
let sodium: Sodium
let curveOperations = 0

beforeAll(async () => {
  const real = await loadSodium()
  sodium = {
    ...real,
    publicKey(secret) {
      curveOperations++
      return real.publicKey(secret)
    },
    sharedSecret(secret, other) {
      curveOperations++
      return real.sharedSecret(secret, other)
    },
  }
})

const KEY = Uint8Array.from({ length: 32 }, (_, i) => i + 1)
const OTHER_KEY = new Uint8Array(32).fill(9)

let lives = 0
function node(keys = [KEY], label = 'blue', life = ++lives): StreamHandshake {
  let draws = 0
  const fillRandom = (bytes: Uint8Array) => {
    draws++
    for (let i = 0; i < bytes.length; i++) bytes[i] = (life * 31 + draws * 7 + i) & 255
    bytes[1] = life >> 8
  }
  return new StreamHandshake(
    sodium,
    new Keyring(sodium, keys),
    label,
    new NonceSource(fillRandom),
    fillRandom,
  )
}

function answered(answer: ReturnType<StreamHandshake['answer']>): { reply: Uint8Array; keys: StreamKeys } {
  if (typeof answer === 'string') throw new Error(`refused: ${answer}`)
  return answer
}

function completed(keys: ReturnType<StreamHandshake['complete']>): StreamKeys {
  if (typeof keys === 'string') throw new Error(`refused: ${keys}`)
  return keys
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('the handshake of streams', () => {
  it('gives both ends the same two keys, one for each direction', () => {
    const [a, b] = [node(), node()]
    const pending = a.initiate()
    const { reply, keys: atB } = answered(b.answer(pending.hello))
    const atA = completed(a.complete(pending, reply))
    expect(atA.sending).toEqual(atB.receiving)
    expect(atA.receiving).toEqual(atB.sending)
    expect(hex(atA.sending.key)).not.toBe(hex(atA.receiving.key))
    expect(hex(atA.sending.header)).not.toBe(hex(atA.receiving.header))
  })

  it('gives other keys each time', () => {
    const [a, b] = [node(), node()]
    const keys = Array.from({ length: 5 }, () => hex(answered(b.answer(a.initiate().hello)).keys.sending.key))
    expect(new Set(keys).size).toBe(5)
  })

  it('answers with less than it was asked', () => {
    const { hello } = node().initiate()
    expect(hello.length).toBeLessThanOrEqual(MAX_OPENING_BYTES)
    expect(answered(node().answer(hello)).reply.length).toBeLessThan(hello.length)
  })

  it('hello and reply are the same for ever', () => {
    const [a, b] = [node([KEY], 'blue', 1001), node([KEY], 'blue', 1002)]
    const pending = a.initiate()
    const { reply, keys } = answered(b.answer(pending.hello))
    expect(hex(pending.hello)).toBe(
      '0105329481e73e034041424344454647000000000000c79e451d92ad06421420c92f6af999a8f71a8e6ec296c669d7ee608d77a3ac5d548e364e8ff6b8f0fe68b4ff478120ab',
    )
    expect(hex(reply)).toBe(
      '01068fd98270c25e9a6f515e8db7a1a8ac0daeead0488d6dd5d5455b0c6771db694dfa7d3bc6fc4c1c4cfb5a9afafd1be7d5',
    )
    expect(hex(keys.sending.key)).toBe('6507cbc0e6ec0754376f525b18f0ce931db7b3b2be353a3067c52daff1e96440')
    expect(hex(keys.sending.header)).toBe('40180c67e2d6051e0bc692621b12de0bd83383275f720537')
    expect(hex(keys.receiving.key)).toBe('1f09635fc17abd79eb1a65db1871a154fb76d652cdf5698a8f6729aabfd1fcd3')
  })

  it('any flipped bit of a hello is noticed, and costs no curve operation', () => {
    const b = node()
    const { hello } = node().initiate()
    curveOperations = 0
    for (let bit = 0; bit < hello.length * 8; bit++) {
      const flipped = hello.slice()
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      expect(b.answer(flipped)).toBeTypeOf('string')
    }
    expect(curveOperations).toBe(0)
    expect(b.answer(hello)).toBeTypeOf('object')
  })

  it('any flipped bit of a reply is noticed', () => {
    const [a, b] = [node(), node()]
    const pending = a.initiate()
    const { reply } = answered(b.answer(pending.hello))
    for (let bit = 0; bit < reply.length * 8; bit++) {
      // X25519 ignores the top bit of a public key, so the transcript must not.
      const flipped = reply.slice()
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      expect(a.complete({ ...pending, secret: pending.secret.slice() }, flipped)).toBeTypeOf('string')
    }
    expect(a.complete(pending, reply)).toBeTypeOf('object')
  })

  it('a replayed hello is refused and costs no curve operation', () => {
    const b = node()
    const { hello } = node().initiate()
    expect(b.answer(hello)).toBeTypeOf('object')
    curveOperations = 0
    expect(b.answer(hello)).toBe('replayed')
    expect(curveOperations).toBe(0)
  })

  it("a node's own messages that come back are refused", () => {
    const a = node()
    const pending = a.initiate()
    curveOperations = 0
    expect(a.answer(pending.hello)).toBe('reflected')
    expect(a.complete(pending, pending.hello)).toBe('malformed')
    const asReply = pending.hello.slice(0, 50).with(1, 6)
    expect(a.complete({ ...pending, secret: pending.secret.slice() }, asReply)).toBe('forged')
    const { reply } = answered(node().answer(pending.hello))
    expect(a.answer(reply)).toBe('malformed')
    expect(a.answer(Uint8Array.from([...reply.with(1, 5), ...new Uint8Array(20)]))).toBe('unknown-key')
  })

  it('the reply to one hello does not answer another', () => {
    const [a, b] = [node(), node()]
    const [one, two] = [a.initiate(), a.initiate()]
    const { reply } = answered(b.answer(one.hello))
    expect(a.complete(two, reply)).toBe('forged')
  })

  it('other keys, labels, versions and modes have their cause', () => {
    const b = node()
    const { hello } = node().initiate()
    expect(b.answer(node([OTHER_KEY]).initiate().hello)).toBe('unknown-key')
    expect(b.answer(node([KEY], 'red').initiate().hello)).toBe('forged')
    expect(b.answer(hello.with(0, 2))).toBe('version')
    expect(b.answer(new PlainStreams('blue').initiate().hello)).toBe('plaintext')
    expect(b.answer(hello.subarray(0, 69))).toBe('malformed')
  })

  it('a reply that is none has its cause', () => {
    const a = node()
    const pending = a.initiate()
    const { reply } = answered(node().answer(pending.hello))
    expect(a.complete(pending, reply.subarray(0, 49))).toBe('malformed')
    expect(a.complete(pending, Uint8Array.from([...reply, 0]))).toBe('malformed')
    expect(a.complete(pending, reply.with(0, 2))).toBe('version')
    expect(a.complete(pending, reply.with(1, 4))).toBe('malformed')
    expect(a.complete(pending, reply)).toBeTypeOf('object')
  })

  it('a node whose counter is used up goes on under another prefix', () => {
    let prefix = 0
    const fillRandom = (bytes: Uint8Array) => void bytes.fill(++prefix)
    const nonces = new NonceSource(fillRandom, MAX_SEQUENCE)
    const a = new StreamHandshake(sodium, new Keyring(sodium, [KEY]), 'blue', nonces, fillRandom)
    const b = node()
    for (let i = 0; i < 3; i++) expect(b.answer(a.initiate().hello)).toBeTypeOf('object')
  })

  it('a responder of another label or key cannot complete a handshake', () => {
    const a = node()
    const pending = a.initiate()
    const { reply } = answered(node().answer(pending.hello))
    const red = node([KEY], 'red')
    expect(red.complete({ ...pending, secret: pending.secret.slice() }, reply)).toBe('forged')
    const streamKey = new Keyring(sodium, [OTHER_KEY]).primary.forStreams()
    expect(a.complete({ ...pending, streamKey }, reply)).toBe('forged')
  })

  it('a key that is held but does not seal opens all the same', () => {
    const [a, b] = [node([OTHER_KEY]), node([KEY, OTHER_KEY])]
    const pending = a.initiate()
    const { reply } = answered(b.answer(pending.hello))
    expect(a.complete(pending, reply)).toBeTypeOf('object')
  })

  it('a degenerate public key is refused, even a key holder’s', () => {
    const b = node()
    const real = sodium.publicKey
    sodium.publicKey = () => new Uint8Array(32)
    const { hello } = node().initiate()
    sodium.publicKey = real
    expect(b.answer(hello)).toBe('forged')
  })

  it('the secret of a handshake is wiped, completed or not', () => {
    const a = node()
    const [one, two] = [a.initiate(), a.initiate()]
    a.complete(one, answered(node().answer(one.hello)).reply)
    a.abandon(two)
    expect(one.secret).toEqual(new Uint8Array(32))
    expect(two.secret).toEqual(new Uint8Array(32))
  })

  it('another nonce prefix does not make a node forget whom it is', () => {
    const [a, b] = [node(), node()]
    const before = a.initiate().hello
    a.renewNonce()
    expect(a.answer(before)).toBe('reflected')
    expect(b.answer(before)).toBeTypeOf('object')
    expect(b.answer(a.initiate().hello)).toBeTypeOf('object')
  })

  it('bytes of strangers never raise an exception', () => {
    const [a, b] = [node(), node()]
    const pending = a.initiate()
    const { id } = new Keyring(sodium, [KEY]).primary
    const likely = fc.uint8Array({ minLength: 44, maxLength: 64 }).map((rest) => {
      return Uint8Array.from([1, rest.length === 64 ? 5 : 6, id >>> 24, id >>> 16, id >>> 8, id, ...rest])
    })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), likely), (bytes) => {
        expect(b.answer(bytes)).toBeTypeOf('string')
        expect(a.complete({ ...pending, secret: pending.secret.slice() }, bytes)).toBeTypeOf('string')
      }),
      { numRuns: 300 },
    )
  })
})
