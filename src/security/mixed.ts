import type { Initiation, RecordCodec, StreamProtocol } from './framed-stream.ts'
import { type StreamFault, StreamKind } from './frames.ts'
import type { Keyring } from './keyring.ts'
import { type OpenResult, type PacketCodec, PacketKind } from './packet-codec.ts'

const MOST_PLAIN_PEERS = 65_536

/** Addresses of members that are known to hold no keys: whoever accepts plaintext also speaks it to them. */
export class PlainPeers {
  readonly #addresses = new Set<string>()

  has(address: string): boolean {
    return this.#addresses.has(address)
  }

  /** Takes note of which keys a member lists. */
  note(address: string, keys: readonly number[]): void {
    if (keys.length > 0) this.#addresses.delete(address)
    else if (this.#addresses.size < MOST_PLAIN_PEERS) this.#addresses.add(address)
  }

  forget(address: string): void {
    this.#addresses.delete(address)
  }
}

/** Packets of a node on its way from no keys to keys: sealed, but plain for those that hold none; opens both. */
export class MixedPackets implements PacketCodec {
  readonly #sealed: PacketCodec
  readonly #plain: PacketCodec
  readonly #peers: PlainPeers

  constructor(sealed: PacketCodec, plain: PacketCodec, peers: PlainPeers) {
    this.#sealed = sealed
    this.#plain = plain
    this.#peers = peers
  }

  seal(body: Uint8Array, to = ''): Uint8Array {
    return this.#peers.has(to) ? this.#plain.seal(body) : this.#sealed.seal(body, to)
  }

  open(packet: Uint8Array): OpenResult {
    return packet[1] === PacketKind.plain ? this.#plain.open(packet) : this.#sealed.open(packet)
  }

  renewNonce(): void {
    this.#sealed.renewNonce()
  }
}

/** Streams of such a node. An address of which nothing is known is tried with every key first, then in the clear. */
export class MixedStreams implements StreamProtocol {
  readonly recordOverhead: number
  readonly #sealed: StreamProtocol
  readonly #plain: StreamProtocol
  readonly #keyring: Keyring
  readonly #peers: PlainPeers

  constructor(sealed: StreamProtocol, plain: StreamProtocol, keyring: Keyring, peers: PlainPeers) {
    this.recordOverhead = Math.max(sealed.recordOverhead, plain.recordOverhead)
    this.#sealed = sealed
    this.#plain = plain
    this.#keyring = keyring
    this.#peers = peers
  }

  initiate(to: string, failed: number): Initiation {
    const plainFirst = this.#peers.has(to)
    if (plainFirst && failed === 0) return { ...this.#plain.initiate(to, 0), hasAlternative: true }
    const sealedTry = plainFirst ? failed - 1 : failed
    if (this.#keyring.keyForTry(to, sealedTry) === undefined) return this.#plain.initiate(to, 0)
    const initiation = this.#sealed.initiate(to, sealedTry)
    return { ...initiation, hasAlternative: initiation.hasAlternative || !plainFirst }
  }

  answer(hello: Uint8Array): { readonly reply: Uint8Array; readonly records: RecordCodec } | StreamFault {
    return (hello[1] === StreamKind.plainHello ? this.#plain : this.#sealed).answer(hello)
  }

  renewNonce(): void {
    this.#sealed.renewNonce()
  }
}
