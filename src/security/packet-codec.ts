import type { SessionId } from './nonces.ts'

/** The first byte of every packet and of every opening message of a stream. */
export const WIRE_VERSION = 1

/** The second byte of every packet. Opening messages of streams use other numbers (`StreamKind`). */
export const PacketKind = { plain: 1, sealed: 2 } as const

/** Turns bodies into packets and back. */
export interface PacketCodec {
  /** A packet around a body, in bytes of its own, for the node at an address. */
  seal(body: Uint8Array, to?: string): Uint8Array
  /** Never throws, whatever the bytes. */
  open(packet: Uint8Array): OpenResult
  /** Starts a new session, after something that may have cloned or rewound this process. */
  renewNonce(): void
}

/** A packet opened, or why it was not. */
export type OpenResult = OpenedPacket | PacketDrop

export interface OpenedPacket {
  readonly body: Uint8Array
  /** Who sealed it: one life of one process. Missing where packets are not sealed. */
  readonly session: SessionId | undefined
  /** Never the same twice in a session, and nearly in the order of sending. */
  readonly sequence: number
}

/** Why a packet was dropped; `docs/security.md` says what each cause points to. */
export const PACKET_DROPS = [
  'too-short',
  'version',
  'kind',
  'plaintext',
  'sealed',
  'unknown-key',
  'forged',
  'replayed',
  'reflected',
  'checksum',
] as const

export type PacketDrop = (typeof PACKET_DROPS)[number]
