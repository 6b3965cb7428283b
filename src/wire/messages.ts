import { readAddress, writeAddress } from './address-codec.ts'
import type { Reader, Writer } from './bytes.ts'
import { Reader as ByteReader } from './bytes.ts'

/**
 * Messages of a packet. A packet's body is a sequence of them, each with a type, a length and a payload, so that an
 * unknown type and unknown bytes at the end of a known one are skipped: a cluster can be upgraded host by host.
 */
export const MESSAGE = {
  ping: 1,
  ack: 2,
  indirectPing: 3,
  nack: 4,
  /** A member record: `member-record.ts`. */
  member: 5,
  /** An operation of an owner's log: `entry-event.ts`. */
  entry: 6,
  offer: 7,
} as const

/** The protocol versions that this build speaks. */
export const MIN_VERSION = 1
export const MAX_VERSION = 1

/** Type and length in front of every message. */
export const MESSAGE_HEADER_BYTES = 3

/** 64 random bits that an answer repeats. */
export interface Token {
  readonly high: number
  readonly low: number
}

/** A short summary of one network's state, for noticing divergence. The id is the hash of the network's name. */
export interface ProbeDigest {
  readonly network: number
  readonly digest: number
}

export const MAX_PROBE_DIGESTS = 8

export interface Ping {
  readonly token: Token
  /** The sender's logical probe round. */
  readonly round: number
  /** Whom it is for: hash of the name, and the nonce of the epoch (0: whichever is running). */
  readonly targetId: number
  readonly targetNonce: number
  readonly sourceId: number
  /** Summary of the sender's members. */
  readonly members: number
  readonly digests: readonly ProbeDigest[]
}

export interface Ack {
  readonly token: Token
  readonly sourceId: number
  readonly members: number
  readonly digests: readonly ProbeDigest[]
  /** Encoded network coordinate of the answerer; empty when it sends none. */
  readonly coordinate: Uint8Array
}

/** "Ping this member for me; answer by an ack with my token, or by a nack when `budgetMs` is nearly over." */
export interface IndirectPing {
  readonly token: Token
  readonly address: string
  readonly targetId: number
  readonly targetNonce: number
  readonly sourceId: number
  readonly budgetMs: number
}

export interface Nack {
  readonly token: Token
  readonly sourceId: number
}

/** "My side has these states of networks: if yours differ, fetch what you lack by stream." */
export interface Offer {
  readonly sourceId: number
  readonly digests: readonly ProbeDigest[]
}

/** Opens a message; pass the result to `endMessage` once the payload is written. */
export function beginMessage(writer: Writer, type: number): number {
  writer.u8(type).u16(0)
  return writer.length
}

export function endMessage(writer: Writer, start: number): void {
  writer.patchU16(start - 2, writer.length - start)
}

/**
 * Calls `handle` for each message in turn, with a reader of its payload that is not to be kept, and says whether the body was
 * well-formed to its end. What `handle` returns false for ends the walk, too.
 */
export function readMessages(body: Uint8Array, handle: (type: number, payload: Reader) => boolean): boolean {
  const reader = new ByteReader(body)
  while (reader.remaining > 0) {
    const type = reader.u8()
    const end = reader.enter(reader.u16())
    if (reader.failed || !handle(type, reader)) return false
    reader.leave(end)
  }
  return true
}

export function writePing(writer: Writer, ping: Ping): void {
  const start = beginMessage(writer, MESSAGE.ping)
  writeToken(writer, ping.token).varint(ping.round)
  writer.u32(ping.targetId).u32(ping.targetNonce).u32(ping.sourceId).u32(ping.members)
  writeDigests(writer, ping.digests)
  endMessage(writer, start)
}

export function readPing(reader: Reader): Ping {
  return {
    token: readToken(reader),
    round: reader.varint(),
    targetId: reader.u32(),
    targetNonce: reader.u32(),
    sourceId: reader.u32(),
    members: reader.u32(),
    digests: readDigests(reader),
  }
}

export const MAX_COORDINATE_BYTES = 64

export function writeAck(writer: Writer, ack: Ack): void {
  const start = beginMessage(writer, MESSAGE.ack)
  writeToken(writer, ack.token).u32(ack.sourceId).u32(ack.members)
  writeDigests(writer, ack.digests)
  writer.bytes(ack.coordinate)
  endMessage(writer, start)
}

export function readAck(reader: Reader): Ack {
  return {
    token: readToken(reader),
    sourceId: reader.u32(),
    members: reader.u32(),
    digests: readDigests(reader),
    coordinate: reader.bytes(MAX_COORDINATE_BYTES),
  }
}

export function writeIndirectPing(writer: Writer, request: IndirectPing): void {
  const start = beginMessage(writer, MESSAGE.indirectPing)
  writeToken(writer, request.token)
  writeAddress(writer, request.address)
  writer.u32(request.targetId).u32(request.targetNonce).u32(request.sourceId).varint(request.budgetMs)
  endMessage(writer, start)
}

export function readIndirectPing(reader: Reader): IndirectPing {
  return {
    token: readToken(reader),
    address: readAddress(reader),
    targetId: reader.u32(),
    targetNonce: reader.u32(),
    sourceId: reader.u32(),
    budgetMs: reader.varint(),
  }
}

export function writeNack(writer: Writer, nack: Nack): void {
  const start = beginMessage(writer, MESSAGE.nack)
  writeToken(writer, nack.token).u32(nack.sourceId)
  endMessage(writer, start)
}

export function readNack(reader: Reader): Nack {
  return { token: readToken(reader), sourceId: reader.u32() }
}

export function writeOffer(writer: Writer, offer: Offer): void {
  const start = beginMessage(writer, MESSAGE.offer)
  writeDigests(writer.u32(offer.sourceId), offer.digests)
  endMessage(writer, start)
}

export function readOffer(reader: Reader): Offer {
  return { sourceId: reader.u32(), digests: readDigests(reader) }
}

function writeToken(writer: Writer, token: Token): Writer {
  return writer.u32(token.high).u32(token.low)
}

function readToken(reader: Reader): Token {
  return { high: reader.u32(), low: reader.u32() }
}

function writeDigests(writer: Writer, digests: readonly ProbeDigest[]): void {
  writer.u8(digests.length)
  for (const { network, digest } of digests) writer.u32(network).u32(digest)
}

const NO_DIGESTS: readonly ProbeDigest[] = []

function readDigests(reader: Reader): readonly ProbeDigest[] {
  const count = reader.u8()
  if (count === 0) return NO_DIGESTS
  if (count > MAX_PROBE_DIGESTS) reader.fail()
  const digests: ProbeDigest[] = []
  for (let i = 0; i < count && !reader.failed; i++)
    digests.push({ network: reader.u32(), digest: reader.u32() })
  return digests
}
