import type { Reader, Writer } from './bytes.ts'

/**
 * One life of a writer: of a member's process, or of its log in one network. `time` is wall-clock ms at the start, raised above
 * every earlier life that is known of; `nonce` is a random 32-bit integer, so that no two lives are ever equal.
 */
export interface EpochId {
  readonly time: number
  readonly nonce: number
}

/** Below every real epoch: "no life known". */
export const NO_EPOCH: EpochId = { time: 0, nonce: 0 }

const EPOCH_TIME_LIMIT = 2 ** 47

/** Negative, zero or positive, as `a` is before, equal to or after `b`. */
export function compareEpochs(a: EpochId, b: EpochId): number {
  return a.time - b.time || a.nonce - b.nonce
}

/** The time of a life that begins at this reading of the wall clock. However wrong that is, there is room above it. */
export function epochTime(wallClock: number): number {
  return Math.min(Math.max(1, Math.floor(wallClock)), EPOCH_TIME_LIMIT / 2)
}

/** `own` if it is later than `seen`, else the next life after that; undefined if `seen` is the very last there can be. */
export function epochAbove(seen: EpochId, own: EpochId): EpochId | undefined {
  if (own.time > seen.time) return own
  if (seen.time + 1 < EPOCH_TIME_LIMIT) return { time: seen.time + 1, nonce: own.nonce }
  return seen.nonce < 0xffff_ffff ? { time: seen.time, nonce: seen.nonce + 1 } : undefined
}

export function sameEpoch(a: EpochId, b: EpochId): boolean {
  return a.time === b.time && a.nonce === b.nonce
}

/** Ten bytes. */
export function writeEpoch(writer: Writer, epoch: EpochId): Writer {
  return writer.u48(epoch.time).u32(epoch.nonce)
}

/** A time of 2^47 and more (the year 6429) fails the reader: there must always be room for a later life. */
export function readEpoch(reader: Reader): EpochId {
  const time = reader.u48()
  if (time >= EPOCH_TIME_LIMIT) reader.fail()
  return { time, nonce: reader.u32() }
}
