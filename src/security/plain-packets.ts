import { finish, mixBytes, mixString } from '../wire/mix.ts'
import { type OpenResult, type PacketCodec, PacketKind, WIRE_VERSION } from './packet-codec.ts'

/** Version, kind, checksum (4). */
const HEADER_BYTES = 6

/**
 * Packets of a cluster without keys: version, kind, a checksum over label and body, body. The checksum
 * catches corruption and other labels, not adversaries.
 */
export class PlainPackets implements PacketCodec {
  readonly #labelState: number

  constructor(label: string) {
    this.#labelState = mixString(0, label)
  }

  renewNonce(): void {
    // There is no nonce in the clear.
  }

  seal(body: Uint8Array): Uint8Array {
    const packet = new Uint8Array(HEADER_BYTES + body.length)
    const checksum = this.#checksum(body)
    packet[0] = WIRE_VERSION
    packet[1] = PacketKind.plain
    packet[2] = checksum >>> 24
    packet[3] = checksum >>> 16
    packet[4] = checksum >>> 8
    packet[5] = checksum
    packet.set(body, HEADER_BYTES)
    return packet
  }

  open(packet: Uint8Array): OpenResult {
    if (packet.length < 2) return 'too-short'
    if (packet[0] !== WIRE_VERSION) return 'version'
    if (packet[1] !== PacketKind.plain) return packet[1] === PacketKind.sealed ? 'sealed' : 'kind'
    if (packet.length < HEADER_BYTES) return 'too-short'
    const body = packet.subarray(HEADER_BYTES)
    const checksum = (packet[2]! << 24) | (packet[3]! << 16) | (packet[4]! << 8) | packet[5]!
    if (checksum >>> 0 !== this.#checksum(body)) return 'checksum'
    return { body, session: undefined, sequence: 0 }
  }

  #checksum(body: Uint8Array): number {
    return finish(mixBytes(this.#labelState, body))
  }
}
