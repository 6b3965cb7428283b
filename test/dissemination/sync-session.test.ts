import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type SyncOutcome, type SyncRole, SyncSession } from '../../src/dissemination/sync-session.ts'
import type { FrameHandlers } from '../../src/security/frames.ts'
import { Writer } from '../../src/wire/bytes.ts'
import { PipeEnd, type PipeOptions, Steps } from './frame-pipe.ts'
import { SetDomain } from './set-domain.ts'
import { randomNumbers } from './test-clock.ts'

interface Side {
  readonly session: SyncSession
  readonly stream: PipeEnd
  readonly outcomes: SyncOutcome[]
}

const HELLO = 1
const EXCHANGE = 2

function side(role: SyncRole, stream: PipeEnd, domains: readonly SetDomain[]): Side {
  const outcomes: SyncOutcome[] = []
  const session = new SyncSession(role, role, domains, (outcome) => outcomes.push(outcome))
  const handlers: FrameHandlers = {
    onOpen() {},
    onFrame: (frame) => session.receive(frame),
    onDrain: () => session.drained(),
    onClose: (error) => session.closed(error),
  }
  stream.handle(handlers)
  session.start(stream)
  return { session, stream, outcomes }
}

interface Run {
  readonly steps: Steps
  readonly initiator: Side
  readonly responder: Side
}

function connect(
  ours: readonly SetDomain[],
  theirs: readonly SetDomain[],
  options: Omit<PipeOptions, 'schedule'> = {},
): Run {
  const steps = new Steps()
  const [near, far] = PipeEnd.pair({ schedule: steps.schedule, ...options })
  const responder = side('responder', far, theirs)
  return { steps, responder, initiator: side('initiator', near, ours) }
}

const items = fc.uniqueArray(fc.string({ maxLength: 12 }), { maxLength: 12 })
const NAMES = ['x', 'y', 'z', 'only ours', 'only theirs']
const schedule = fc.record({
  seed: fc.nat(),
  highWaterBytes: fc.oneof(fc.nat({ max: 40 }), fc.constant(100_000)),
  chunked: fc.boolean(),
})

/** Both sides' domains of the same names, by what each has in them. */
const world = fc.record({
  ours: fc.array(items, { minLength: 3, maxLength: 4 }),
  theirs: fc.array(items, { minLength: 3, maxLength: 4 }),
  equal: fc.subarray([0, 1, 2]),
  schedule,
})

function domains(ours: string[][], theirs: string[][], equal: number[]): [SetDomain[], SetDomain[]] {
  const name = (i: number, extra: string): string => (i < 3 ? NAMES[i]! : extra)
  const left = ours.map((set, i) => new SetDomain(name(i, 'only ours'), set))
  const right = theirs.map((set, i) => {
    return new SetDomain(name(i, 'only theirs'), equal.includes(i) ? ours[i]! : set)
  })
  // The responder's order must not matter.
  return [left, right.reverse()]
}

describe('a sync session', () => {
  it('brings all that both sides have to agreement, however the frames are chunked, delayed and held back', () => {
    fc.assert(
      fc.property(world, ({ ours, theirs, equal, schedule }) => {
        const [left, right] = domains(ours, theirs, equal)
        const random = randomNumbers(schedule.seed)
        const chunk = (waiting: number): number => (schedule.chunked ? 1 + (random() % waiting) : waiting)
        const run = connect(left, right, { highWaterBytes: schedule.highWaterBytes, chunk })
        run.steps.run(random)

        for (const { outcomes, stream } of [run.initiator, run.responder]) {
          expect(outcomes).toHaveLength(1)
          expect(outcomes[0]).toMatchObject({
            ok: true,
            peer: outcomes === run.initiator.outcomes ? 'responder' : 'initiator',
            common: ['x', 'y', 'z'],
            error: undefined,
          })
          expect(stream.destroyed).toBe(0)
        }
        for (const [i, domain] of left.entries()) {
          const other = right.find(({ name }) => name === domain.name)
          if (other === undefined) expect(domain.items).toEqual(new Set(ours[i]))
          else expect(domain.items).toEqual(new Set([...ours[i]!, ...(equal.includes(i) ? [] : theirs[i]!)]))
          if (other !== undefined) expect(other.items).toEqual(domain.items)
        }
        for (const domain of [...left, ...right]) expect(domain.closed).toBe(domain.opened)
      }),
      { numRuns: 300 },
    )
  })

  it('that is cut anywhere ends once at each side, and whoever says that it went well has brought agreement', () => {
    fc.assert(
      fc.property(world, ({ ours, theirs, equal, schedule }) => {
        let cutAt = 0
        for (let whole = false; !whole; cutAt++) {
          const [left, right] = domains(ours, theirs, equal)
          const random = randomNumbers(schedule.seed)
          const run = connect(left, right, { highWaterBytes: schedule.highWaterBytes })
          run.steps.run(random, () => run.steps.taken >= cutAt)
          whole = run.initiator.outcomes.length > 0 && run.responder.outcomes.length > 0
          run.initiator.stream.cut()
          run.steps.run(random)

          for (const { outcomes } of [run.initiator, run.responder]) {
            expect(outcomes).toHaveLength(1)
            if (!outcomes[0]!.ok) continue
            for (const name of ['x', 'y', 'z']) {
              const [a, b] = [left, right].map((list) => list.find((domain) => domain.name === name)!.items)
              expect(a).toEqual(b)
            }
          }
          for (const domain of [...left, ...right]) expect(domain.closed).toBe(domain.opened)
        }
        expect(cutAt).toBeGreaterThan(4)
      }),
      { numRuns: 40 },
    )
  })

  it('takes on all that is named to it, however much else the side has that is asked', () => {
    const ours = [new SetDomain('x', ['1']), new SetDomain('y', ['2'])]
    const others = Array.from({ length: 2_000 }, (_, i) => new SetDomain(`other ${i}`, []))
    const theirs = [...others, new SetDomain('y', []), new SetDomain('x', [])]
    const { initiator, responder, steps } = connect(ours, theirs)
    steps.run(randomNumbers(1))
    for (const { outcomes } of [initiator, responder]) {
      expect(outcomes).toMatchObject([{ ok: true, common: ['x', 'y'] }])
    }
    expect(theirs.at(-1)!.items).toEqual(new Set(['1']))
  })

  it('of sides that agree consists of two hellos', () => {
    const ours = [new SetDomain('x', ['1']), new SetDomain('y', ['2'])]
    const theirs = [new SetDomain('y', ['2']), new SetDomain('x', ['1'])]
    const { initiator, responder, steps } = connect(ours, theirs)
    steps.run(() => 0)
    expect(initiator.stream.frames.map((frame) => frame[0])).toEqual([HELLO])
    expect(responder.stream.frames.map((frame) => frame[0])).toEqual([HELLO])
    expect([...ours, ...theirs].map(({ opened }) => opened)).toEqual([0, 0, 0, 0])
    for (const { outcomes } of [initiator, responder]) expect(outcomes[0]?.ok).toBe(true)
  })

  it('exchanges what differs only', () => {
    const ours = [new SetDomain('same', ['1']), new SetDomain('differs', ['2'])]
    const theirs = [new SetDomain('same', ['1']), new SetDomain('differs', ['3'])]
    const { steps } = connect(ours, theirs)
    steps.run(() => 0)
    expect(ours.map(({ opened }) => opened)).toEqual([0, 1])
    expect(theirs.map(({ opened }) => opened)).toEqual([0, 1])
  })

  it('exchanges one thing after the other, in the order of the initiator', () => {
    const order: string[] = []
    class Watched extends SetDomain {
      override open(...args: Parameters<SetDomain['open']>): ReturnType<SetDomain['open']> {
        order.push(this.name)
        return super.open(...args)
      }
    }
    const names = ['c', 'a', 'b']
    const ours = names.map((name) => new Watched(name, ['1']))
    const theirs = names.toSorted().map((name) => new SetDomain(name, ['2']))
    const { steps } = connect(ours, theirs)
    steps.run(() => 0)
    expect(order).toEqual(names)
  })

  it('lets what an exchange has ready travel together, in frames of bounded size', () => {
    const items = Array.from({ length: 1_000 }, (_, i) => `${i}`.padStart(100, '.'))
    const ours = new SetDomain('x', items)
    ours.sleepy = false
    const { initiator, steps } = connect([ours], [new SetDomain('x', ['theirs'])])
    steps.run(() => 0)
    const sizes = initiator.stream.frames.slice(1).map(({ length }) => length)
    expect(sizes.length).toBeLessThan(10)
    expect(Math.max(...sizes)).toBeLessThan(17_000)
  })

  it('does not send on while the stream is full', () => {
    const ours = [
      new SetDomain(
        'x',
        Array.from({ length: 50 }, (_, i) => `ours ${i}`),
      ),
    ]
    const theirs = [
      new SetDomain(
        'x',
        Array.from({ length: 50 }, (_, i) => `theirs ${i}`),
      ),
    ]
    const { initiator, responder, steps } = connect(ours, theirs, { highWaterBytes: 0, chunk: () => 1 })
    const waiting = { most: 0 }
    let delivered = 0
    const count = (frames: Uint8Array[]): number => frames.reduce((sum, { length }) => sum + length + 4, 0)
    steps.run(
      () => 0,
      () => {
        delivered = steps.taken
        const sent = count(initiator.stream.frames) + count(responder.stream.frames)
        waiting.most = Math.max(waiting.most, sent - delivered)
        return false
      },
    )
    // Never more than a frame or two on each side waits.
    expect(waiting.most).toBeLessThan(100)
    expect(ours[0]!.items.size).toBe(100)
    expect(theirs[0]!.items).toEqual(ours[0]!.items)
  })
})

describe('an ill-formed frame ends a session', () => {
  function lone(role: SyncRole): Side & { receive(...bytes: number[]): void; settle(): void } {
    const steps = new Steps()
    const [near] = PipeEnd.pair({ schedule: steps.schedule })
    const one = side(role, near, [new SetDomain('x', ['1'])])
    return {
      ...one,
      receive: (...bytes) => one.session.receive(Uint8Array.from(bytes)),
      settle: () => steps.run(() => 0),
    }
  }

  function hello(domains: readonly string[], digest = 9): number[] {
    const writer = new Writer().u8(HELLO).string('peer').varint(domains.length)
    for (const name of domains) writer.string(name).u32(digest).u32(digest)
    return [...writer.copy()]
  }

  it.each<[string, SyncRole, number[][]]>([
    ['nothing', 'responder', [[]]],
    ['an unknown type', 'responder', [[9]]],
    ['an exchange before the hello', 'responder', [[EXCHANGE, 1, 1]]],
    ['an exchange before the hello', 'initiator', [[EXCHANGE, 1, 1]]],
    ['a second hello', 'responder', [hello(['x']), hello(['x'])]],
    ['a second hello', 'initiator', [hello(['x']), hello(['x'])]],
    ['a cut hello', 'responder', [hello(['x']).slice(0, -1)]],
    ['a hello with more domains than a node can have', 'responder', [hello(Array<string>(4_097).fill('x'))]],
    ['what the exchange does not understand', 'responder', [hello(['x']), [EXCHANGE, 1, 9]]],
    ['nothing of an exchange', 'responder', [hello(['x']), [EXCHANGE]]],
    ['a cut part of an exchange', 'responder', [hello(['x']), [EXCHANGE, 4, 1, 1]]],
  ])('%s, at the %s', (_, role, frames) => {
    const { receive, settle, stream, outcomes } = lone(role)
    for (const frame of frames.slice(0, -1)) {
      receive(...frame)
      expect(stream.destroyed).toBe(0)
    }
    receive(...frames.at(-1)!)
    expect(stream.destroyed).toBe(1)
    settle()
    expect(outcomes).toHaveLength(1)
    expect(outcomes[0]!.ok).toBe(false)
  })

  it.each<[string, number[][]]>([
    ['an exchange of what does not differ', [hello(['other']), [EXCHANGE, 1, 1]]],
    ['anything behind the last exchange', [hello(['x']), [EXCHANGE, 1, 2], [EXCHANGE, 1, 2]]],
  ])('even once all is agreed on: %s', (_, frames) => {
    const { receive, settle, stream, outcomes } = lone('responder')
    for (const frame of frames) receive(...frame)
    expect(stream.destroyed).toBe(1)
    settle()
    expect(outcomes.map(({ ok }) => ok)).toEqual([true])
  })

  it('and none throws or is heard after the end', () => {
    const byte = fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 255 }))
    const frame = fc.oneof(
      fc.array(byte, { maxLength: 12 }),
      fc.array(byte, { maxLength: 12 }).map((bytes) => [EXCHANGE, ...bytes]),
      fc.constant(hello(['x'])),
    )
    const role = fc.constantFrom<SyncRole>('initiator', 'responder')
    fc.assert(
      fc.property(role, fc.array(frame, { maxLength: 6 }), (role, frames) => {
        const { receive, settle, outcomes, session } = lone(role)
        for (const bytes of frames) receive(...bytes)
        settle()
        session.closed(new Error('gone'))
        session.closed()
        expect(outcomes).toHaveLength(1)
        const before = outcomes.length
        receive(...hello(['x']))
        expect(outcomes).toHaveLength(before)
      }),
      { numRuns: 500 },
    )
  })
})
