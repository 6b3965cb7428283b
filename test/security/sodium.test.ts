import { randomBytes } from 'node:crypto'
import libsodium from 'libsodium-wrappers'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { loadSodium, type Sodium } from '../../src/security/sodium.ts'

let sodium: Sodium
beforeAll(async () => {
  sodium = await loadSodium()
})

const random = (length: number): Uint8Array => Uint8Array.from(randomBytes(length))

describe('the narrow libsodium', () => {
  it('is loaded once', async () => {
    expect(await loadSodium()).toBe(sodium)
  })

  it('a secretstream is the one that libsodium makes, header and all', () => {
    const key = random(32)
    const { state, header } = libsodium.crypto_secretstream_xchacha20poly1305_init_push(key)
    const theirs = libsodium.crypto_secretstream_xchacha20poly1305_push(state, random(100), null, 0)
    const ours = sodium.secretStream(key, header)
    expect(ours.pull(theirs)?.message).toHaveLength(100)
    ours.free()

    const pushing = sodium.secretStream(key, header)
    const pulling = libsodium.crypto_secretstream_xchacha20poly1305_init_pull(header, key)
    const message = random(50)
    const pulled = libsodium.crypto_secretstream_xchacha20poly1305_pull(
      pulling,
      pushing.push(message, true),
      null,
    )
    expect(pulled).toEqual({ message, tag: libsodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL })
    pushing.free()
  })

  it('the state of a secretstream is wiped and released once, for no garbage collector would', () => {
    const memory = Reflect.get(libsodium, 'libsodium')
    const states: Uint8Array[] = []
    const released = vi.spyOn(memory, '_free').mockImplementation((address) => {
      states.push(memory.HEAPU8.slice(address, Number(address) + 52))
    })
    const stream = sodium.secretStream(random(32), random(24))
    states.length = 0
    stream.free()
    stream.free()
    released.mockRestore()
    expect(states).toEqual([new Uint8Array(52)])
    expect(() => stream.push(random(1), false)).toThrow()
    expect(() => stream.pull(random(20))).toThrow()
  })

  it('a degenerate public key is no shared secret', () => {
    expect(sodium.sharedSecret(random(32), new Uint8Array(32))).toBeUndefined()
  })

  it('what is too short to have been sealed does not open', () => {
    const key = random(32)
    for (let length = 0; length < 17; length++) {
      expect(sodium.open(random(length), random(6), random(24), key)).toBeUndefined()
      expect(sodium.secretStream(key, random(24)).pull(random(length))).toBeUndefined()
    }
  })
})
