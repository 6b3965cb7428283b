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

export function readEpoch(reader: Reader): EpochId {
  return { time: reader.u48(), nonce: reader.u32() }
}
