import { describe, expect, test } from 'vitest'
import { buildStream, LogIntake, type LogStream } from '../../src/network-state/log-transfer.ts'
import { OwnerLog } from '../../src/network-state/owner-log.ts'
import { Ranges } from '../../src/network-state/ranges.ts'
import { explore, type World } from './small-world.ts'
import type { Fault } from './small-world-replica.ts'

/** Builds streams as the code does, then spoils them. */
function spoil(change: (stream: LogStream) => LogStream | undefined): Fault {
  return {
    build: (log, peer) => {
      const stream = buildStream(log, peer)
      return stream === undefined ? undefined : change(stream)
    },
  }
}

const highest = ({ items, from }: LogStream): number => items.at(-1)?.seq ?? from

/** Keeps the floor of the delete log where a full transfer found it. */
function floorNotRaised(log: OwnerLog): void {
  const floorOf = Object.getOwnPropertyDescriptor(OwnerLog.prototype, 'floor')!.get!
  const actual = (): number => floorOf.call(log) as number
  let raised: number | undefined
  let before = 1
  Object.defineProperty(log, 'floor', { get: () => (actual() === raised ? before : actual()) })
  log.join = (commit, held) => {
    const floor = log.floor
    const lower = log.contiguous < commit.contiguous
    const done = OwnerLog.prototype.join.call(log, commit, held)
    if (done && lower && commit.alive !== undefined) {
      before = floor
      raised = actual()
    }
    return done
  }
}

/** A state that is no function of the known numbers, found in a log or by two logs that differ after a sync. */
const WRONG = /not exact|after a sync/

const SYNCS: World = { ops: 4, keys: 2, limits: { dels: 0 } }
const STREAMS: World = { ops: 3, keys: 2, streams: 1, limits: { dels: 0 } }
const FORGETFUL: World = { ...STREAMS, forget: true }
const EPOCHS: World = { ops: 2, keys: 2, bumps: 1, limits: { dels: 0 } }
const BOUNDED: World = {
  ...SYNCS,
  refuses: true,
  limits: { dels: 0, ranges: 1, joinedRanges: 1, tombs: 1, joinedTombs: 1, rowRanges: 1 },
}

const mutations: readonly {
  readonly mistake: string
  readonly world: World
  readonly rule: RegExp
  readonly fault: Fault
}[] = [
  {
    mistake: 'tombstones do not travel',
    world: SYNCS,
    rule: WRONG,
    fault: spoil((stream) => ({
      ...stream,
      items: stream.items.filter(({ value, seq }) => value !== undefined || seq <= stream.commit.contiguous),
    })),
  },
  {
    mistake: 'entries above the contiguous line do not travel',
    world: SYNCS,
    rule: WRONG,
    fault: spoil((stream) => ({
      ...stream,
      items: stream.items.filter(({ seq }) => seq <= stream.commit.contiguous),
    })),
  },
  {
    mistake: 'being ahead means a higher contiguous line only',
    world: SYNCS,
    rule: WRONG,
    fault: { build: (log, peer) => (log.contiguous > peer.contiguous ? buildStream(log, peer) : undefined) },
  },
  {
    mistake: 'ranges are missing from the commit',
    world: SYNCS,
    rule: WRONG,
    fault: spoil((stream) => ({ ...stream, commit: { ...stream.commit, ranges: Ranges.none() } })),
  },
  {
    mistake: 'the commit covers the highest number sent',
    world: SYNCS,
    rule: WRONG,
    fault: spoil((stream) => ({
      ...stream,
      commit: { ...stream.commit, contiguous: Math.max(stream.commit.contiguous, highest(stream)) },
    })),
  },
  {
    mistake: 'what is alive is never listed',
    world: SYNCS,
    rule: WRONG,
    fault: spoil((stream) => ({ ...stream, commit: { ...stream.commit, alive: undefined } })),
  },
  {
    mistake: 'the floor of the delete log is not raised by a full transfer',
    world: SYNCS,
    rule: /delete log/,
    fault: { log: floorNotRaised },
  },
  {
    mistake: 'items that arrive in ascending order advance the contiguous line',
    world: STREAMS,
    rule: WRONG,
    fault: {
      item: (receiver, log, item) => {
        const result = receiver.item(item)
        log.join({ contiguous: item.seq, ranges: Ranges.none(), alive: undefined })
        return result
      },
    },
  },
  {
    mistake: 'an item of a stream is not checked against the known numbers',
    world: STREAMS,
    rule: WRONG,
    fault: {
      item: (receiver, log, item) => {
        log.knows = () => false
        const result = receiver.item(item)
        Reflect.deleteProperty(log, 'knows')
        return result
      },
    },
  },
  {
    mistake: 'a stream is bound to the log that stands at its first frame',
    world: FORGETFUL,
    rule: WRONG,
    fault: {
      open: (logs, _intake, header) => new LogIntake(logs, [header.owner]).open({ ...header, from: 0 }),
    },
  },
  {
    mistake: 'items that wait for the commit are lost',
    world: BOUNDED,
    rule: WRONG,
    fault: {
      log: (log) => {
        log.join = (commit) => OwnerLog.prototype.join.call(log, commit, [])
      },
    },
  },
  {
    mistake: 'an event that is refused teaches the numbers that it supersedes all the same',
    world: { ...BOUNDED, superseding: true },
    rule: WRONG,
    fault: {
      log: (log) => {
        log.applyLast = (item, superseded) => {
          const result = OwnerLog.prototype.applyLast.call(log, item, superseded)
          const ranges = Ranges.parse(superseded)!
          if (result === 'refused') log.join({ contiguous: 0, ranges, alive: undefined })
          return result
        }
      },
    },
  },
  {
    mistake: 'an event teaches numbers of another key',
    world: { ...SYNCS, superseding: true },
    rule: WRONG,
    fault: {
      log: (log) => {
        log.applyLast = (item, superseded) => {
          const last = superseded.at(-1)
          const ranges = last === undefined ? Ranges.none() : Ranges.parse([superseded[0]!, last])!
          return OwnerLog.prototype.applyLast.call(log, item, ranges.pairs)
        }
      },
    },
  },
  {
    mistake: 'the numbers that an event supersedes are learned in its place',
    world: { ...SYNCS, superseding: true },
    rule: WRONG,
    fault: {
      log: (log) => {
        log.applyLast = (item, superseded) => {
          if (superseded.length === 0) return log.apply(item)
          log.join({ contiguous: 0, ranges: Ranges.parse(superseded)!, alive: undefined })
          return 'new'
        }
      },
    },
  },
  {
    mistake: 'the hash leaves the ranges out',
    world: SYNCS,
    rule: /stands for/,
    fault: {
      log: (log) =>
        Object.defineProperty(log, 'hash', { get: () => ({ high: log.contiguous, low: log.id.time }) }),
    },
  },
  {
    mistake: 'a new epoch hides the old one at once',
    world: EPOCHS,
    rule: /vanished in the hand-over/,
    fault: { log: (log) => log.dropShadow() },
  },
  {
    mistake: 'an epoch in which nothing was written is not announced',
    world: EPOCHS,
    rule: /after a sync with O/,
    fault: spoil((stream) => (stream.items.length + stream.commit.contiguous === 0 ? undefined : stream)),
  },
]

describe('the small world notices when', () => {
  test.each(mutations)('$mistake', ({ world, fault, rule }) => {
    expect(explore(world).violation).toBeUndefined()
    expect(explore({ ...world, fault }).violation?.rule).toMatch(rule)
  })
})
