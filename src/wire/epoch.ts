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
