/** The part of libsodium that Hearsay uses. Results are fresh arrays; inputs are never kept. */
export interface Sodium {
  /** XChaCha20-Poly1305: ciphertext, then a tag of 16 bytes. The nonce has 24 bytes, the key 32. */
  seal(message: Uint8Array, associated: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array
  /** The message, or nothing when any input differs from what was sealed. */
  open(sealed: Uint8Array, associated: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array | undefined
  /** `crypto_kdf`: a subkey of 16 to 64 bytes; the context has 8 characters. */
  deriveKey(length: number, id: number, context: string, key: Uint8Array): Uint8Array
  /** BLAKE2b-256 under a key of 32 bytes. */
  keyedHash(message: Uint8Array, key: Uint8Array): Uint8Array
  /** X25519: the public key of a secret of 32 random bytes. */
  publicKey(secret: Uint8Array): Uint8Array
  /** X25519: what two key pairs share, or nothing when the other key is degenerate. */
  sharedSecret(secret: Uint8Array, otherPublicKey: Uint8Array): Uint8Array | undefined
  /** One direction of a secretstream. Both ends give the same key (32 bytes) and header (24). */
  secretStream(key: Uint8Array, header: Uint8Array): SecretStream
  /** Overwrites with zeros. */
  wipe(bytes: Uint8Array): void
}

/** `crypto_secretstream_xchacha20poly1305`: records that open only in order, each once, none missing. */
export interface SecretStream {
  /** Seals the next record; `final` marks the last one. Adds 17 bytes. */
  push(message: Uint8Array, final: boolean): Uint8Array
  /** Opens the next record, or nothing if it is not the one that was pushed next. */
  pull(sealed: Uint8Array): { message: Uint8Array; final: boolean } | undefined
  /**
   * Wipes and releases the state, which no garbage collector sees. Idempotent; `push` and `pull` throw after
   * it.
   */
  free(): void
}

const SECRET_STREAM_STATE_BYTES = 52
const SECRET_STREAM_OVERHEAD_BYTES = 17

type Wrappers = typeof import('libsodium-wrappers')['default']

/** What the wrappers leave to their users: a stream's state is an address that nobody else frees. */
interface WasmMemory {
  _free(address: number): void
  readonly HEAPU8: Uint8Array
}

let loaded: Promise<Sodium> | undefined

/** Loads libsodium at the first call; a node without keys never pays for it. */
export function loadSodium(): Promise<Sodium> {
  loaded ??= load()
  return loaded
}

async function load(): Promise<Sodium> {
  const { default: wrappers } = await import('libsodium-wrappers')
  await wrappers.ready
  return narrow(wrappers)
}

function narrow(wrappers: Wrappers): Sodium {
  const memory = (wrappers as unknown as { libsodium: WasmMemory }).libsodium
  return {
    seal: (message, associated, nonce, key) =>
      wrappers.crypto_aead_xchacha20poly1305_ietf_encrypt(message, associated, null, nonce, key),
    open(sealed, associated, nonce, key) {
      try {
        return wrappers.crypto_aead_xchacha20poly1305_ietf_decrypt(null, sealed, associated, nonce, key)
      } catch {
        return undefined
      }
    },
    deriveKey: (length, id, context, key) => wrappers.crypto_kdf_derive_from_key(length, id, context, key),
    keyedHash: (message, key) => wrappers.crypto_generichash(32, message, key),
    publicKey: (secret) => wrappers.crypto_scalarmult_base(secret),
    sharedSecret(secret, otherPublicKey) {
      try {
        return wrappers.crypto_scalarmult(secret, otherPublicKey)
      } catch {
        return undefined
      }
    },
    secretStream: (key, header) => new WasmSecretStream(wrappers, memory, key, header),
    wipe: (bytes) => wrappers.memzero(bytes),
  }
}

type StreamState = ReturnType<Wrappers['crypto_secretstream_xchacha20poly1305_init_pull']>

class WasmSecretStream implements SecretStream {
  readonly #wrappers: Wrappers
  readonly #memory: WasmMemory
  #state: StreamState | undefined

  constructor(wrappers: Wrappers, memory: WasmMemory, key: Uint8Array, header: Uint8Array) {
    this.#wrappers = wrappers
    this.#memory = memory
    // The states of both ends are the same function of key and header. `init_push` would only add a header
    // drawn from libsodium's own generator, past the Runtime, where the keys here are fresh for each stream.
    this.#state = wrappers.crypto_secretstream_xchacha20poly1305_init_pull(header, key)
  }

  push(message: Uint8Array, final: boolean): Uint8Array {
    const tag = final
      ? this.#wrappers.crypto_secretstream_xchacha20poly1305_TAG_FINAL
      : this.#wrappers.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
    return this.#wrappers.crypto_secretstream_xchacha20poly1305_push(this.#live(), message, null, tag)
  }

  pull(sealed: Uint8Array): { message: Uint8Array; final: boolean } | undefined {
    if (sealed.length < SECRET_STREAM_OVERHEAD_BYTES) return undefined
    const pulled = this.#wrappers.crypto_secretstream_xchacha20poly1305_pull(this.#live(), sealed, null)
    if (pulled === false) return undefined
    const final = pulled.tag === this.#wrappers.crypto_secretstream_xchacha20poly1305_TAG_FINAL
    return { message: pulled.message, final }
  }

  free(): void {
    if (this.#state === undefined) return
    // The wrappers type it as an object, but it is an address in their memory.
    const address = this.#state as unknown as number
    this.#state = undefined
    this.#memory.HEAPU8.fill(0, address, address + SECRET_STREAM_STATE_BYTES)
    this.#memory._free(address)
  }

  #live(): StreamState {
    if (this.#state === undefined) throw new Error('This secretstream has been freed.')
    return this.#state
  }
}
