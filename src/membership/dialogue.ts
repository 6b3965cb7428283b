import type { Peer } from '../dissemination/peer.ts'
import { Writer } from '../wire/bytes.ts'
import { MIN_PACKET_BYTES, PACKET_OVERHEAD_BYTES } from '../wire/limits.ts'
import { type MemberRecord, writeMemberRecord } from '../wire/member-record.ts'
import {
  beginMessage,
  endMessage,
  MESSAGE,
  type Ping,
  type ProbeDigest,
  type Token,
  writeAck,
  writeIndirectPing,
  writeNack,
  writePing,
} from '../wire/messages.ts'
import type { Member } from './member.ts'
import type { MemberList } from './member-list.ts'
import type { OpenPing } from './pings.ts'
import type { ProbeSchedule } from './probe-schedule.ts'

export interface DialogueHost {
  /** Sends a packet that begins with what `write` writes, filled up with news for the peer. */
  send(to: string, peer: Peer | undefined, write: (writer: Writer) => void): void
  /** Digests of networks that this node and a member share. */
  digestsFor(member: Member): readonly ProbeDigest[]
  /** This node's coordinate, encoded. */
  coordinate(): Uint8Array
}

const NO_BYTES = new Uint8Array(0)
/** No member's id, but for one chance in four billion. */
const NOBODY = 0
/** Records as news, encoded once for all nodes of a process that pass on the very same record. */
const messages = new WeakMap<MemberRecord, Uint8Array>()
/** Up to here records may fill a packet, so that a probe fits behind them, with any setting of `packetBytes`. */
const DOUBTS_ROOM_BYTES = MIN_PACKET_BYTES - PACKET_OVERHEAD_BYTES - 128

/** What this node says to other members, packet by packet. */
export class Dialogue {
  readonly #members: MemberList
  readonly #schedule: ProbeSchedule
  readonly #host: DialogueHost
  readonly #encoder = new Writer()

  constructor(members: MemberList, schedule: ProbeSchedule, host: DialogueHost) {
    this.#members = members
    this.#schedule = schedule
    this.#host = host
  }

  ping(member: Member, ping: OpenPing): void {
    this.pingAddress(member.address, member.id, member.record.epoch.nonce, ping.token, member)
  }

  /** Pings whoever is at an address; only the life named answers. */
  pingAddress(
    to: string,
    targetId: number,
    targetNonce: number,
    token: Token,
    member?: Member,
    sourceId: number = this.#members.self.id,
  ): void {
    this.#host.send(to, member, (writer) => {
      // Doubts come first: the refutation is then among the news that fill the answer.
      this.#writeDoubts(writer, member)
      writePing(writer, {
        token,
        round: this.#schedule.round,
        targetId,
        targetNonce,
        sourceId,
        members: this.#members.summaryFor(member),
        digests: member === undefined ? [] : this.#host.digestsFor(member),
      })
    })
  }

  /** Pings a member as nobody in particular, to whom it answers without news, digests and coordinate. */
  pingBare({ address, id, record }: Member, token: Token): void {
    this.pingAddress(address, id, record.epoch.nonce, token, undefined, NOBODY)
  }

  /** To an address at which no member is known to be, never more bytes than the ping had: anyone could have forged it. */
  ack(ping: Ping, to: string, source: Member | undefined): void {
    this.#host.send(to, source, (writer) => {
      writeAck(writer, {
        token: ping.token,
        sourceId: this.#members.self.id,
        members: this.#members.summaryFor(source),
        digests: source === undefined ? [] : this.#host.digestsFor(source),
        coordinate: source === undefined ? NO_BYTES : this.#host.coordinate(),
      })
      this.#writeDoubts(writer, source)
    })
  }

  askHelper(helper: Member, target: Member, ping: OpenPing, budgetMs: number): void {
    this.#host.send(helper.address, helper, (writer) =>
      writeIndirectPing(writer, {
        token: ping.token,
        address: target.address,
        targetId: target.id,
        targetNonce: target.record.epoch.nonce,
        sourceId: this.#members.self.id,
        budgetMs: Math.ceil(budgetMs),
      }),
    )
  }

  /** "The member you asked me to ping has answered." */
  relayAck(token: Token, to: string): void {
    this.#host.send(to, undefined, (writer) =>
      writeAck(writer, {
        token,
        sourceId: this.#members.self.id,
        members: this.#members.summaryFor(undefined),
        digests: [],
        coordinate: NO_BYTES,
      }),
    )
  }

  /** "The member you asked me to ping has not answered, and I am here." */
  relayNack(token: Token, to: string): void {
    this.#host.send(to, undefined, (writer) => writeNack(writer, { token, sourceId: this.#members.self.id }))
  }

  /** Tells one member what is known of another. */
  tell(listener: Member, about: Member): void {
    this.#host.send(listener.address, listener, (writer) => writeRecord(writer, about))
  }

  /** A member's record as news. */
  encode(member: Member): Uint8Array {
    const known = messages.get(member.record)
    if (known !== undefined) return known
    const writer = this.#encoder.reset()
    writeRecord(writer, member)
    const message = writer.copy()
    messages.set(member.record, message)
    return message
  }

  /**
   * Whoever is doubted is told so with every packet, so that it can refute in the same round trip. It may doubt us as well, by
   * what it heard before we refuted: so it is told of us, too, if there is room.
   */
  #writeDoubts(writer: Writer, member: Member | undefined): void {
    if (member === undefined || member.verdict === 'alive') return
    writeRecord(writer, member)
    const { length } = writer
    writeRecord(writer, this.#members.self)
    if (writer.length > DOUBTS_ROOM_BYTES) writer.truncate(length)
  }
}

function writeRecord(writer: Writer, member: Member): void {
  const start = beginMessage(writer, MESSAGE.member)
  writeMemberRecord(writer, member.record)
  endMessage(writer, start)
}
