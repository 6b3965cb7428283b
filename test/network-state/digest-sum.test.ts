import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DigestSum } from '../../src/network-state/digest-sum.ts'
import { bucketOf, LOG_BUCKETS } from '../../src/network-state/log-buckets.ts'
import { LogSet } from '../../src/network-state/log-set.ts'
import { Ranges } from '../../src/network-state/ranges.ts'
import { set } from './oracle.ts'

const OWNERS = ['O', 'P', 'Q']

type Deed =
  | { readonly kind: 'event'; readonly owner: string; readonly epoch: number; readonly seq: number }
  | { readonly kind: 'join'; readonly owner: string; readonly line: number }
  | { readonly kind: 'forget' | 'counts' | 'ask'; readonly owner: string }

const owner = fc.constantFrom(...OWNERS)
const deed: fc.Arbitrary<Deed> = fc.oneof(
  fc.record({
    kind: fc.constant('event' as const),
    owner,
    epoch: fc.integer({ min: 1, max: 2 }),
    seq: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({ kind: fc.constant('join' as const), owner, line: fc.nat(9) }),
  fc.record({ kind: fc.constantFrom('forget' as const, 'counts' as const, 'ask' as const), owner }),
)

describe('the sum of the hashes of logs', () => {
  test('is at any time, as a whole and by buckets, what walking all logs gives, whenever it was asked for before', () => {
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 40 }), (deeds) => {
        const counting = new Set(OWNERS)
        const logs: LogSet = new LogSet({ hashChanged: (owner) => sum.touch(owner) })
        const sum = new DigestSum((owner) => (counting.has(owner) ? logs.get(owner)?.hash : undefined))
        for (const act of deeds) {
          switch (act.kind) {
            case 'event':
              logs.apply(act.owner, { time: act.epoch, nonce: 0 }, 0, set(act.seq, 'a'))
              break
            case 'join':
              logs.get(act.owner)?.join({ contiguous: act.line, ranges: Ranges.none(), alive: undefined })
              break
            case 'forget':
              logs.forget(act.owner)
              break
            case 'counts':
              if (!counting.delete(act.owner)) counting.add(act.owner)
              sum.touch(act.owner)
              break
            case 'ask':
              expect(sum.value).toEqual(logs.digest((owner) => counting.has(owner)))
          }
        }
        expect(sum.value).toEqual(logs.digest((owner) => counting.has(owner)))
        const buckets = new Uint32Array(LOG_BUCKETS)
        for (const owner of counting) buckets[bucketOf(owner)]! += logs.get(owner)?.hash.low ?? 0
        expect(sum.buckets).toEqual(buckets)
      }),
      { numRuns: 1000 },
    )
  })

  test('asks for the hashes of those logs only that have changed', () => {
    const asked: string[] = []
    const logs: LogSet = new LogSet({ hashChanged: (owner) => sum.touch(owner) })
    const sum = new DigestSum((owner) => {
      asked.push(owner)
      return logs.get(owner)?.hash
    })
    for (const owner of OWNERS) logs.apply(owner, { time: 1, nonce: 0 }, 0, set(1, 'a'))
    void sum.value
    expect(asked.splice(0).sort()).toEqual(OWNERS)
    for (const seq of [2, 3]) logs.apply('P', { time: 1, nonce: 0 }, 0, set(seq, 'a'))
    void sum.value
    void sum.value
    expect(asked).toEqual(['P'])
  })
})
