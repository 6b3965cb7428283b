import { describe, expect, test } from 'vitest'
import { LOG_LIMITS, MAX_DELS, MAX_RANGES, MAX_TOMBS, OwnerLog } from '../../src/network-state/owner-log.ts'
import { Ranges } from '../../src/network-state/ranges.ts'
import { del, op, print, set } from './oracle.ts'

const id = { time: 1, nonce: 1 }

function logOf(ops = '', limits: Partial<typeof LOG_LIMITS> = {}): OwnerLog {
  const log = new OwnerLog('O', id, 0, { limits: { ...LOG_LIMITS, ...limits } })
  for (const text of ops.split(' ').filter(Boolean)) log.apply(op(text))
  return log
}

const NOTHING = { contiguous: 0, ranges: Ranges.none(), alive: undefined }

describe('the kernel', () => {
  test('an operation is new once, and a duplicate from then on, below the line and above', () => {
    const log = logOf()
    expect([log.apply(set(1, 'a')), log.apply(set(1, 'a'))]).toEqual(['new', 'duplicate'])
    expect([log.apply(set(5, 'b')), log.apply(set(5, 'b'))]).toEqual(['new', 'duplicate'])
    expect(log.apply(set(4, 'b'))).toBe('new')
  })

  test('the highest number of a key wins in any order of arrival', () => {
    for (const ops of ['a@1 a@2 a@3', 'a@3 a@2 a@1', 'a@2 a@3 a@1']) {
      const log = logOf(ops)
      expect(log.live.get('a')!.seq).toBe(3)
      expect(log.contiguous).toBe(3)
    }
  })

  test('the contiguous line moves over ranges that it reaches', () => {
    const log = logOf('a@2 b@3 c@5')
    expect([log.contiguous, log.ranges.pairs]).toEqual([0, [2, 3, 5, 5]])
    log.apply(set(1, 'd'))
    expect([log.contiguous, log.ranges.pairs]).toEqual([3, [5, 5]])
    log.apply(set(4, 'e'))
    expect([log.contiguous, log.ranges.pairs]).toEqual([5, []])
  })

  test('a delete that comes before its set leaves a tombstone, so that the entry never shows', () => {
    const log = logOf('-a@2')
    expect(log.tombs.size).toBe(1)
    log.apply(set(1, 'a'))
    expect(log.entry('a')).toBeUndefined()
    expect(log.tombs.size).toBe(0)
  })

  test('a delete below the contiguous line cannot be undone by a late event', () => {
    const log = logOf('a@1 -a@2')
    expect(log.tombs.size).toBe(0)
    expect(log.apply(set(1, 'a'))).toBe('duplicate')
    expect(log.entry('a')).toBeUndefined()
  })

  test('a set overtakes a tombstone of a lower number only', () => {
    expect(logOf('-a@5 a@4').entry('a')).toBeUndefined()
    expect(logOf('-a@5 a@6').entry('a')!.seq).toBe(6)
    expect(logOf('-a@5 a@6').tombs.size).toBe(0)
  })

  test('an empty value is a value', () => {
    const log = logOf('a@1')
    expect(log.entry('a')!.value).toHaveLength(0)
  })

  test('deletes pass into the delete log in the order of their numbers when the line passes them', () => {
    const log = logOf('-c@4 -a@2 -b@3 -d@6')
    log.apply(set(1, 'x'))
    expect(log.dels.map(print)).toEqual(['-a@2', '-b@3', '-c@4'])
    expect([...log.tombs.keys()]).toEqual(['d'])
    log.apply(set(5, 'y'))
    expect(log.dels.map(print)).toEqual(['-a@2', '-b@3', '-c@4', '-d@6'])
  })

  test('a full delete log drops its oldest deletes and raises its floor', () => {
    const log = logOf('a@1 -a@2 -b@3 -c@4', { dels: 2 })
    expect(log.dels.map(print)).toEqual(['-b@3', '-c@4'])
    expect(log.floor).toBe(3)
  })
})

describe('bounds', () => {
  test('an event that would open one range too many is refused and leaves nothing behind', () => {
    const log = logOf()
    for (let i = 1; i <= MAX_RANGES; i++) expect(log.apply(set(2 * i, `k${i}`))).toBe('new')
    const hash = log.hash
    const beyond = 2 * MAX_RANGES + 2
    expect(log.apply(set(beyond, 'late'))).toBe('refused')
    expect(log.apply(del(beyond, 'k1'))).toBe('refused')
    expect([log.knows(beyond), log.entry('late'), log.entry('k1')?.seq, log.hash]).toEqual([
      false,
      undefined,
      2,
      hash,
    ])
  })

  test('with all ranges open, what continues one or closes a gap is still taken', () => {
    const log = logOf('a@2 b@5', { ranges: 2 })
    expect(log.apply(set(8, 'c'))).toBe('refused')
    expect(log.apply(set(6, 'd'))).toBe('new')
    expect(log.apply(set(4, 'e'))).toBe('new')
    expect(log.apply(set(1, 'f'))).toBe('new')
    expect(log.ranges.pairs).toEqual([4, 6])
    expect(log.apply(set(8, 'c'))).toBe('new')
  })

  test('a delete that would make one tombstone too many is refused; a set, or one that needs none, is not', () => {
    const log = logOf()
    for (let i = 1; i <= MAX_TOMBS; i++) log.apply(del(1 + i, `k${i}`))
    expect(log.tombs.size).toBe(MAX_TOMBS)
    const next = MAX_TOMBS + 2
    expect(log.apply(del(next, 'late'))).toBe('refused')
    expect(log.knows(next)).toBe(false)
    expect(log.apply(del(next, 'k1'))).toBe('new')
    expect(log.apply(set(next + 1, 'late'))).toBe('new')
    expect(log.apply(del(1, 'first'))).toBe('new')
    expect(log.tombs.size).toBe(0)
    expect(log.dels).toHaveLength(MAX_DELS)
  })

  test('an operation refused once is taken when it comes again and there is room', () => {
    const log = logOf('a@2', { ranges: 1 })
    expect(log.apply(set(4, 'b'))).toBe('refused')
    log.apply(set(1, 'c'))
    expect(log.apply(set(4, 'b'))).toBe('new')
  })
})

describe('joining what another replica knows', () => {
  test('adds its numbers, and nothing else if it has nothing to add', () => {
    const log = logOf('a@1 b@4')
    const hash = log.hash
    expect(log.join(NOTHING)).toBe(true)
    expect(log.hash).toEqual(hash)
    log.join({ contiguous: 2, ranges: Ranges.parse([6, 7])!, alive: undefined })
    expect([log.contiguous, log.ranges.pairs]).toEqual([2, [4, 4, 6, 7]])
    log.join({ contiguous: 3, ranges: Ranges.none(), alive: undefined })
    expect([log.contiguous, log.ranges.pairs]).toEqual([4, [6, 7]])
  })

  test('a list of what is alive says nothing about a log that is as far', () => {
    const log = logOf('a@1 b@2')
    log.join({ contiguous: 2, ranges: Ranges.none(), alive: Ranges.none() })
    expect([...log.live.keys()]).toEqual(['a', 'b'])
    expect(log.floor).toBe(1)
  })
})

describe('the hash', () => {
  const hashOf = (ops: string, owner = 'O', epoch = id): string => {
    const log = new OwnerLog(owner, epoch, 0)
    for (const text of ops.split(' ').filter(Boolean)) log.apply(op(text))
    return JSON.stringify(log.hash)
  }

  test('stands for owner, epoch and known numbers, and for nothing else', () => {
    expect(hashOf('a@1 b@2')).toBe(hashOf('b@2 c@1'))
    const others = [
      hashOf('a@1'),
      hashOf('a@1 b@2'),
      hashOf('a@2'),
      hashOf('a@1 b@3'),
      hashOf('a@1 b@3 c@4'),
      hashOf('a@1 b@3 c@5'),
      hashOf('a@1', 'P'),
      hashOf('a@1', 'O', { time: 2, nonce: 1 }),
      hashOf('a@1', 'O', { time: 1, nonce: 2 }),
    ]
    expect(new Set(others).size).toBe(others.length)
  })

  test('has two halves that differ', () => {
    const { high, low } = logOf('a@1').hash
    expect(high).not.toBe(low)
  })

  test('is zero while nothing is known, as if there were no log', () => {
    const log = logOf()
    expect(log.hash).toEqual({ high: 0, low: 0 })
    log.join(NOTHING)
    expect(log.hash).toEqual({ high: 0, low: 0 })
  })

  test('follows every change, whether or not it was asked for before', () => {
    const asked = logOf()
    const fresh = logOf()
    for (const item of [set(1, 'a'), set(3, 'b'), del(2, 'a')]) {
      asked.apply(item)
      void asked.hash
      fresh.apply(item)
    }
    expect(asked.hash).toEqual(fresh.hash)
    const commit = { contiguous: 7, ranges: Ranges.none(), alive: undefined }
    asked.join(commit)
    fresh.join(commit)
    expect(asked.hash).toEqual(fresh.hash)
  })
})

describe('the shadow of the previous epoch', () => {
  const shadowed = (base: number): OwnerLog => {
    return new OwnerLog('O', { time: 2, nonce: 1 }, base, {
      shadow: new Map([set(7, 'a'), set(8, 'b'), set(9, 'c')].map((item) => [item.key, item])),
    })
  }
  const visible = (log: OwnerLog): string[] => [...log.entries()].map(print).sort()

  test('counts for keys that the new epoch has not touched', () => {
    const log = shadowed(3)
    log.apply(set(2, 'b'))
    log.apply(del(4, 'c'))
    expect(visible(log)).toEqual(['a@7', 'b@2'])
    expect([log.entry('a')?.seq, log.entry('b')?.seq, log.entry('c')]).toEqual([7, 2, undefined])
  })

  test('is gone in the step that completes the opening snapshot', () => {
    const log = shadowed(2)
    log.apply(set(2, 'b'))
    expect(visible(log)).toEqual(['a@7', 'b@2', 'c@9'])
    log.apply(set(1, 'd'))
    expect(visible(log)).toEqual(['b@2', 'd@1'])
    expect(log.shadow).toBeUndefined()
  })

  test('is gone when a commit completes the opening snapshot', () => {
    const log = shadowed(2)
    log.join({ contiguous: 2, ranges: Ranges.none(), alive: undefined }, [set(1, 'b')])
    expect(visible(log)).toEqual(['b@1'])
  })

  test('is not kept for an epoch that begins cold', () => {
    expect(visible(shadowed(0))).toEqual([])
  })

  test('can be dropped when the opening snapshot never completes', () => {
    const log = shadowed(3)
    log.apply(set(3, 'c'))
    log.dropShadow()
    log.dropShadow()
    expect(visible(log)).toEqual(['c@3'])
  })

  test('neither counts in the hash nor among the live entries', () => {
    const log = shadowed(3)
    expect(log.hash).toEqual({ high: 0, low: 0 })
    expect(log.live.size).toBe(0)
  })
})

describe('the listener', () => {
  const listening = (base = 0, shadow = new Map<string, ReturnType<typeof set>>()) => {
    const heard: string[] = []
    const log = new OwnerLog('O', id, base, {
      shadow,
      listener: (log, key) => heard.push(`${key}=${log.entry(key)?.seq ?? 'gone'} at ${log.contiguous}`),
    })
    return { log, take: () => heard.splice(0) }
  }

  test('hears of a set and a delete once the log is consistent, and of nothing else', () => {
    const { log, take } = listening()
    log.apply(set(1, 'a'))
    log.apply(set(1, 'a'))
    expect(take()).toEqual(['a=1 at 1'])
    log.apply(set(3, 'a'))
    log.apply(set(2, 'a'))
    expect(take()).toEqual(['a=3 at 1'])
    log.apply(del(4, 'a'))
    expect(take()).toEqual(['a=gone at 4'])
  })

  test('hears of what a full commit removes and adds, after the whole of it', () => {
    const { log, take } = listening()
    for (const item of [set(1, 'a'), set(2, 'b')]) log.apply(item)
    take()
    log.join({ contiguous: 5, ranges: Ranges.none(), alive: Ranges.parse([2, 2, 4, 4]) }, [set(4, 'c')])
    expect(take().sort()).toEqual(['a=gone at 5', 'c=4 at 5'])
  })

  test('hears of what goes with the shadow', () => {
    const shadow = new Map([set(7, 'a'), set(8, 'b'), set(9, 'c')].map((item) => [item.key, item]))
    const { log, take } = listening(2, shadow)
    log.apply(set(2, 'b'))
    expect(take()).toEqual(['b=2 at 0'])
    log.apply(set(1, 'd'))
    expect(take()).toEqual(['d=1 at 2', 'a=gone at 2', 'c=gone at 2'])
  })

  test('hears of what goes with the shadow when a commit, or the caller, ends it', () => {
    const shadow = () => new Map([set(7, 'a'), set(8, 'b')].map((item) => [item.key, item]))
    const joined = listening(2, shadow())
    joined.log.join({ contiguous: 2, ranges: Ranges.none(), alive: undefined }, [set(1, 'b')])
    expect(joined.take()).toEqual(['b=1 at 2', 'a=gone at 2'])
    const dropped = listening(2, shadow())
    dropped.log.dropShadow()
    expect(dropped.take()).toEqual(['a=gone at 0', 'b=gone at 0'])
  })

  test('hears nothing any more of a log that was retired', () => {
    const { log, take } = listening()
    log.apply(set(1, 'a'))
    take()
    expect([...log.retire().keys()]).toEqual(['a'])
    expect([...log.entries()]).toEqual([])
    log.apply(set(2, 'b'))
    expect(take()).toEqual([])
  })
})
