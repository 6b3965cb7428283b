import { beforeEach, describe, expect, it } from 'vitest'
import type { Member } from '../../src/membership/member.ts'
import { MemberList } from '../../src/membership/member-list.ts'
import { OldView } from '../../src/membership/old-view.ts'
import { type OpenPing, Pings } from '../../src/membership/pings.ts'
import { TestClock } from '../dissemination/test-clock.ts'
import { recordOf } from './records.ts'

let list: MemberList
let pings: Pings
let view: OldView
let syncs: { readonly peer: string; end(ok: boolean): void }[]
let pinged: { readonly member: Member; readonly ping: OpenPing }[]
let accused: string[]
let spread: string[]
let heldBack: string[]

beforeEach(() => {
  const runtime = new TestClock().outside(1)
  list = new MemberList(recordOf('self'))
  pings = new Pings(runtime)
  syncs = []
  pinged = []
  accused = []
  spread = []
  heldBack = []
  for (const name of ['a', 'b', 'c']) list.add(recordOf(name), 'alive', 0)
  view = new OldView(runtime, list, pings, {
    sync: (member, onEnd) => syncs.push({ peer: member.name, end: onEnd }),
    ping: (member, ping) => pinged.push({ member, ping }),
    accuse: (member) => accused.push(member.name),
    spread: (member) => spread.push(member.name),
    holdBack: (member) => heldBack.push(member.name),
  })
})

function member(name: string): Member {
  return list.get(name)!
}

function told(): string[] {
  return [...list.others()].filter((one) => view.mayTell(one)).map(({ name }) => name)
}

/** A peer was heard that knows of these. */
function compared(...known: string[]): void {
  view.compared((id) => known.some((name) => member(name).id === id), view.begun)
}

describe('a node in touch', () => {
  it('tells what it knows of everybody, and asks nobody', () => {
    expect(told()).toEqual(['a', 'b', 'c'])
    for (let i = 0; i < 5; i++) view.tick()
    expect([syncs, pinged, view.begun]).toEqual([[], [], 0])
  })
})

describe('a node that was out of touch', () => {
  beforeEach(() => view.begin())

  it('tells nothing of others, nor what waited to be told, but of itself', () => {
    expect(told()).toEqual([])
    expect(heldBack).toEqual(['a', 'b', 'c'])
    expect(view.mayTell(list.self)).toBe(true)
  })

  it('believes no packets that may have waited with it, and tells of nobody whom it knows by them', () => {
    list.add(recordOf('new'), 'alive', 0)
    view.confirm(member('a'))
    view.heard(member('b'))
    expect(told()).toEqual([])
    compared('a')
    expect(told()).toEqual(['a'])
  })

  it('is not helped by a sync that began before', () => {
    view.tick()
    const { begun } = view
    view.begin()
    view.compared(() => true, begun)
    syncs[0]!.end(true)
    expect(told()).toEqual([])
  })

  it('seeks a sync with one peer after the other, and does not wait for silent ones', () => {
    for (let i = 0; i < 10; i++) view.tick()
    expect(syncs).toHaveLength(3)
    syncs[0]!.end(false)
    expect(told()).toEqual([])
    view.tick()
    expect(syncs).toHaveLength(4)
    expect(pinged).toEqual([])
  })

  it('tells all again once a peer has turned out to have the same digest', () => {
    view.tick()
    syncs[0]!.end(true)
    expect(told()).toEqual(['a', 'b', 'c'])
    view.tick()
    expect([syncs.length, pinged.length]).toEqual([1, 0])
  })

  it('tells of those that the peer knew of, and brings up suspicions of them that were held back', () => {
    list.update(member('a'), member('a').record, 'suspect', 0)
    list.update(member('c'), member('c').record, 'suspect', 0)
    view.tick()
    compared('a', 'b')
    syncs[0]!.end(true)
    expect(told()).toEqual(['a', 'b'])
    expect(spread).toEqual(['a'])
  })

  it('tells of one that nobody knew of once somebody speaks of it', () => {
    compared('a')
    view.confirm(member('b'))
    expect(told()).toEqual(['a', 'b'])
    expect(spread).toEqual([])
  })

  it('pings those that nobody knew of, three times each, and then accuses them, once', () => {
    compared('a')
    for (let i = 0; i < 10; i++) view.tick()
    expect(pinged.map(({ member }) => member.name)).toEqual(['b', 'c', 'b', 'c', 'b', 'c'])
    expect(accused).toEqual(['b', 'c'])
    expect(told()).toEqual(['a'])
  })

  it('tells others of one that nobody knew of when it answers', () => {
    compared('a')
    view.tick()
    const { ping } = pinged.find(({ member }) => member.name === 'c')!
    pings.acked({ token: ping.token, sourceId: 0, members: 0, digests: [], coordinate: new Uint8Array() }, '')
    expect(told()).toEqual(['a', 'c'])
    expect(spread).toEqual(['c'])
    for (let i = 0; i < 10; i++) view.tick()
    expect(accused).toEqual(['b'])
  })

  it('pings a bounded number at once', () => {
    for (let i = 0; i < 100; i++) list.add(recordOf(`m${i}`), 'alive', 0)
    view.begin()
    compared()
    view.tick()
    expect(pinged).toHaveLength(10)
  })

  it('keeps no ping open for those that are settled, forgotten, failed, or when it stops', () => {
    compared()
    view.tick()
    expect(pings.size).toBe(3)
    view.forget(member('a'))
    list.update(member('b'), member('b').record, 'failed', 0)
    view.tick()
    expect(pings.size).toBe(1)
    view.stop()
    expect(pings.size).toBe(0)
  })

  it('is out of touch anew when it happens again', () => {
    compared('a', 'b', 'c')
    view.begin()
    expect(told()).toEqual([])
    view.tick()
    expect(syncs).toHaveLength(1)
    expect(view.begun).toBe(2)
  })
})
