import { type AntiEntropy, STREAM_SYNC } from './dissemination/anti-entropy.ts'
import type { Membership } from './membership/membership.ts'
import { answerByStream, STREAM_PING } from './membership/stream-ping.ts'
import type { NetworkState } from './network-state/network-state.ts'
import type { ProvenSessions } from './proven-sessions.ts'
import type { FrameHandlers, FrameStream } from './security/frames.ts'
import type { SessionId } from './security/nonces.ts'
import type { Reader } from './wire/bytes.ts'
import { readEntryEvent } from './wire/entry-event.ts'
import { readMemberRecord } from './wire/member-record.ts'
import {
  MESSAGE,
  type Offer,
  readAck,
  readIndirectPing,
  readMessages,
  readNack,
  readOffer,
  readPing,
} from './wire/messages.ts'

/** Hands what comes in, opened and checked, to the room that it is for. */
export class Inbound {
  readonly #membership: Membership
  readonly #networkState: NetworkState
  readonly #antiEntropy: AntiEntropy
  readonly #sessions: ProvenSessions
  #closed = false
  /** Packets that were opened and yet not well-formed to their end. */
  malformed = 0

  constructor(
    membership: Membership,
    networkState: NetworkState,
    antiEntropy: AntiEntropy,
    sessions: ProvenSessions,
  ) {
    this.#membership = membership
    this.#networkState = networkState
    this.#antiEntropy = antiEntropy
    this.#sessions = sessions
  }

  close(): void {
    this.#closed = true
  }

  onPacket(body: Uint8Array, from: string, session?: SessionId): void {
    if (this.#closed) return
    if (!readMessages(body, (type, payload) => this.#onMessage(type, payload, from, session)))
      this.malformed++
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

  /** Whether a packet is surely no old one that is played again. Where nothing is sealed, nothing is sure, and all is taken. */
  #isProven(sourceId: number, session: SessionId | undefined): boolean {
    if (session === undefined) return true
    const member = this.#membership.members.byId(sourceId)
    return member !== undefined && this.#sessions.has(member.name, session)
  }

  #onOffer({ digests, sourceId }: Offer, session: SessionId | undefined): void {
    const member = this.#membership.members.byId(sourceId)
    if (member === undefined || member.verdict === 'failed') return
    const prove = this.#isProven(sourceId, session)
      ? undefined
      : () => this.#membership.prove(member, () => this.#networkState.onOffer(digests, member))
    this.#networkState.onOffer(digests, member, prove)
  }

  /** False for a message that is ill-formed; what came before it in the packet counts. */
  #onMessage(type: number, payload: Reader, from: string, session: SessionId | undefined): boolean {
    switch (type) {
      case MESSAGE.ping: {
        const ping = readPing(payload)
        if (!payload.failed) this.#membership.onPing(ping, from, this.#isProven(ping.sourceId, session))
        break
      }
      case MESSAGE.ack: {
        const ack = readAck(payload)
        if (payload.failed) break
        const member = this.#membership.onAck(ack, from)
        if (member !== undefined && session !== undefined) this.#sessions.answered(member, session)
        break
      }
      case MESSAGE.indirectPing: {
        const request = readIndirectPing(payload)
        if (!payload.failed) this.#membership.onIndirectPing(request, from)
        break
      }
      case MESSAGE.nack: {
        const nack = readNack(payload)
        if (!payload.failed) this.#membership.onNack(nack)
        break
      }
      case MESSAGE.member: {
        const record = readMemberRecord(payload)
        if (!payload.failed) this.#membership.learn(record, from)
        break
      }
      case MESSAGE.entry: {
        const encoded = payload.rest()
        const event = readEntryEvent(payload)
        if (!payload.failed) this.#networkState.onEvent(event, encoded)
        break
      }
      case MESSAGE.offer: {
        const offer = readOffer(payload)
        if (!payload.failed) this.#onOffer(offer, session)
        break
      }
    }
    return !payload.failed
  }
}
