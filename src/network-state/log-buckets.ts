import { hashString } from '../wire/mix.ts'

/** Logs are summed up in as many buckets, by the highest bits of their owners' hashes. */
export const LOG_BUCKETS = 128

const SHIFT = 32 - Math.log2(LOG_BUCKETS)

export function bucketOf(owner: string): number {
  return hashString(owner) >>> SHIFT
}
