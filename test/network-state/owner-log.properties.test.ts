import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LogSet } from '../../src/network-state/log-set.ts'
import { buildStream, LogIntake } from '../../src/network-state/log-transfer.ts'
import { type Item, LOG_LIMITS, OwnerLog } from '../../src/network-state/owner-log.ts'
import { del, known, set, state, violation } from './oracle.ts'

/** How a replica got to know what it knows. Numbers are taken modulo what there is. */
type Deed =
  | { readonly kind: 'event'; readonly seq: number }
  /** A stream from the owner as it was after `until` operations, of which `frames` arrive. */
  | { readonly kind: 'stream'; readonly until: number; readonly frames: number; readonly dels: number }

interface Life {
  readonly history: readonly Item[]
  readonly epoch: number
}

const RUNS = { numRuns: 400 }

const history: fc.Arbitrary<readonly Item[]> = fc
  .array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.boolean()), { minLength: 1, maxLength: 14 })
  .map((ops) => ops.map(([key, remove], index) => (remove ? del(index + 1, key) : set(index + 1, key))))

const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('event' as const), seq: fc.nat(20) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('stream' as const),
      until: fc.nat(20),
      frames: fc.nat(20),
      dels: fc.nat(3),
    }),
  },
)

const deeds = fc.array(deed, { maxLength: 12 })
const dels = fc.nat(3)

function idOf(epoch: number): { time: number; nonce: number } {
  return { time: epoch, nonce: 0 }
}

function ownersLog({ history, epoch }: Life, until: number, dels: number): OwnerLog {
  const log = new OwnerLog('O', idOf(epoch), 0, { limits: { ...LOG_LIMITS, dels } })
  for (const item of history.slice(0, until)) log.apply(item)
  return log
}

/** Receives what `log` has for the set, or the first frames of it. */
function receive(logs: LogSet, log: OwnerLog | undefined, frames = Number.POSITIVE_INFINITY): LogSet {
  const intake = new LogIntake(logs, ['O'])
  const stream = log === undefined ? undefined : buildStream(log, intake.rows[0])
  const receiver = stream === undefined ? undefined : intake.open(stream)
  if (stream === undefined || receiver === undefined) return logs
  for (const item of stream.items.slice(0, frames)) receiver.item(item)
  if (frames > stream.items.length) receiver.commit(stream.commit)
  return logs
}

function does(logs: LogSet, life: Life, act: Deed): void {
  const { length } = life.history
  if (act.kind === 'event') logs.apply('O', idOf(life.epoch), 0, life.history[act.seq % length]!)
  else receive(logs, ownersLog(life, act.until % (length + 1), act.dels), act.frames)
}

/** A replica of the owner's log that got to where it is by these deeds. */
function replica(life: Life, acts: readonly Deed[], dels: number, limits = LOG_LIMITS): LogSet {
  const logs = new LogSet({ limits: { ...limits, dels } })
  for (const act of acts) {
    does(logs, life, act)
    const log = logs.get('O')
    if (log !== undefined) expect(violation(log, life.history)).toBeUndefined()
  }
  return logs
}

/** That an epoch has begun is told apart from its log, by the owner's participation; nothing may have been written in it yet. */
function merge(into: LogSet, from: LogSet): LogSet {
  const log = from.get('O')
  if (log !== undefined) into.logFor('O', log.id, log.base)
  return receive(into, log)
}

function stateOf(logs: LogSet): string {
  return `${state(logs.get('O'))} ${JSON.stringify(logs.digest(() => true))}`
}

describe('an owner log', () => {
  test('is exact after every step: what stands in it is what the known numbers mean', () => {
    const tiny = { ranges: 2, joinedRanges: 3, tombs: 2, joinedTombs: 3, dels: 0, rowRanges: 1 }
    fc.assert(
      fc.property(history, deeds, dels, fc.boolean(), (history, acts, dels, bounded) => {
        replica({ history, epoch: 1 }, acts, dels, bounded ? tiny : LOG_LIMITS)
      }),
      { numRuns: 2000 },
    )
  })

  test('with the same known numbers has the same state and the same digest, however they came', () => {
    fc.assert(
      fc.property(history, deeds, dels, fc.infiniteStream(fc.nat()), (history, acts, dels, random) => {
        const log = replica({ history, epoch: 1 }, acts, dels).get('O')
        if (log === undefined) return
        const items = history.filter(({ seq }) => log.knows(seq))
        const shuffled = items.map((item) => [random.next().value as number, item] as const)
        shuffled.sort(([a], [b]) => a - b)
        const other = new LogSet()
        for (const [, item] of [...shuffled, ...shuffled]) other.apply('O', idOf(1), 0, item)
        expect(state(other.get('O'))).toBe(state(log))
        expect(other.get('O')?.hash ?? { high: 0, low: 0 }).toEqual(log.hash)
      }),
      RUNS,
    )
  })

  test('has equal hashes only at equal known numbers', () => {
    fc.assert(
      fc.property(history, deeds, deeds, (history, one, other) => {
        const logs = [one, other].map((acts) => replica({ history, epoch: 1 }, acts, 1).get('O'))
        const [a, b] = logs
        if (a === undefined || b === undefined) return
        expect(a.hash.high === b.hash.high).toBe(known(a) === known(b))
        expect(a.hash.low === b.hash.low).toBe(known(a) === known(b))
      }),
      RUNS,
    )
  })
})

describe('merging two replicas', () => {
  /** Three replicas, of one or two epochs of the owner; made anew each time, since merging changes them. */
  const replicas = fc
    .record({
      histories: fc.tuple(history, history),
      acts: fc.tuple(deeds, deeds, deeds),
      epochs: fc.tuple(fc.nat(1), fc.nat(1), fc.nat(1)),
      dels: fc.tuple(dels, dels, dels),
    })
    .map(({ histories, acts, epochs, dels }) => (which: 0 | 1 | 2): LogSet => {
      const life = { history: histories[epochs[which] as 0 | 1], epoch: 1 + epochs[which] }
      return replica(life, acts[which], dels[which])
    })

  test('is commutative', () => {
    fc.assert(
      fc.property(replicas, (make) => {
        expect(stateOf(merge(make(0), make(1)))).toBe(stateOf(merge(make(1), make(0))))
      }),
      RUNS,
    )
  })

  test('is associative', () => {
    fc.assert(
      fc.property(replicas, (make) => {
        const left = merge(merge(make(0), make(1)), make(2))
        const right = merge(make(0), merge(make(1), make(2)))
        expect(stateOf(left)).toBe(stateOf(right))
      }),
      RUNS,
    )
  })

  test('is idempotent, and leaves nothing more to send', () => {
    fc.assert(
      fc.property(replicas, (make) => {
        expect(stateOf(merge(make(0), make(0)))).toBe(stateOf(make(0)))
        const merged = merge(make(0), make(1))
        expect(stateOf(merge(merge(make(0), make(1)), make(1)))).toBe(stateOf(merged))
        const [row] = merged.versionRows(['O'])
        const log = make(1).get('O')
        expect(log === undefined ? undefined : buildStream(log, row)).toBeUndefined()
      }),
      RUNS,
    )
  })
})
