import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SyncRole } from '../../src/dissemination/sync-session.ts'
import { type Member, mergeRecords } from '../../src/membership/member.ts'
import { MemberExchange, type MemberExchangeHost } from '../../src/membership/member-exchange.ts'
import { MAX_MEMBERS, MemberList } from '../../src/membership/member-list.ts'
import { MAX_FRAME_BYTES } from '../../src/security/frames.ts'
import { Reader, Writer } from '../../src/wire/bytes.ts'
import { MAX_METADATA_BYTES } from '../../src/wire/limits.ts'
import { type MemberRecord, writeMemberRecord } from '../../src/wire/member-record.ts'
import { randomNumbers } from '../dissemination/test-clock.ts'
import { recordOf, recordsOf } from './records.ts'

const SUMMARY = 1
const RECORDS = 2
const WANTED = 3
const END = 4
const SUMS = 5
const DIFFERING = 6

/** A node that only merges: whom it holds failed it does so until it hears of a later life or incarnation. */
class Host implements MemberExchangeHost {
  readonly list: MemberList
  /** Whether its own name is known to be its own. */
  announced = true
  /** What is to happen once all was heard; at once by default. */
  onHeardAll: (tell: (self: Member | undefined) => void) => void = (tell) => tell(this.list.self)
  readonly learnt: string[] = []
  /** Names of members that must not be told of. */
  readonly heldBack = new Set<string>()
  /** Which of its members the other side knows of, as it appeared once all was heard. */
  knownToPeer: string[] | undefined

  constructor(name: string) {
    this.list = new MemberList(recordOf(name))
  }

  put(record: MemberRecord, failed = false): void {
    this.list.add(record, record.left ? 'left' : failed ? 'failed' : 'alive', 0)
  }

  get members(): MemberList {
    return this.list
  }

  mayName(member: Member): boolean {
    return this.announced || member !== this.list.self
  }

  learn(record: MemberRecord): void {
    this.learnt.push(record.name)
    const member = this.list.get(record.name)
    if (member === undefined) {
      this.put(record)
    } else if (member !== this.list.self) {
      const merged = mergeRecords(member.record, record)
      const rises = merged.epoch !== member.record.epoch || merged.incarnation !== member.record.incarnation
      const verdict = merged.left ? 'left' : rises ? 'alive' : member.verdict
      if (merged !== member.record) this.list.update(member, merged, verdict, 0)
    }
  }

  mayTell(member: Member): boolean {
    return !this.heldBack.has(member.name)
  }

  heardAll(knows: (id: number) => boolean): void {
    this.knownToPeer = [...this.list.others()].filter(({ id }) => knows(id)).map(({ name }) => name)
  }

  readonly news: string[] = []

  hearNews(record: MemberRecord): void {
    this.news.push(record.name)
    this.learn(record)
  }

  claimName(tell: (self: Member | undefined) => void): void {
    this.onHeardAll(tell)
  }

  records(): Map<string, MemberRecord> {
    return new Map([...this.list.all()].map((member) => [member.name, member.record]))
  }
}

interface Outcome {
  readonly frames: readonly { readonly from: SyncRole; readonly type: number; readonly bytes: number }[]
  readonly done: readonly [boolean, boolean]
}

/** Runs the exchange of two nodes until nothing moves, in an order that `random` chooses. */
function exchange(initiator: Host, responder: Host, random: () => number = () => 0): Outcome {
  const frames: { from: SyncRole; type: number; bytes: number }[] = []
  const sides = [
    {
      role: 'initiator' as const,
      exchange: new MemberExchange('initiator', initiator, () => {}, responder.list.self.name),
    },
    {
      role: 'responder' as const,
      exchange: new MemberExchange('responder', responder, () => {}, initiator.list.self.name),
    },
  ]
  for (;;) {
    let turn = random() % 2
    let frame = sides[turn]!.exchange.next()
    if (frame === undefined) {
      turn = 1 - turn
      frame = sides[turn]!.exchange.next()
    }
    if (frame === undefined) break
    frames.push({ from: sides[turn]!.role, type: frame[0]!, bytes: frame.length })
    expect(sides[1 - turn]!.exchange.receive(new Reader(frame))).toBe(true)
    if (frames.length > 10_000) throw new Error('this exchange does not end')
  }
  return { frames, done: [sides[0]!.exchange.done, sides[1]!.exchange.done] }
}

function typesOf({ frames }: Outcome): string[] {
  return frames.map(({ from, type }) => `${from} ${type}`)
}

const NAMES = ['c', 'd', 'e', 'f', 'g']
const knowledge = fc.tuple(
  ...NAMES.map((name) => fc.option(fc.record({ record: recordsOf(name), failed: fc.boolean() }))),
)

function hosts(
  ours: readonly ({ record: MemberRecord; failed: boolean } | null)[],
  theirs: typeof ours,
): [Host, Host] {
  const a = new Host('a')
  const b = new Host('b')
  for (const [host, known] of [
    [a, ours],
    [b, theirs],
  ] as const) {
    for (const entry of known) if (entry !== null) host.put(entry.record, entry.failed)
  }
  return [a, b]
}

describe('an exchange of members', () => {
  it('ends with both sides equal in all that is alive at either or known to both', () => {
    fc.assert(
      fc.property(knowledge, knowledge, fc.nat(), (ours, theirs, seed) => {
        const [a, b] = hosts(ours, theirs)
        const outcome = exchange(a, b, randomNumbers(seed))
        expect(outcome.done).toEqual([true, true])
        expect(b.records().get('a')).toEqual(a.list.self.record)
        expect(a.records().get('b')).toEqual(b.list.self.record)
        NAMES.forEach((name, i) => {
          const [left, right] = [ours[i]!, theirs[i]!]
          const [atA, atB] = [a.records().get(name), b.records().get(name)]
          if (left !== null && right !== null) {
            expect(atA).toEqual(mergeRecords(left.record, right.record))
            expect(atB).toEqual(atA)
            return
          }
          // Known to one side only: the living are told, the dead are not handed on.
          const one = left ?? right
          const handedOn = one !== null && !one.failed && !one.record.left
          expect([atA, atB].filter((record) => record !== undefined)).toEqual(
            one === null ? [] : handedOn ? [one.record, one.record] : [one.record],
          )
        })
      }),
      { numRuns: 500 },
    )
  })

  it('tells the own record of a node as news, and all others as what is known', () => {
    const a = new Host('a')
    const b = new Host('b')
    a.put(recordOf('c'))
    b.put(recordOf('d'))
    exchange(a, b)
    expect([a.learnt, a.news]).toEqual([expect.arrayContaining(['b', 'd']), ['b']])
    expect([b.learnt, b.news]).toEqual([expect.arrayContaining(['a', 'c']), ['a']])
  })

  it('of nodes that agree carries no records', () => {
    const a = new Host('a')
    const b = new Host('b')
    for (const host of [a, b]) for (const name of NAMES) host.put(recordOf(name))
    a.put(recordOf('b'))
    b.put(recordOf('a'))
    expect(typesOf(exchange(a, b))).toEqual([`initiator ${SUMMARY}`, `responder ${END}`, `initiator ${END}`])
    expect([...a.learnt, ...b.learnt]).toEqual([])
  })

  it('carries only what differs', () => {
    const a = new Host('a')
    const b = new Host('b')
    for (const host of [a, b]) for (let i = 0; i < 500; i++) host.put(recordOf(`n${i}`))
    a.put(recordOf('only a'))
    b.list.update(b.list.get('n7')!, recordOf('n7', { incarnation: 1 }), 'alive', 0)
    exchange(a, b)
    expect(a.learnt.sort()).toEqual(['b', 'n7'])
    // It cannot be seen from a summary which side knows better, so both tell.
    expect(b.learnt.sort()).toEqual(['a', 'n7', 'only a'])
  })

  it.each([
    [600, 50],
    [1_300, 10],
  ])('of %i members summarises the buckets in which anything differs, and no others', (count, numRuns) => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat({ max: 599 }), { maxLength: 12 }), fc.nat(), (changed, seed) => {
        const a = new Host('a')
        const b = new Host('b')
        a.put(recordOf('b'))
        b.put(recordOf('a'))
        for (let i = 0; i < count; i++) {
          const incarnation = changed.includes(i) ? 1 : 0
          if (!changed.includes(i) || i % 3 !== 0)
            a.put(recordOf(`n${i}`, { incarnation: i % 3 === 1 ? incarnation : 0 }))
          if (!changed.includes(i) || i % 3 !== 1)
            b.put(recordOf(`n${i}`, { incarnation: i % 3 === 1 ? 0 : incarnation }))
          else b.put(recordOf(`n${i}`))
        }
        const outcome = exchange(a, b, randomNumbers(seed))
        expect(outcome.done).toEqual([true, true])
        expect(a.records()).toEqual(b.records())
        expect(a.list.sums).toEqual(b.list.sums)
        const summarised = outcome.frames.filter(({ type }) => type === SUMMARY)
        expect(outcome.frames.slice(0, 2).map(({ type }) => type)).toEqual([SUMS, DIFFERING])
        // Some two members and a half a bucket, eight bytes each.
        expect(summarised.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(
          20 + changed.length * 8 * 12,
        )
      }),
      { numRuns },
    )
  })

  it.each([
    ['many', 'few', 1_100, 900],
    ['few', 'many', 900, 1_100],
  ])(
    'goes by the buckets of the one that begins: one of %s members with one of %s',
    (_one, _other, mine, theirs) => {
      const a = new Host('a')
      const b = new Host('b')
      for (let i = 0; i < mine; i++) a.put(recordOf(`n${i}`))
      for (let i = 0; i < theirs; i++) b.put(recordOf(`n${i}`))
      const [sums, differing] = exchange(a, b).frames
      const buckets = mine < 1_024 ? 256 : 1_024
      expect([sums?.bytes, differing?.bytes]).toEqual([1 + 4 * buckets, 1 + buckets / 8])
      expect(a.records()).toEqual(b.records())
    },
  )

  it('of thousands of members goes in frames that a stream takes', () => {
    const a = new Host('a')
    const b = new Host('b')
    const metadata = new Uint8Array(MAX_METADATA_BYTES)
    for (let i = 0; i < 5_000; i++) {
      if (i % 3 !== 0) a.put(recordOf(`n${i}`, { metadata }))
      if (i % 3 !== 1) b.put(recordOf(`n${i}`, { metadata }))
    }
    const outcome = exchange(a, b)
    expect(outcome.done).toEqual([true, true])
    expect(Math.max(...outcome.frames.map(({ bytes }) => bytes))).toBeLessThanOrEqual(MAX_FRAME_BYTES)
    expect(a.list.digest()).toEqual(b.list.digest())
    expect(a.list.size).toBe(5_002)
  })

  it('tells a node that comes back what it is accused of', () => {
    const a = new Host('a')
    const b = new Host('b')
    a.put(recordOf('b', { hard: [1, 2], soft: [3] }), true)
    exchange(a, b)
    expect(b.learnt).toContain('b')
  })
})

describe('a node that joins', () => {
  it('tells its own record only when all was heard and the name turned out to be its own', () => {
    const a = new Host('a')
    const b = new Host('b')
    b.put(recordOf('c'))
    a.announced = false
    let tell: (self: Member | undefined) => void = () => {}
    a.onHeardAll = (later) => {
      expect(a.learnt.sort()).toEqual(['b', 'c'])
      tell = later
    }
    let woken = 0
    const joining = new MemberExchange('initiator', a, () => woken++, 'peer')
    const answering = new MemberExchange('responder', b, () => {}, 'peer')
    const pump = (): void => {
      for (const [from, to] of [
        [joining, answering],
        [answering, joining],
      ] as const) {
        for (let frame = from.next(); frame !== undefined; frame = from.next()) to.receive(new Reader(frame))
      }
    }
    pump()
    pump()
    expect([joining.done, answering.done, woken]).toEqual([false, false, 0])
    expect(b.learnt).toEqual([])
    a.announced = true
    tell(a.list.self)
    expect(woken).toBe(1)
    pump()
    expect([joining.done, answering.done]).toEqual([true, true])
    expect(b.learnt).toEqual(['a'])
  })

  it('tells nothing any more when the session has ended meanwhile', () => {
    const a = new Host('a')
    a.announced = false
    let tell: (self: Member | undefined) => void = () => {}
    a.onHeardAll = (later) => {
      tell = later
    }
    let woken = 0
    const joining = new MemberExchange('initiator', a, () => woken++, 'peer')
    joining.next()
    joining.receive(new Reader(Uint8Array.of(END)))
    joining.close()
    tell(a.list.self)
    expect([joining.next(), woken]).toEqual([undefined, 0])
  })
})

describe('a node with an old view', () => {
  function sides(): { stale: Host; peer: Host } {
    const stale = new Host('stale')
    const peer = new Host('peer')
    const before = recordOf('changed')
    for (const name of ['same', 'ghost']) stale.put(recordOf(name))
    stale.put(before)
    stale.put(recordOf('wrongly failed', { hard: [stale.list.self.id] }), true)
    peer.put(recordOf('same'))
    peer.put({ ...before, incarnation: 1 })
    peer.put(recordOf('wrongly failed'))
    peer.put(recordOf('new'))
    for (const { name } of stale.list.others()) stale.heldBack.add(name)
    return { stale, peer }
  }

  it.each([['initiator'], ['responder']])('tells as %s of itself alone, and learns all', (role) => {
    const { stale, peer } = sides()
    const outcome = role === 'initiator' ? exchange(stale, peer) : exchange(peer, stale)
    expect(outcome.done).toEqual([true, true])
    expect(peer.learnt).toEqual(['stale'])
    expect(stale.learnt.sort()).toEqual(['changed', 'new', 'peer', 'wrongly failed'])
  })

  it.each([['initiator'], ['responder']])('finds out as %s whom the other side knows', (role) => {
    const { stale, peer } = sides()
    if (role === 'initiator') exchange(stale, peer)
    else exchange(peer, stale)
    expect(stale.knownToPeer?.sort()).toEqual(['changed', 'new', 'peer', 'same', 'wrongly failed'])
  })

  it('tells in the same session whatever may be told once all was heard', () => {
    const { stale, peer } = sides()
    stale.heardAll = () => stale.heldBack.delete('wrongly failed')
    exchange(stale, peer)
    expect(peer.learnt.sort()).toEqual(['stale', 'wrongly failed'])
  })
})

describe('what a peer may do', () => {
  const wanted = (...ids: number[]): Uint8Array => {
    const writer = new Writer().u8(WANTED).varint(ids.length)
    for (const id of ids) writer.u32(id)
    return writer.copy()
  }
  const summary = (last: boolean, from: number, count: number): Uint8Array => {
    const writer = new Writer()
      .u8(SUMMARY)
      .u8(last ? 1 : 0)
      .varint(count)
    for (let id = from; id < from + count; id++) writer.u32(id).u32(1)
    return writer.copy()
  }
  const sums = new Uint8Array(1 + 4 * 256).fill(1)
  sums[0] = SUMS
  const receive = (side: MemberExchange, frame: Uint8Array): boolean => side.receive(new Reader(frame))

  it('it is told nothing that it only guesses at', () => {
    const a = new Host('a')
    const side = new MemberExchange('initiator', a, () => {}, 'peer')
    a.put(recordOf('secret'))
    side.next()
    expect(receive(side, wanted(a.list.get('secret')!.id))).toBe(true)
    expect(receive(side, Uint8Array.of(END))).toBe(true)
    expect(side.next()?.[0]).toBe(END)
  })

  it('it may not summarise more members than a node can hold, nor want more', () => {
    const responder = new MemberExchange('responder', new Host('b'), () => {}, 'peer')
    const initiator = new MemberExchange('initiator', new Host('a'), () => {}, 'peer')
    const most = Math.ceil(MAX_MEMBERS / 2_000)
    for (let i = 0; i < most - 1; i++) {
      expect(receive(responder, summary(false, i * 2_000, 2_000))).toBe(true)
      expect(receive(initiator, wanted(...Array<number>(2_000).fill(i)))).toBe(true)
    }
    expect(receive(responder, summary(false, most * 2_000, 2_000))).toBe(false)
    expect(receive(initiator, wanted(...Array<number>(2_000).fill(1)))).toBe(false)
  })

  it.each<[string, SyncRole, Uint8Array[]]>([
    ['nothing', 'responder', [new Uint8Array(0)]],
    ['an unknown type', 'responder', [Uint8Array.of(9)]],
    ['a summary', 'initiator', [summary(true, 1, 1)]],
    ['a list of sums', 'initiator', [sums]],
    ['a second list of sums', 'responder', [sums, sums]],
    ['a cut list of sums', 'responder', [sums.slice(0, -1)]],
    ['a list of sums of buckets that are none', 'responder', [Uint8Array.of(...sums, ...sums.subarray(1))]],
    [
      'a choice of buckets that nobody asked for',
      'initiator',
      [Uint8Array.of(DIFFERING, ...new Uint8Array(32))],
    ],
    ['a second summary', 'responder', [summary(true, 1, 1), summary(true, 2, 1)]],
    ['a list of wanted members', 'responder', [wanted(1)]],
    ['anything behind its end', 'responder', [summary(true, 1, 1), Uint8Array.of(END), Uint8Array.of(END)]],
    ['a cut summary', 'responder', [summary(true, 1, 2).slice(0, -1)]],
    ['a summary of too many in one frame', 'responder', [summary(true, 1, 2_001)]],
    ['a cut list of wanted members', 'initiator', [wanted(1, 2).slice(0, -1)]],
    ['a cut list of records', 'responder', [Uint8Array.of(RECORDS, 1)]],
  ])('%s is refused by the %s', (_, role, frames) => {
    const side = new MemberExchange(role, new Host('b'), () => {}, 'peer')
    for (const frame of frames.slice(0, -1)) expect(receive(side, frame)).toBe(true)
    expect(receive(side, frames.at(-1)!)).toBe(false)
  })

  it('a record that is longer than this version knows is understood', () => {
    const b = new Host('b')
    const side = new MemberExchange('responder', b, () => {}, 'peer')
    const writer = new Writer().u8(RECORDS).varint(2)
    for (const name of ['x', 'y']) {
      writer.bytes(
        writeMemberRecord(new Writer(), recordOf(name))
          .raw(Uint8Array.of(1, 2, 3))
          .copy(),
      )
    }
    expect(receive(side, writer.copy())).toBe(true)
    expect(b.records().get('y')).toEqual(recordOf('y'))
  })

  it('none of several records is learnt when one of them is ill-formed', () => {
    const b = new Host('b')
    const side = new MemberExchange('responder', b, () => {}, 'peer')
    const good = writeMemberRecord(new Writer(), recordOf('x')).copy()
    const frame = new Writer().u8(RECORDS).varint(2).bytes(good).bytes(good.subarray(0, 9)).copy()
    expect(receive(side, frame)).toBe(false)
    expect(b.learnt).toEqual([])
  })

  it('arbitrary frames never throw', () => {
    const frame = fc
      .tuple(fc.integer({ min: 0, max: 7 }), fc.uint8Array({ maxLength: 60 }))
      .map(([type, body]) => Uint8Array.of(type, ...body))
    const role = fc.constantFrom<SyncRole>('initiator', 'responder')
    fc.assert(
      fc.property(role, fc.array(frame, { maxLength: 8 }), (role, frames) => {
        const host = new Host('b')
        host.put(recordOf('c'))
        const side = new MemberExchange(role, host, () => {}, 'peer')
        for (const bytes of frames) {
          if (!receive(side, bytes)) break
          for (let next = side.next(); next !== undefined; next = side.next())
            expect(next.length).toBeGreaterThan(0)
        }
        side.close()
      }),
      { numRuns: 1000 },
    )
  })
})
