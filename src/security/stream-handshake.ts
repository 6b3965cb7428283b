import { Writer } from '../wire/bytes.ts'
import { type StreamFault, StreamKind } from './frames.ts'
import { KEY_BYTES, type Keyring, type Subkeys } from './keyring.ts'
import {
  copyNonce,
  NONCE_BYTES,
  type NonceSource,
  sequenceAt,
  sessionAt,
  WIRE_NONCE_BYTES,
} from './nonces.ts'
import { WIRE_VERSION } from './packet-codec.ts'
import { associatedData, PREAMBLE_BYTES, readKeyId, writeKeyId } from './preamble.ts'
import { ReplayWindows } from './replay-window.ts'
import type { Sodium } from './sodium.ts'

/*
 * The pattern is NNpsk0 of the Noise framework (revision 34), on X25519, XChaCha20-Poly1305 and BLAKE2b:
 *
 *   hello  version · kind · key id (4) · nonce (16) · sealed under the stream subkey: e_i (32), tag (16)
 *   reply  version · kind · e_r (32) · tag (16)
 *
 *   root   BLAKE2b-256, keyed with the stream subkey, of
 *          protocol name · hello · reply without its tag · X25519(e_i, e_r) · label
 *
 * `crypto_kdf` makes three keys of the root: for the reply's tag, and for the secretstream of either
 * direction. So each of them depends on the whole exchange, on version, label and role, on the cluster's key
 * and on both ephemeral keys.
 */
const PROTOCOL = new TextEncoder().encode('hearsay stream NNpsk0 25519 XChaChaPoly BLAKE2b 1')
const CONTEXT = 'hs.strm1'
const REPLY_SUBKEY = 1
const TO_RESPONDER_SUBKEY = 2
const TO_INITIATOR_SUBKEY = 3

const PUBLIC_KEY_BYTES = 32
const TAG_BYTES = 16
const HELLO_HEADER_BYTES: number = PREAMBLE_BYTES + WIRE_NONCE_BYTES
const HELLO_BYTES: number = HELLO_HEADER_BYTES + PUBLIC_KEY_BYTES + TAG_BYTES
const REPLY_HEAD_BYTES: number = 2 + PUBLIC_KEY_BYTES
const REPLY_BYTES: number = REPLY_HEAD_BYTES + TAG_BYTES

const TRANSCRIPT_BYTES: number = PROTOCOL.length + HELLO_BYTES + REPLY_HEAD_BYTES + PUBLIC_KEY_BYTES

/** Key and header of a secretstream. */
const CHANNEL_BYTES = 56

const NO_BYTES = new Uint8Array(0)
/** The reply's key is used once. */
const ZERO_NONCE = new Uint8Array(NONCE_BYTES)

/** What one direction of a stream is sealed with. */
export interface ChannelKey {
  readonly key: Uint8Array
  readonly header: Uint8Array
}

/** The two directions as one end sees them. */
export interface StreamKeys {
  readonly sending: ChannelKey
  readonly receiving: ChannelKey
}

/** Of the side that connected, between its hello and the reply. */
export interface PendingHandshake {
  readonly hello: Uint8Array
  readonly secret: Uint8Array
  readonly streamKey: Uint8Array
}

/** Agrees on the keys of a stream; both roles. */
export class StreamHandshake {
  readonly #sodium: Sodium
  readonly #keyring: Keyring
  readonly #label: Uint8Array
  readonly #associated: Uint8Array
  readonly #nonces: NonceSource
  readonly #fillRandom: (bytes: Uint8Array) => void
  readonly #seen = new ReplayWindows({ recent: 1024, kept: 0 })
  readonly #openNonce = new Uint8Array(NONCE_BYTES)

  constructor(
    sodium: Sodium,
    keyring: Keyring,
    label: string,
    nonces: NonceSource,
    fillRandom: (bytes: Uint8Array) => void,
  ) {
    this.#sodium = sodium
    this.#keyring = keyring
    this.#label = new TextEncoder().encode(label)
    this.#associated = associatedData(StreamKind.sealedHello, label)
    this.#nonces = nonces
    this.#fillRandom = fillRandom
  }

  renewNonce(): void {
    this.#nonces.renew()
  }

  initiate(key: Subkeys = this.#keyring.primary): PendingHandshake {
    if (this.#nonces.exhausted) this.#nonces.renew()
    const nonce = this.#nonces.next()
    const secret = this.#drawSecret()
    writeKeyId(this.#associated, key.id)
    const sealed = this.#sodium.seal(
      this.#sodium.publicKey(secret),
      this.#associated,
      nonce,
      key.forStreams(),
    )
    const hello = new Uint8Array(HELLO_BYTES)
    hello.set(this.#associated.subarray(0, PREAMBLE_BYTES))
    copyNonce(nonce, 0, hello, PREAMBLE_BYTES)
    hello.set(sealed, HELLO_HEADER_BYTES)
    return { hello, secret, streamKey: key.forStreams() }
  }

  /** The reply to a hello and the keys, or why there is none. Costs a stranger's bytes no curve operation. */
  answer(hello: Uint8Array): { reply: Uint8Array; keys: StreamKeys } | StreamFault {
    const checked = this.#checkHello(hello)
    if (typeof checked === 'string') return checked
    const { theirs, streamKey } = checked

    const secret = this.#drawSecret()
    const reply = new Uint8Array(REPLY_BYTES)
    reply[0] = WIRE_VERSION
    reply[1] = StreamKind.sealedReply
    reply.set(this.#sodium.publicKey(secret), 2)
    const agreed = this.#agree(streamKey, hello, reply, secret, theirs)
    if (agreed === undefined) return 'forged'
    reply.set(this.#sodium.seal(NO_BYTES, NO_BYTES, ZERO_NONCE, agreed.replyKey), REPLY_HEAD_BYTES)
    this.#sodium.wipe(agreed.replyKey)
    return { reply, keys: { sending: agreed.toInitiator, receiving: agreed.toResponder } }
  }

  /** The keys that a reply leads to, or why it leads to none. Once only. */
  complete(pending: PendingHandshake, reply: Uint8Array): StreamKeys | StreamFault {
    if (reply.length !== REPLY_BYTES) return 'malformed'
    if (reply[0] !== WIRE_VERSION) return 'version'
    if (reply[1] !== StreamKind.sealedReply) return 'malformed'
    const theirs = reply.subarray(2, REPLY_HEAD_BYTES)
    const agreed = this.#agree(pending.streamKey, pending.hello, reply, pending.secret, theirs)
    if (agreed === undefined) return 'forged'
    const tag = reply.subarray(REPLY_HEAD_BYTES)
    const opened = this.#sodium.open(tag, NO_BYTES, ZERO_NONCE, agreed.replyKey)
    this.#sodium.wipe(agreed.replyKey)
    if (opened !== undefined) return { sending: agreed.toResponder, receiving: agreed.toInitiator }
    this.#sodium.wipe(agreed.toResponder.key)
    this.#sodium.wipe(agreed.toInitiator.key)
    return 'forged'
  }

  /** Wipes the secret of a handshake that may not have been completed. */
  abandon(pending: PendingHandshake): void {
    this.#sodium.wipe(pending.secret)
  }

  #checkHello(hello: Uint8Array): { theirs: Uint8Array; streamKey: Uint8Array } | StreamFault {
    if (hello.length < 2) return 'malformed'
    if (hello[0] !== WIRE_VERSION) return 'version'
    if (hello[1] === StreamKind.plainHello) return 'plaintext'
    if (hello[1] !== StreamKind.sealedHello || hello.length !== HELLO_BYTES) return 'malformed'
    const key = this.#keyring.find(readKeyId(hello))
    if (key === undefined) return 'unknown-key'

    writeKeyId(this.#associated, key.id)
    copyNonce(hello, PREAMBLE_BYTES, this.#openNonce, 0)
    const sealed = hello.subarray(HELLO_HEADER_BYTES)
    const theirs = this.#sodium.open(sealed, this.#associated, this.#openNonce, key.forStreams())
    if (theirs === undefined) return 'forged'
    const session = sessionAt(hello, PREAMBLE_BYTES)
    if (this.#nonces.owns(session)) return 'reflected'
    if (!this.#seen.accept(session, sequenceAt(hello, PREAMBLE_BYTES))) return 'replayed'
    return { theirs, streamKey: key.forStreams() }
  }

  /** Uses a secret up. */
  #agree(
    streamKey: Uint8Array,
    hello: Uint8Array,
    reply: Uint8Array,
    secret: Uint8Array,
    theirs: Uint8Array,
  ): { replyKey: Uint8Array; toResponder: ChannelKey; toInitiator: ChannelKey } | undefined {
    const shared = this.#sodium.sharedSecret(secret, theirs)
    this.#sodium.wipe(secret)
    if (shared === undefined) return undefined
    // Of a size at which it never grows, which would leave copies behind.
    const transcript = new Writer(TRANSCRIPT_BYTES + this.#label.length)
      .raw(PROTOCOL)
      .raw(hello)
      .raw(reply.subarray(0, REPLY_HEAD_BYTES))
      .raw(shared)
      .raw(this.#label)
      .view()
    const root = this.#sodium.keyedHash(transcript, streamKey)
    const agreed = {
      replyKey: this.#sodium.deriveKey(KEY_BYTES, REPLY_SUBKEY, CONTEXT, root),
      toResponder: this.#channelKey(TO_RESPONDER_SUBKEY, root),
      toInitiator: this.#channelKey(TO_INITIATOR_SUBKEY, root),
    }
    for (const bytes of [shared, transcript, root]) this.#sodium.wipe(bytes)
    return agreed
  }

  #channelKey(subkey: number, root: Uint8Array): ChannelKey {
    const bytes = this.#sodium.deriveKey(CHANNEL_BYTES, subkey, CONTEXT, root)
    return { key: bytes.subarray(0, KEY_BYTES), header: bytes.subarray(KEY_BYTES) }
  }

  #drawSecret(): Uint8Array {
    const secret = new Uint8Array(KEY_BYTES)
    this.#fillRandom(secret)
    return secret
  }
}
