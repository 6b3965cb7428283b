import { HearsayError } from '../errors.ts'

/**
 * Nonces are a prefix of 10 random bytes, drawn once, and a counter of 6: unique without a random draw for
 * each use. The prefix names the sender's session and the counter its sequence, which is what replay windows
 * ask for.
 */
export const WIRE_NONCE_BYTES = 16
const PREFIX_BYTES = 10
/** XChaCha20's nonce; what the wire does not carry is zero. */
export const NONCE_BYTES = 24
export const MAX_SEQUENCE: number = 2 ** 48 - 1

/** One nonce prefix of one process, opaque; equal strings are equal sessions. */
export type SessionId = string

const REMEMBERED_OWN_SESSIONS = 8

export class NonceSource {
  readonly #fillRandom: (bytes: Uint8Array) => void
  readonly #nonce = new Uint8Array(NONCE_BYTES)
  readonly #own: SessionId[] = []
  #sequence: number

  constructor(fillRandom: (bytes: Uint8Array) => void, firstSequence = 0) {
    this.#fillRandom = fillRandom
    this.#sequence = firstSequence
    this.#drawPrefix()
  }

  get exhausted(): boolean {
    return this.#sequence > MAX_SEQUENCE
  }

  /** Draws another prefix: a new session. */
  renew(): void {
    this.#drawPrefix()
    this.#sequence = 0
  }

  /**
   * A nonce never given before, in a buffer that the next call changes. Throws `ERR_RUNTIME` when exhausted.
   */
  next(): Uint8Array {
    if (this.exhausted)
      throw new HearsayError('ERR_RUNTIME', 'The nonce counter is used up: renew the prefix.')
    writeSequence(this.#nonce, PREFIX_BYTES, this.#sequence++)
    return this.#nonce
  }

  /** Whether a session is, or lately was, this source's own: what carries it came from here. */
  owns(session: SessionId): boolean {
    return this.#own.includes(session)
  }

  #drawPrefix(): void {
    this.#fillRandom(this.#nonce.subarray(0, PREFIX_BYTES))
    this.#own.unshift(sessionAt(this.#nonce, 0))
    this.#own.length = Math.min(this.#own.length, REMEMBERED_OWN_SESSIONS)
  }
}

/** The session of a nonce on the wire. */
export function sessionAt(bytes: Uint8Array, at: number): SessionId {
  return String.fromCharCode(
    bytes[at]!,
    bytes[at + 1]!,
    bytes[at + 2]!,
    bytes[at + 3]!,
    bytes[at + 4]!,
    bytes[at + 5]!,
    bytes[at + 6]!,
    bytes[at + 7]!,
    bytes[at + 8]!,
    bytes[at + 9]!,
  )
}

/** The sequence of a nonce on the wire. */
export function sequenceAt(bytes: Uint8Array, at: number): number {
  const i = at + PREFIX_BYTES
  const high = bytes[i]! * 0x100 + bytes[i + 1]!
  const low = ((bytes[i + 2]! << 24) | (bytes[i + 3]! << 16) | (bytes[i + 4]! << 8) | bytes[i + 5]!) >>> 0
  return high * 0x1_0000_0000 + low
}

/** Copies a nonce on the wire; without a view, since this runs for each packet. */
export function copyNonce(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number): void {
  for (let i = 0; i < WIRE_NONCE_BYTES; i++) to[toAt + i] = from[fromAt + i]!
}

function writeSequence(bytes: Uint8Array, at: number, sequence: number): void {
  const high = Math.floor(sequence / 0x1_0000_0000)
  bytes[at] = high >>> 8
  bytes[at + 1] = high
  bytes[at + 2] = sequence >>> 24
  bytes[at + 3] = sequence >>> 16
  bytes[at + 4] = sequence >>> 8
  bytes[at + 5] = sequence
}
