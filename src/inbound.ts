import { type AntiEntropy, STREAM_SYNC } from './dissemination/anti-entropy.ts'
import type { Membership } from './membership/membership.ts'
import { answerByStream, STREAM_PING } from './membership/stream-ping.ts'
import type { NetworkState } from './network-state/network-state.ts'
import type { FrameHandlers, FrameStream } from './security/frames.ts'
import type { Reader } from './wire/bytes.ts'
import { readEntryEvent } from './wire/entry-event.ts'
import { readMemberRecord } from './wire/member-record.ts'
import { MESSAGE, readAck, readIndirectPing, readMessages, readNack, readPing } from './wire/messages.ts'

/** Hands what comes in, opened and checked, to the room that it is for. */
export class Inbound {
  readonly #membership: Membership
  readonly #networkState: NetworkState
  readonly #antiEntropy: AntiEntropy
  #closed = false
  /** Packets that were opened and yet not well-formed to their end. */
  malformed = 0

  constructor(membership: Membership, networkState: NetworkState, antiEntropy: AntiEntropy) {
    this.#membership = membership
    this.#networkState = networkState
    this.#antiEntropy = antiEntropy
  }

  close(): void {
    this.#closed = true
  }

  onPacket(body: Uint8Array, from: string): void {
    if (this.#closed) return
    if (!readMessages(body, (type, payload) => this.#onMessage(type, payload, from))) this.malformed++
  }

  /** The first frame of a stream says what it is for. */
  onStream(stream: FrameStream): FrameHandlers | undefined {
    if (this.#closed) return undefined
    let handlers: FrameHandlers | undefined
    return {
      onOpen() {},
      onFrame: (frame) => {
        if (handlers !== undefined) handlers.onFrame(frame)
        else handlers = this.#openStream(stream, frame)
      },
      onDrain: () => handlers?.onDrain(),
      onClose: (error) => handlers?.onClose(error),
    }
  }

  #openStream(stream: FrameStream, opening: Uint8Array): FrameHandlers | undefined {
    this.#membership.heardByStream()
    if (opening[0] === STREAM_SYNC) return this.#antiEntropy.accept(stream)
    if (opening[0] === STREAM_PING) {
      return answerByStream(stream, opening, (id, nonce) => this.#membership.isTarget(id, nonce))
    }
    stream.destroy()
    return undefined
  }

  /** False for a message that is ill-formed; what came before it in the packet counts. */
  #onMessage(type: number, payload: Reader, from: string): boolean {
    switch (type) {
      case MESSAGE.ping:
        return decoded(payload, readPing, (ping) => this.#membership.onPing(ping, from))
      case MESSAGE.ack:
        return decoded(payload, readAck, (ack) => this.#membership.onAck(ack, from))
      case MESSAGE.indirectPing:
        return decoded(payload, readIndirectPing, (request) => this.#membership.onIndirectPing(request, from))
      case MESSAGE.nack:
        return decoded(payload, readNack, (nack) => this.#membership.onNack(nack))
      case MESSAGE.member:
        return decoded(payload, readMemberRecord, (record) => this.#membership.learn(record, from))
      case MESSAGE.entry:
        return decoded(payload, readEntryEvent, (event) => this.#networkState.onEvent(event))
      default:
        return true
    }
  }
}

function decoded<T>(payload: Reader, read: (reader: Reader) => T, handle: (value: T) => void): boolean {
  const value = read(payload)
  if (payload.failed) return false
  handle(value)
  return true
}
