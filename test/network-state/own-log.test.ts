import { describe, expect, test } from 'vitest'
import { LogSet } from '../../src/network-state/log-set.ts'
import { OwnLog } from '../../src/network-state/own-log.ts'
import type { Item, OwnerLog } from '../../src/network-state/owner-log.ts'
import { Ranges } from '../../src/network-state/ranges.ts'
import { compareEpochs } from '../../src/wire/epoch.ts'
import { del, print, set } from './oracle.ts'

const FIRST = { time: 10, nonce: 5 }
const VALUE = Uint8Array.of(1)

function withLife(items: readonly Item[], base = 0): LogSet {
  const logs = new LogSet()
  for (const item of items) logs.apply('O', FIRST, base, item)
  return logs
}

function inOrder(log: OwnerLog): string[] {
  return [...log.live.values()]
    .sort((a, b) => a.seq - b.seq)
    .map((item) => `${print(item)} stamp ${item.stamp}`)
}

describe('an own log', () => {
  test('numbers its operations from 1 without a gap', () => {
    const own = new OwnLog(new LogSet(), 'O', FIRST, true)
    const items = [own.write('a', VALUE, 100), own.write('b', VALUE, 101), own.write('a', undefined, 102)]
    expect(items.map(print)).toEqual(['a@1', 'b@2', '-a@3'])
    expect([own.log.contiguous, own.log.base]).toEqual([3, 0])
    expect(inOrder(own.log)).toEqual(['b@2 stamp 101'])
  })

  test('inherits an earlier life as its opening snapshot: in the old order, with the old stamps', () => {
    const logs = withLife([set(1, 'b', 30), set(2, 'a', 20), set(5, 'b', 10), del(4, 'c'), set(7, 'd', 40)])
    const own = new OwnLog(logs, 'O', { time: 11, nonce: 6 }, true)
    expect(inOrder(own.log)).toEqual(['a@1 stamp 20', 'b@2 stamp 10', 'd@3 stamp 40'])
    expect([own.log.base, own.log.contiguous, own.id]).toEqual([3, 3, { time: 11, nonce: 6 }])
  })

  test('inherits what the earlier life had still in its shadow', () => {
    const logs = withLife([set(1, 'a', 1), set(2, 'b', 2), set(3, 'c', 3)])
    logs.apply('O', { time: 12, nonce: 0 }, 3, set(2, 'b', 2))
    logs.apply('O', { time: 12, nonce: 0 }, 3, del(4, 'c', 4))
    const own = new OwnLog(logs, 'O', { time: 13, nonce: 6 }, true)
    expect(inOrder(own.log)).toEqual(['a@1 stamp 1', 'b@2 stamp 2'])
  })

  test('starts cold where it is not to inherit', () => {
    const own = new OwnLog(withLife([set(1, 'a')]), 'O', { time: 11, nonce: 6 }, false)
    expect([own.log.base, own.log.live.size]).toEqual([0, 0])
  })

  test('opens above the life that it finds, whatever the clock says', () => {
    for (const id of [FIRST, { time: 10, nonce: 4 }, { time: 3, nonce: 6 }]) {
      const own = new OwnLog(withLife([set(1, 'a')]), 'O', id, true)
      expect(own.id).toEqual({ time: 11, nonce: id.nonce })
    }
  })

  test('tells a row or an event that cannot be of its own writing', () => {
    const own = new OwnLog(new LogSet(), 'O', FIRST, false)
    own.write('a', VALUE, 1)
    own.write('b', VALUE, 2)
    const row = (contiguous: number, pairs: number[] = [], id = FIRST) => {
      return own.conflict({ id, contiguous, ranges: Ranges.parse(pairs)! })
    }
    expect([row(2), row(0, [2, 2]), row(0), row(9, [], { time: 10, nonce: 4 })]).toEqual([
      false,
      false,
      false,
      false,
    ])
    expect([row(3), row(0, [2, 3]), row(0, [], { time: 10, nonce: 6 })]).toEqual([true, true, true])
    expect([own.conflictsWith(FIRST, 2), own.conflictsWith(FIRST, 3)]).toEqual([false, true])
    expect(own.conflictsWith({ time: 11, nonce: 0 }, 1)).toBe(true)
  })

  test('two lives that begin in the same millisecond are two: nowhere do their operations mix', () => {
    const first = new OwnLog(new LogSet(), 'O', { time: 10, nonce: 5 }, false)
    const second = new OwnLog(new LogSet(), 'O', { time: 10, nonce: 6 }, false)
    const [a, b] = [first.write('a', VALUE, 1), second.write('b', VALUE, 1)]
    const one = new LogSet()
    const other = new LogSet()
    one.apply('O', first.id, 0, a)
    other.apply('O', second.id, 0, b)
    expect(one.digest(() => true)).not.toEqual(other.digest(() => true))
    expect(first.conflictsWith(second.id, b.seq)).toBe(true)
    for (const logs of [one, other]) {
      logs.apply('O', second.id, 0, b)
      logs.apply('O', first.id, 0, a)
      expect([...logs.get('O')!.live.keys()]).toEqual(['b'])
    }
  })

  test('a bump goes above what was seen and keeps order, values and stamps', () => {
    const own = new OwnLog(new LogSet(), 'O', FIRST, false)
    own.write('b', VALUE, 30)
    own.write('a', VALUE, 20)
    own.write('c', VALUE, 25)
    own.write('c', undefined, 26)
    const seen = { time: 99, nonce: 7 }
    own.bump(seen)
    expect(own.id).toEqual({ time: 100, nonce: 5 })
    expect(compareEpochs(own.id, seen)).toBeGreaterThan(0)
    expect(inOrder(own.log)).toEqual(['b@1 stamp 30', 'a@2 stamp 20'])
    expect(own.log.base).toBe(2)
    own.bump({ time: 1, nonce: 1 })
    expect(own.id).toEqual({ time: 101, nonce: 5 })
    expect(print(own.write('d', VALUE, 40))).toBe('d@3')
  })

  test('an owner that was mute because its clock went back is heard after a bump', () => {
    const replica = withLife([set(1, 'a')])
    const own = new OwnLog(new LogSet(), 'O', { time: 4, nonce: 1 }, false)
    const item = own.write('b', VALUE, 1)
    expect(replica.apply('O', own.id, own.log.base, item)).toBe('stale')
    const [row] = replica.versionRows(['O'])
    expect(own.conflict(row!)).toBe(true)
    own.bump(row!.id)
    for (const again of own.log.entries()) replica.apply('O', own.id, own.log.base, again)
    expect([...replica.get('O')!.live.keys()]).toEqual(['b'])
  })

  test('no entry is missing for its own node while it opens or bumps', () => {
    const missing: string[] = []
    const logs = new LogSet({ listener: (log, key) => logs.get(log.owner)?.entry(key) ?? missing.push(key) })
    for (const item of [set(1, 'a'), set(2, 'b')]) logs.apply('O', FIRST, 0, item)
    const own = new OwnLog(logs, 'O', { time: 11, nonce: 6 }, true)
    own.bump(own.id)
    expect(missing).toEqual([])
    expect(logs.get('O')).toBe(own.log)
  })
})
