import { describe, expect, test } from 'vitest'
import { LogSet } from '../../src/network-state/log-set.ts'
import { buildStream, LogIntake } from '../../src/network-state/log-transfer.ts'
import { OwnLog } from '../../src/network-state/own-log.ts'
import { LOG_LIMITS, OwnerLog } from '../../src/network-state/owner-log.ts'
import { Ranges } from '../../src/network-state/ranges.ts'
import { NO_EPOCH } from '../../src/wire/epoch.ts'
import { del, op, print, set } from './oracle.ts'
import { Trace } from './trace.ts'

const NO_DELS = { dels: 0 }

describe('a transfer, step by step where a simpler one went wrong:', () => {
  test('a tombstone above the contiguous line travels, so that no replica keeps the entry', () => {
    const trace = new Trace().run('set a@1; del a@2; a@1->A; a@2->B; sync(A,B)')
    expect(trace.live('A')).toEqual([])
    expect(trace.live('B')).toEqual([])
    expect(trace.agree('A', 'B')).toBe(true)
  })

  test.each(['set a@1; set a@2; a@2->A; sync(A,B)', 'sync(O,A); set a@1; set a@2; a@2->A; sync(A,B)'])(
    'an entry above the contiguous line travels: %s',
    (steps) => {
      const trace = new Trace().run(steps)
      expect(trace.live('B')).toEqual(['a@2'])
      expect(trace.log('B').contiguous).toBe(0)
    },
  )

  test('ranges count in the digest, so that replicas differ as long as their entries do', () => {
    const trace = new Trace().run('sync(O,A); set a@1; set a@2; a@2->B')
    expect(trace.agree('A', 'B')).toBe(false)
    expect(trace.run('sync(A,B)').agree('A', 'B')).toBe(true)
  })

  test('a commit carries the ranges, so that numbers without an entry become known', () => {
    const trace = new Trace().run('set a@1; set a@2; set a@3; a@2->A; a@3->A; a@3->B')
    expect(trace.agree('A', 'B')).toBe(false)
    expect(trace.run('sync(A,B)').agree('A', 'B')).toBe(true)
    expect(trace.log('B').ranges.pairs).toEqual([2, 3])
  })

  test("a commit covers the sender's own contiguous line, not the highest number sent", () => {
    const trace = new Trace().run('set a@1; set b@2; b@2->A; sync(A,B)')
    expect(trace.log('B').contiguous).toBe(0)
    expect(trace.run('sync(O,B)').live('B')).toEqual(['a@1', 'b@2'])
  })

  test('after a full transfer the deletes behind it are served to nobody singly', () => {
    const trace = new Trace(NO_DELS).run('set a@1; del a@2; a@1->A; sync(O,B); sync(A,B)')
    expect(trace.live('A')).toEqual([])
    expect(trace.log('A').contiguous).toBe(2)
  })

  test('items that arrive in ascending order do not move the contiguous line', () => {
    const trace = new Trace().run('set a@1; set b@2; set a@3; a@1->A; stream O->B; frame; cut')
    expect(trace.live('B')).toEqual(['b@2'])
    expect(trace.log('B').contiguous).toBe(0)
  })

  test('what a cut stream brought stays, and is not sent again', () => {
    const trace = new Trace().run(
      'set a@1; set a@2; set b@3; set c@4; set d@5; stream O->B; frame; frame; cut',
    )
    expect(trace.live('B')).toEqual(['a@2', 'b@3'])
    trace.run('stream O->B')
    expect(trace.stream.items.map(print)).toEqual(['c@4', 'd@5'])
    expect(trace.run('commit').agree('O', 'B')).toBe(true)
  })

  test('a stream is what its sender had when it was built, whatever the sender does while it is sent', () => {
    const trace = new Trace().run('set a@1; a@1->A; stream O->B; del a@2; commit')
    expect(trace.log('B').contiguous).toBe(1)
    expect(trace.live('B')).toEqual(trace.live('A'))
  })

  test('an item of a stream that was deleted meanwhile does not come back', () => {
    const trace = new Trace().run('set a@1; stream O->A; del a@2; a@1->A; a@2->A; frame')
    expect(trace.live('A')).toEqual([])
    expect(trace.log('A').tombs.size).toBe(0)
    expect(trace.run('commit; sync(O,A)').live('A')).toEqual([])
  })

  test('a stream whose log was forgotten after its first item is discarded, commit included', () => {
    const trace = new Trace().run('set a@1; stream O->A; frame; forget A; commit; sync(O,A)')
    expect(trace.live('A')).toEqual(['a@1'])
  })

  test('a stream that builds on a log forgotten before its first frame is discarded', () => {
    const trace = new Trace().run('set a@1; set a@2; a@2->A; stream O->A; forget A; commit')
    expect(() => trace.log('A')).toThrow('no log')
    expect(trace.run('sync(O,A)').live('A')).toEqual(['a@2'])
  })

  test('a stream that builds on a log forgotten and begun anew is discarded', () => {
    const trace = new Trace().run('set a@1; set a@2; set b@3; a@2->A; stream O->A; forget A; b@3->A; commit')
    expect(trace.live('A')).toEqual(['b@3'])
    expect(trace.log('A').contiguous).toBe(0)
  })

  test('a full transfer removes only what its sender could know of', () => {
    const trace = new Trace(NO_DELS).run('set a@1; del a@2; sync(O,A); set a@3; a@3->B; sync(A,B)')
    expect(trace.live('B')).toEqual(['a@3'])
    expect(trace.live('A')).toEqual(['a@3'])
  })

  test('two full transfers of one log at once do not undo each other', () => {
    const trace = new Trace(NO_DELS).run('set a@1; set b@2; set c@3; del c@4; c@3->A; sync(O,B)')
    trace.run('stream O->A; frame; stream B->A; frame 2; frame; frame 2; commit; commit')
    expect(trace.live('A')).toEqual(['a@1', 'b@2'])
  })

  test('a stale commit is harmless', () => {
    const trace = new Trace(NO_DELS).run(
      'set a@1; del a@2; set b@3; stream O->A; set a@4; del b@5; sync(O,A); commit',
    )
    expect(trace.live('A')).toEqual(['a@4'])
    expect(trace.log('A').contiguous).toBe(5)
  })
})

describe('what is sent', () => {
  const id = { time: 1, nonce: 1 }
  const row = (contiguous: number, pairs: number[] = [], epoch = id) => {
    return { owner: 'O', id: epoch, contiguous, ranges: Ranges.parse(pairs)! }
  }
  const logOf = (ops: string, dels = 1024): OwnerLog => {
    const log = new OwnerLog('O', id, 0, { limits: { ...LOG_LIMITS, dels } })
    for (const text of ops.split(' ')) log.apply(op(text))
    return log
  }

  test('nothing, to a peer that does not list the owner', () => {
    expect(buildStream(logOf('a@1'), undefined)).toBeUndefined()
  })

  test('everything, to a peer that lists the owner without a log', () => {
    const stream = buildStream(logOf('a@1 b@2'), row(0, [], NO_EPOCH))!
    expect(stream.items.map(print)).toEqual(['a@1', 'b@2'])
    expect(stream).toMatchObject({ owner: 'O', id, base: 0, from: 0 })
  })

  test('nothing, to a peer that knows all of it, by its line or by its ranges', () => {
    expect(buildStream(logOf('a@1 b@2'), row(2))).toBeUndefined()
    expect(buildStream(logOf('a@2 b@4 c@5'), row(2, [4, 7]))).toBeUndefined()
    expect(buildStream(logOf('a@2 b@3 c@4'), row(2, [4, 7]))!.items.map(print)).toEqual(['b@3'])
    expect(buildStream(logOf('a@1 b@2 c@3'), row(0, [2, 3]))!.items.map(print)).toEqual(['a@1'])
  })

  test('nothing, to a peer with a higher epoch; everything, to one with a lower', () => {
    expect(buildStream(logOf('a@1'), row(0, [], { time: 1, nonce: 2 }))).toBeUndefined()
    const stream = buildStream(logOf('a@1'), row(1, [], { time: 1, nonce: 0 }))!
    expect(stream.items.map(print)).toEqual(['a@1'])
    expect(stream.from).toBe(0)
  })

  test('a header alone, to a peer with a lower epoch, when nothing was written in the new one yet', () => {
    const log = new OwnerLog('O', id, 0)
    expect(buildStream(log, row(5, [], { time: 0, nonce: 9 }))!.items).toEqual([])
    expect(buildStream(log, row(0, [], NO_EPOCH))).toBeUndefined()
  })

  test('items ascending, each key once: a delete that was overtaken is left out', () => {
    const stream = buildStream(logOf('a@1 -a@2 b@3 -b@4 a@5 c@7 d@6'), row(1))!
    expect(stream.items.map(print)).toEqual(['-b@4', 'a@5', 'd@6', 'c@7'])
    expect(stream.commit.alive).toBeUndefined()
  })

  test('deletes singly while the delete log reaches back, else the numbers of what is alive', () => {
    const log = logOf('a@1 b@2 -a@3 c@4 -c@5 d@6 e@8', 1)
    expect(log.floor).toBe(4)
    expect(buildStream(log, row(3))!.items.map(print)).toEqual(['-c@5', 'd@6', 'e@8'])
    const full = buildStream(log, row(2))!
    expect(full.items.map(print)).toEqual(['d@6', 'e@8'])
    expect(full.commit.alive!.pairs).toEqual([2, 2, 6, 6])
  })

  test('a snapshot: what the log learns later is not in it', () => {
    const log = logOf('a@1 b@3')
    const stream = buildStream(log, row(0))!
    for (const item of [set(5, 'c'), del(2, 'a')]) log.apply(item)
    expect(stream.items.map(print)).toEqual(['a@1', 'b@3'])
    expect([stream.commit.contiguous, stream.commit.ranges.pairs]).toEqual([1, [3, 3]])
  })

  test('no list of what is alive to a peer whose line is as far, however old its ranges', () => {
    const log = logOf('a@1 -a@2 b@5', 0)
    expect(buildStream(log, row(2))!.commit.alive).toBeUndefined()
  })
})

describe('what is taken in', () => {
  const id = { time: 1, nonce: 1 }
  const header = { owner: 'O', id, base: 0, from: 0 }

  test('no stream of an owner that was not asked for', () => {
    expect(new LogIntake(new LogSet(), ['P']).open(header)).toBeUndefined()
  })

  test('no stream of a stale epoch', () => {
    const logs = new LogSet()
    logs.apply('O', { time: 2, nonce: 0 }, 0, set(1, 'a'))
    expect(new LogIntake(logs, ['O']).open(header)).toBeUndefined()
  })

  test("no stream of this node's own log", () => {
    const logs = new LogSet()
    new OwnLog(logs, 'O', id, false)
    expect(new LogIntake(logs, ['O']).open(header)).toBeUndefined()
    expect(new LogIntake(logs, ['O']).open({ ...header, id: { time: 9, nonce: 9 } })).toBeUndefined()
  })

  test('no stream of this node that it asked for before it opened its log', () => {
    const logs = new LogSet()
    logs.apply('O', id, 0, set(1, 'a'))
    const intake = new LogIntake(logs, ['O'])
    const receiver = intake.open(header)!
    new OwnLog(logs, 'O', id, true)
    expect(intake.open(header)).toBeUndefined()
    expect(receiver.item(set(2, 'b'))).toBe('discarded')
    expect(receiver.commit({ contiguous: 9, ranges: Ranges.none(), alive: undefined })).toBe('discarded')
    expect([...logs.get('O')!.live.keys()]).toEqual(['a'])
  })

  test('no stream to a log that has been forgotten', () => {
    const logs = new LogSet()
    logs.apply('O', id, 0, set(1, 'a'))
    const intake = new LogIntake(logs, ['O'])
    logs.forget('O')
    expect(intake.open(header)).toBeUndefined()
  })

  test('no commit that builds on more than the log has', () => {
    const logs = new LogSet()
    logs.apply('O', id, 0, set(1, 'a'))
    const receiver = new LogIntake(logs, ['O']).open({ ...header, from: 2 })!
    expect(receiver.commit({ contiguous: 3, ranges: Ranges.none(), alive: undefined })).toBe('discarded')
    expect(logs.get('O')!.contiguous).toBe(1)
  })

  test('items that would open too many ranges wait for the commit, and count from then on', () => {
    const logs = new LogSet({ limits: { ...LOG_LIMITS, rowRanges: 2 } })
    const receiver = new LogIntake(logs, ['O']).open(header)!
    const results = [2, 4, 6, 7, 5, 8, 1].map((seq) => receiver.item(set(seq, `k${seq}`)))
    expect(results).toEqual(['new', 'new', 'held', 'held', 'new', 'held', 'new'])
    expect(receiver.held).toBe(3)
    const log = logs.get('O')!
    expect([...log.live.keys()].sort()).toEqual(['k1', 'k2', 'k4', 'k5'])
    expect(receiver.commit({ contiguous: 6, ranges: Ranges.parse([8, 8])!, alive: undefined })).toBe('joined')
    expect(receiver.held).toBe(0)
    expect(log.contiguous).toBe(6)
    expect(log.ranges.pairs).toEqual([8, 8])
    // The commit did not cover operation 7, so it is as if it had never been sent.
    expect(log.live.has('k7')).toBe(false)
    expect(log.live.has('k8')).toBe(true)
  })

  test('an operation that arrives while an older one of its key waits is not overwritten', () => {
    const logs = new LogSet({ limits: { ...LOG_LIMITS, rowRanges: 1 } })
    const receiver = new LogIntake(logs, ['O']).open(header)!
    receiver.item(set(2, 'a'))
    expect(receiver.item(set(4, 'b'))).toBe('held')
    logs.apply('O', id, 0, set(5, 'b'))
    receiver.commit({ contiguous: 4, ranges: Ranges.none(), alive: undefined })
    expect(logs.get('O')!.live.get('b')!.seq).toBe(5)
  })

  test('an item that waited and came by gossip meanwhile is not put in a second time', () => {
    const logs = new LogSet({ limits: { ...LOG_LIMITS, rowRanges: 1 } })
    const receiver = new LogIntake(logs, ['O']).open(header)!
    receiver.item(set(2, 'a'))
    expect(receiver.item(set(4, 'b'))).toBe('held')
    for (const item of [set(1, 'x'), set(3, 'y'), set(4, 'b'), del(5, 'b')]) logs.apply('O', id, 0, item)
    receiver.commit({ contiguous: 4, ranges: Ranges.none(), alive: undefined })
    expect(logs.get('O')!.entry('b')).toBeUndefined()
  })

  test('a commit beyond the bounds is refused as a whole, one from the owner never', () => {
    const trace = new Trace({ dels: 0, ranges: 1, joinedRanges: 1, tombs: 1, joinedTombs: 1, rowRanges: 1 })
    trace.run('set a@1; set b@2; set c@3; set d@4; set e@5; b@2->A; d@4->B')
    const before = [trace.live('A'), trace.live('B')]
    trace.run('sync(A,B)')
    expect([trace.live('A'), trace.live('B')]).toEqual(before)
    expect(trace.log('A').ranges.pairs).toEqual([2, 2])
    expect(trace.run('sync(O,A); sync(O,B)').agree('O', 'A', 'B')).toBe(true)
  })

  test('tombstones beyond the bound make a commit refused, not a log that forgets deletes', () => {
    const trace = new Trace({ tombs: 2, joinedTombs: 2 })
    trace.run(
      'set a@1; set a@2; del a@3; del b@4; del c@5; del d@6; a@3->A; b@4->A; c@5->B; d@6->B; sync(A,B)',
    )
    expect(trace.log('A').tombs.size).toBe(2)
    expect(trace.log('A').ranges.pairs).toEqual([3, 4])
    expect(trace.run('sync(O,A); sync(O,B)').agree('O', 'A', 'B')).toBe(true)
  })

  test('a full transfer over an entry that was deleted and one that moved on', () => {
    const logs = new LogSet()
    for (const item of [set(1, 'a'), set(2, 'b'), set(6, 'b'), del(7, 'c')]) logs.apply('O', id, 0, item)
    const receiver = new LogIntake(logs, ['O']).open({ ...header, from: 2 })!
    receiver.item(set(4, 'd'))
    receiver.commit({ contiguous: 5, ranges: Ranges.none(), alive: Ranges.parse([4, 4]) })
    const log = logs.get('O')!
    expect([...log.live.values()].map(print)).toEqual(['b@6', 'd@4'])
    expect(log.contiguous).toBe(7)
    expect(log.floor).toBe(6)
    expect(log.dels.map(print)).toEqual(['-c@7'])
  })
})
