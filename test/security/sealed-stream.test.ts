import { beforeEach, describe, expect, it } from 'vitest'
import { Keyring } from '../../src/security/keyring.ts'
import { NonceSource } from '../../src/security/nonces.ts'
import { SealedStreams } from '../../src/security/sealed-stream.ts'
import { loadSodium, type Sodium } from '../../src/security/sodium.ts'
import { StreamHandshake } from '../../src/security/stream-handshake.ts'
import { open, StreamHarness } from './stream-harness.ts'

/** What was made and released, and the keys that it was made of. */
let sodium: Sodium
let keys: Uint8Array[]
let freed: number

beforeEach(async () => {
  const real = { ...(await loadSodium()) }
  keys = []
  freed = 0
  sodium = {
    ...real,
    secretStream(key, header) {
      keys.push(key)
      const stream = real.secretStream(key, header)
      return {
        push: (message, final) => stream.push(message, final),
        pull: (sealed) => stream.pull(sealed),
        free() {
          freed++
          stream.free()
        },
      }
    },
  }
})

let lives = 0
function node(): SealedStreams {
  const life = ++lives
  const fillRandom = (bytes: Uint8Array) => void bytes.fill(life)
  const keyring = new Keyring(sodium, [new Uint8Array(32).fill(1)])
  return new SealedStreams(
    sodium,
    keyring,
    new StreamHandshake(sodium, keyring, 'blue', new NonceSource(fillRandom), fillRandom),
  )
}

describe('the records of a sealed stream', () => {
  it('keep no copy of their keys, and release both directions', () => {
    const initiation = node().initiate('', 0)
    const answer = node().answer(initiation.hello)
    if (typeof answer === 'string') throw new Error(answer)
    const near = initiation.complete(answer.reply)
    if (typeof near === 'string') throw new Error(near)
    expect(keys).toHaveLength(4)
    for (const key of keys) expect(key).toEqual(new Uint8Array(32))
    near.dispose()
    expect(freed).toBe(2)
    answer.records.dispose()
    expect(freed).toBe(4)
  })
})

describe('sealed streams', () => {
  it('however a stream closes, its memory outside the reach of the garbage collector is released', async () => {
    const shared = await loadSodium()
    const original = shared.secretStream
    shared.secretStream = sodium.secretStream
    const harness = new StreamHarness()
    const { a, atB } = await harness.pair()
    const [ended, cut, left] = [open(a), open(a), open(a)]
    harness.network.run()
    ended.stream.end()
    cut.stream.destroy()
    harness.network.run()
    expect(keys).toHaveLength(12)
    expect(freed).toBe(8)
    await harness.close()
    harness.network.run()
    expect(freed).toBe(12)
    expect([left.log, atB.length]).toEqual([['open', 'close'], 3])
    shared.secretStream = original
  })

  it('the secret of a handshake that leads nowhere is wiped', async () => {
    const shared = await loadSodium()
    const original = shared.publicKey
    const secrets: Uint8Array[] = []
    shared.publicKey = (secret) => {
      secrets.push(secret)
      return original(secret)
    }
    const harness = new StreamHarness()
    const a = await harness.start('10.0.0.1:7946', () => undefined)
    await harness.start('10.0.0.2:7946', () => undefined, { label: 'red' })
    open(a)
    harness.network.run()
    expect(secrets).toEqual([new Uint8Array(32)])
    shared.publicKey = original
    await harness.close()
  })
})
