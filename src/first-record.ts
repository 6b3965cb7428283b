import type { ResolvedOptions } from './options.ts'
import { addressForOthers } from './runtime/address.ts'
import type { Runtime } from './runtime/runtime.ts'
import { epochTime } from './wire/epoch.ts'
import { MAX_LISTED_KEYS, type MemberRecord } from './wire/member-record.ts'
import { MAX_VERSION, MIN_VERSION } from './wire/messages.ts'

/** What a process tells of itself at first. */
export function firstRecord(
  options: ResolvedOptions,
  runtime: Runtime,
  boundTo: string,
  keys: readonly number[],
): MemberRecord {
  return {
    name: options.name,
    address: options.advertise ?? addressForOthers(boundTo, runtime.localAddresses()),
    epoch: { time: epochTime(runtime.wallClock()), nonce: runtime.randomUint32() },
    incarnation: 0,
    left: false,
    metadata: options.metadata,
    minVersion: MIN_VERSION,
    maxVersion: MAX_VERSION,
    hard: [],
    soft: [],
    keys: keys.slice(0, MAX_LISTED_KEYS),
  }
}
