import fc from 'fast-check'
import { MAX_HARD_ACCUSERS, MAX_SOFT_ACCUSERS, type MemberRecord } from '../../src/wire/member-record.ts'
import { hashString } from '../../src/wire/mix.ts'

/** A record as its member would write it: what it says is a function of its precedence. */
export function recordOf(
  name: string,
  changes: Partial<MemberRecord> & { readonly address?: string } = {},
): MemberRecord {
  const { time, nonce } = changes.epoch ?? { time: 1_000, nonce: 1 }
  const incarnation = changes.incarnation ?? 0
  const port = 1 + (hashString(`${name} ${time} ${nonce}`) % 60_000)
  return {
    name,
    address: `10.0.0.1:${port}`,
    epoch: { time, nonce },
    incarnation,
    left: false,
    metadata: Uint8Array.of(incarnation & 0xff, time & 0xff),
    minVersion: 1,
    maxVersion: 1,
    hard: [],
    soft: [],
    keys: [],
    ...changes,
  }
}

const NO_CHANGE = { left: false, hard: [], soft: [] }

/** Few ids, so that sets overlap and overflow. */
function accusers(most: number): fc.Arbitrary<number[]> {
  return fc
    .uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: most })
    .map((ids) => ids.sort((a, b) => a - b))
}

/** Records of one name, close enough to each other that all rules of precedence come up. */
export function recordsOf(name: string): fc.Arbitrary<MemberRecord> {
  return fc
    .record({
      time: fc.integer({ min: 1, max: 2 }),
      nonce: fc.integer({ min: 0, max: 1 }),
      incarnation: fc.nat({ max: 2 }),
      left: fc.boolean(),
      hard: accusers(MAX_HARD_ACCUSERS),
      soft: accusers(MAX_SOFT_ACCUSERS),
    })
    .map(({ time, nonce, ...changes }) => {
      return recordOf(name, { ...NO_CHANGE, ...changes, epoch: { time, nonce } })
    })
}
