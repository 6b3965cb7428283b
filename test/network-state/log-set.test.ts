import { describe, expect, test } from 'vitest'
import { LogSet } from '../../src/network-state/log-set.ts'
import { OwnLog } from '../../src/network-state/own-log.ts'
import { LOG_LIMITS } from '../../src/network-state/owner-log.ts'
import { NO_EPOCH } from '../../src/wire/epoch.ts'
import { del, print, set } from './oracle.ts'

const FIRST = { time: 1, nonce: 9 }
const SECOND = { time: 2, nonce: 1 }
const everyone = (): boolean => true

function visible(logs: LogSet, owner = 'O'): string[] {
  return [...(logs.get(owner)?.entries() ?? [])].map(print).sort()
}

describe('a set of logs', () => {
  test('keeps one log for each owner, that of the highest epoch', () => {
    const logs = new LogSet()
    expect(logs.apply('O', SECOND, 0, set(1, 'a'))).toBe('new')
    expect(logs.apply('O', FIRST, 0, set(1, 'b'))).toBe('stale')
    expect(logs.apply('P', FIRST, 0, set(1, 'c'))).toBe('new')
    expect(logs.apply('O', SECOND, 0, set(1, 'a'))).toBe('duplicate')
    expect(logs.size).toBe(2)
    expect(visible(logs)).toEqual(['a@1'])
  })

  test('tells apart two lives that began at the same millisecond', () => {
    const logs = new LogSet()
    logs.apply('O', { time: 1, nonce: 1 }, 0, set(1, 'a'))
    expect(logs.apply('O', { time: 1, nonce: 2 }, 0, set(1, 'b'))).toBe('new')
    expect(visible(logs)).toEqual(['b@1'])
    expect(logs.apply('O', { time: 1, nonce: 1 }, 0, set(2, 'c'))).toBe('stale')
  })

  test('shows entries of the old epoch until the opening snapshot of the new one is in', () => {
    const logs = new LogSet()
    for (const item of [set(1, 'a'), set(2, 'b'), set(4, 'c'), del(6, 'c')]) logs.apply('O', FIRST, 0, item)
    logs.apply('O', SECOND, 2, set(3, 'd'))
    expect(visible(logs)).toEqual(['a@1', 'b@2', 'd@3'])
    logs.apply('O', SECOND, 2, set(1, 'a'))
    expect(visible(logs)).toEqual(['a@1', 'b@2', 'd@3'])
    logs.apply('O', SECOND, 2, set(2, 'b'))
    expect(visible(logs)).toEqual(['a@1', 'b@2', 'd@3'])
    expect(logs.get('O')!.shadow).toBeUndefined()
  })

  test('shows what is left of two epochs when a third one follows before the second was in', () => {
    const logs = new LogSet()
    for (const item of [set(1, 'a'), set(2, 'b'), set(3, 'c')]) logs.apply('O', FIRST, 0, item)
    for (const item of [set(2, 'b'), del(4, 'c')]) logs.apply('O', SECOND, 3, item)
    logs.apply('O', { time: 3, nonce: 0 }, 2, set(2, 'd'))
    expect(visible(logs)).toEqual(['a@1', 'b@2', 'd@2'])
  })

  test.each([0, 1, 2, 3, 4, 5, 6, 7])(
    'no key is ever missing while a bump spreads in any order (%i)',
    (seed) => {
      const logs = new LogSet()
      const keys = ['a', 'b', 'c', 'd', 'e']
      keys.forEach((key, index) => void logs.apply('O', FIRST, 0, set(index + 1, key)))
      const order = keys
        .map((_, index) => index + 1)
        .sort((a, b) => ((a * 7 + seed * 3) % 11) - ((b * 7 + seed * 3) % 11))
      for (const seq of order) {
        logs.apply('O', SECOND, keys.length, set(seq, keys[seq - 1]!))
        expect(keys.filter((key) => logs.get('O')!.entry(key) === undefined)).toEqual([])
      }
    },
  )

  test('drops the old entries at once when an epoch begins cold', () => {
    const logs = new LogSet()
    logs.apply('O', FIRST, 0, set(1, 'a'))
    logs.logFor('O', SECOND, 0)
    expect(visible(logs)).toEqual([])
  })

  test("lets nothing into this node's own log but what it writes itself", () => {
    const logs = new LogSet()
    const own = new OwnLog(logs, 'O', FIRST, false)
    expect(logs.apply('O', FIRST, 0, set(1, 'a'))).toBe('stale')
    expect(logs.apply('O', SECOND, 0, set(1, 'a'))).toBe('stale')
    expect(logs.forget('O')).toBe(false)
    expect(logs.get('O')).toBe(own.log)
  })
})

describe('the listener of a set', () => {
  const listening = () => {
    const heard: string[] = []
    const logs = new LogSet({
      listener: (log, key) =>
        heard.push(`${log.owner} ${key}=${logs.get(log.owner)?.entry(key)?.seq ?? 'gone'}`),
    })
    return { logs, take: () => heard.splice(0).sort() }
  }

  test('hears of every entry of a log that is forgotten, when it is gone', () => {
    const { logs, take } = listening()
    for (const item of [set(1, 'a'), set(2, 'b'), del(3, 'b'), set(4, 'c')]) logs.apply('O', FIRST, 0, item)
    take()
    expect(logs.forget('O')).toBe(true)
    expect(logs.forget('O')).toBe(false)
    expect(take()).toEqual(['O a=gone', 'O c=gone'])
  })

  test('hears of every entry of a log that another epoch supersedes, with what counts from now on', () => {
    const { logs, take } = listening()
    for (const item of [set(1, 'a'), set(2, 'b')]) logs.apply('O', FIRST, 0, item)
    take()
    logs.logFor('O', SECOND, 2)
    expect(take()).toEqual(['O a=1', 'O b=2'])
    logs.logFor('O', { time: 3, nonce: 0 }, 0)
    expect(take()).toEqual(['O a=gone', 'O b=gone'])
  })
})

describe('the digest of a set', () => {
  test('is the same whatever the order in which the same came', () => {
    const one = new LogSet()
    const other = new LogSet()
    for (const owner of ['O', 'P']) for (const seq of [1, 2, 4]) one.apply(owner, FIRST, 0, set(seq, 'a'))
    for (const seq of [4, 2, 1]) for (const owner of ['P', 'O']) other.apply(owner, FIRST, 0, set(seq, 'a'))
    expect(one.digest(everyone)).toEqual(other.digest(everyone))
  })

  test('leaves out owners that are not included, as if their logs were not there', () => {
    const one = new LogSet()
    const other = new LogSet()
    for (const logs of [one, other]) logs.apply('O', FIRST, 0, set(1, 'a'))
    other.apply('failed', FIRST, 0, set(1, 'a'))
    expect(one.digest(everyone)).not.toEqual(other.digest(everyone))
    expect(one.digest(everyone)).toEqual(other.digest((owner) => owner !== 'failed'))
  })

  test('tells apart which of two owners is ahead', () => {
    const one = new LogSet()
    const other = new LogSet()
    one.apply('O', FIRST, 0, set(1, 'a'))
    other.apply('P', FIRST, 0, set(1, 'a'))
    expect(one.digest(everyone)).not.toEqual(other.digest(everyone))
  })

  test('does not know an owner that has not written anything', () => {
    const logs = new LogSet()
    logs.logFor('O', FIRST, 0)
    expect(logs.digest(everyone)).toEqual(new LogSet().digest(everyone))
  })
})

describe('the version vector of a set', () => {
  test('has a row for every owner asked for, and for no other', () => {
    const logs = new LogSet()
    for (const owner of ['O', 'P']) for (const seq of [1, 3]) logs.apply(owner, FIRST, 0, set(seq, 'a'))
    const rows = logs.versionRows(['O', 'Q'])
    expect(rows.map(({ owner, id, contiguous, ranges }) => [owner, id, contiguous, ranges.pairs])).toEqual([
      ['O', FIRST, 1, [3, 3]],
      ['Q', NO_EPOCH, 0, []],
    ])
  })

  test('is a snapshot, and names the lowest ranges only', () => {
    const logs = new LogSet({ limits: { ...LOG_LIMITS, rowRanges: 2 } })
    for (const seq of [3, 5, 7]) logs.apply('O', FIRST, 0, set(seq, 'a'))
    const [row] = logs.versionRows(['O'])
    for (const seq of [1, 2, 4]) logs.apply('O', FIRST, 0, set(seq, 'a'))
    expect(row).toMatchObject({ contiguous: 0 })
    expect(row!.ranges.pairs).toEqual([3, 3, 5, 5])
  })
})
