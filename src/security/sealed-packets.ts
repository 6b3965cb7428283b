import type { Keyring } from './keyring.ts'
import {
  copyNonce,
  NONCE_BYTES,
  type NonceSource,
  sequenceAt,
  sessionAt,
  WIRE_NONCE_BYTES,
} from './nonces.ts'
import { type OpenResult, type PacketCodec, PacketKind, WIRE_VERSION } from './packet-codec.ts'
import { associatedData, PREAMBLE_BYTES, readKeyId, writeKeyId } from './preamble.ts'
import type { Sodium } from './sodium.ts'

const HEADER_BYTES: number = PREAMBLE_BYTES + WIRE_NONCE_BYTES
const TAG_BYTES = 16

/**
 * Packets under XChaCha20-Poly1305: version, kind, key id (4), nonce (16), ciphertext, tag (16).
 * The associated data is version, kind, key id and the cluster's label; the nonce authenticates itself.
 */
export class SealedPackets implements PacketCodec {
  readonly #sodium: Sodium
  readonly #keyring: Keyring
  readonly #nonces: NonceSource
  readonly #associated: Uint8Array
  readonly #openNonce = new Uint8Array(NONCE_BYTES)

  constructor(sodium: Sodium, keyring: Keyring, label: string, nonces: NonceSource) {
    this.#sodium = sodium
    this.#keyring = keyring
    this.#nonces = nonces
    this.#associated = associatedData(PacketKind.sealed, label)
  }

  renewNonce(): void {
    this.#nonces.renew()
  }

  seal(body: Uint8Array, to = ''): Uint8Array {
    if (this.#nonces.exhausted) this.#nonces.renew()
    const nonce = this.#nonces.next()
    const key = this.#keyring.keyFor(to)
    const associated = this.#associated
    writeKeyId(associated, key.id)
    const sealed = this.#sodium.seal(body, associated, nonce, key.forPackets())
    const packet = new Uint8Array(HEADER_BYTES + sealed.length)
    for (let i = 0; i < PREAMBLE_BYTES; i++) packet[i] = associated[i]!
    copyNonce(nonce, 0, packet, PREAMBLE_BYTES)
    packet.set(sealed, HEADER_BYTES)
    return packet
  }

  open(packet: Uint8Array): OpenResult {
    if (packet.length < 2) return 'too-short'
    if (packet[0] !== WIRE_VERSION) return 'version'
    if (packet[1] !== PacketKind.sealed) return packet[1] === PacketKind.plain ? 'plaintext' : 'kind'
    if (packet.length < HEADER_BYTES + TAG_BYTES) return 'too-short'
    const key = this.#keyring.find(readKeyId(packet))
    if (key === undefined) return 'unknown-key'

    writeKeyId(this.#associated, key.id)
    copyNonce(packet, PREAMBLE_BYTES, this.#openNonce, 0)
    const sealed = packet.subarray(HEADER_BYTES)
    const body = this.#sodium.open(sealed, this.#associated, this.#openNonce, key.forPackets())
    if (body === undefined) return 'forged'

    const session = sessionAt(packet, PREAMBLE_BYTES)
    if (this.#nonces.owns(session)) return 'reflected'
    return { body, session, sequence: sequenceAt(packet, PREAMBLE_BYTES) }
  }
}
