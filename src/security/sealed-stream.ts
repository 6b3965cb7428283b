import type { Initiation, RecordCodec, StreamProtocol } from './framed-stream.ts'
import type { StreamFault } from './frames.ts'
import type { Keyring } from './keyring.ts'
import type { SecretStream, Sodium } from './sodium.ts'
import type { StreamHandshake, StreamKeys } from './stream-handshake.ts'

/** Streams that open with a `StreamHandshake` and carry their frames as records of a secretstream. */
export class SealedStreams implements StreamProtocol {
  readonly recordOverhead = 17
  readonly #sodium: Sodium
  readonly #keyring: Keyring
  readonly #handshake: StreamHandshake

  constructor(sodium: Sodium, keyring: Keyring, handshake: StreamHandshake) {
    this.#sodium = sodium
    this.#keyring = keyring
    this.#handshake = handshake
  }

  renewNonce(): void {
    this.#handshake.renewNonce()
  }

  initiate(to: string, failed: number): Initiation {
    const handshake = this.#handshake
    const pending = handshake.initiate(this.#keyring.keyForTry(to, failed))
    return {
      hello: pending.hello,
      hasAlternative: this.#keyring.keyForTry(to, failed + 1) !== undefined,
      complete: (reply) => {
        const keys = handshake.complete(pending, reply)
        return typeof keys === 'string' ? keys : new SealedRecords(this.#sodium, keys)
      },
      abandon: () => handshake.abandon(pending),
    }
  }

  answer(hello: Uint8Array): { reply: Uint8Array; records: RecordCodec } | StreamFault {
    const answer = this.#handshake.answer(hello)
    if (typeof answer === 'string') return answer
    return { reply: answer.reply, records: new SealedRecords(this.#sodium, answer.keys) }
  }
}

/** The two secretstreams of a stream. Order, completeness and the final mark are theirs to keep. */
class SealedRecords implements RecordCodec {
  readonly sealed = true
  readonly #sending: SecretStream
  readonly #receiving: SecretStream

  constructor(sodium: Sodium, keys: StreamKeys) {
    this.#sending = sodium.secretStream(keys.sending.key, keys.sending.header)
    this.#receiving = sodium.secretStream(keys.receiving.key, keys.receiving.header)
    sodium.wipe(keys.sending.key)
    sodium.wipe(keys.receiving.key)
  }

  seal(frame: Uint8Array, final: boolean): Uint8Array {
    return this.#sending.push(frame, final)
  }

  open(record: Uint8Array): { frame: Uint8Array; final: boolean } | StreamFault {
    const pulled = this.#receiving.pull(record)
    return pulled === undefined ? 'forged' : { frame: pulled.message, final: pulled.final }
  }

  dispose(): void {
    this.#sending.free()
    this.#receiving.free()
  }
}
