import { beforeEach, describe, expect, it } from 'vitest'
import { Member } from '../../src/membership/member.ts'
import { Quarantine } from '../../src/membership/quarantine.ts'
import { recordOf } from './records.ts'

const START = -50_000
const N = 100
let quarantine: Quarantine
let now: number
let x: Member

beforeEach(() => {
  quarantine = new Quarantine()
  now = START
  x = new Member(recordOf('x'))
})

function accuse(member: Member, ...accusers: number[]): void {
  quarantine.accused(member, accusers, N, now)
}

function fail(member: Member): void {
  quarantine.failed(member, N, now)
}

/** Lets time pass, in steps; when each of those ended whose quarantine did. */
function pass(ms: number): number[] {
  const ends: number[] = []
  for (const until = now + ms; now < until; ) {
    now += 1_000
    for (const _ of quarantine.ended(N, now)) ends.push(now - START)
  }
  return ends
}

describe('a member is quarantined', () => {
  it('when eight different others have accused it within two minutes', () => {
    accuse(x, 1, 2, 3, 4)
    now += 60_000
    accuse(x, 3, 4, 5, 6, 7)
    expect(quarantine.has(x)).toBe(false)
    accuse(x, 8)
    expect(quarantine.has(x)).toBe(true)
    expect([quarantine.size, quarantine.begun]).toEqual([1, 1])
  })

  it('not when they took longer, nor when the same few do so again and again', () => {
    accuse(x, 1, 2, 3, 4)
    now += 120_000
    accuse(x, 5, 6, 7, 8)
    for (let i = 0; i < 50; i++) accuse(x, 5, 6, 7)
    expect(quarantine.has(x)).toBe(false)
  })

  it('when it was held failed twice within five minutes', () => {
    fail(x)
    expect(quarantine.has(x)).toBe(false)
    now += 299_000
    fail(x)
    expect(quarantine.has(x)).toBe(true)
  })

  it('not when that is longer ago, nor when it has restarted between', () => {
    fail(x)
    now += 300_000
    fail(x)
    expect(quarantine.has(x)).toBe(false)
    quarantine.forget(x)
    fail(x)
    expect(quarantine.has(x)).toBe(false)
  })
})

describe('a quarantine', () => {
  const begin = (): void => accuse(x, 1, 2, 3, 4, 5, 6, 7, 8)

  it('lasts a minute', () => {
    begin()
    expect(pass(400_000)).toEqual([60_000])
    expect(quarantine.has(x)).toBe(false)
  })

  it('is twice as long each time, up to five minutes', () => {
    const lasted = [1, 2, 3, 4, 5].map(() => {
      begin()
      const since = now - START
      return pass(400_000)[0]! - since
    })
    expect(lasted).toEqual([60_000, 120_000, 240_000, 300_000, 300_000])
  })

  it('lasts a minute again after ten minutes without', () => {
    begin()
    pass(60_000 + 600_000)
    begin()
    expect(pass(400_000)).toEqual([60_000 + 600_000 + 60_000])
  })

  it('goes on without an end between if half of what led to it happens again meanwhile', () => {
    begin()
    pass(30_000)
    accuse(x, 1, 2, 3, 4)
    expect(pass(300_000)).toEqual([180_000])
    expect(quarantine.begun).toBe(2)
  })

  it('does not go on because of what happened long before its end', () => {
    begin()
    pass(60_000)
    begin()
    pass(59_000)
    fail(x)
    expect(pass(300_000)).toEqual([180_000])
  })

  it('ends when the case is closed', () => {
    begin()
    quarantine.forget(x)
    expect(quarantine.has(x)).toBe(false)
    expect(pass(400_000)).toEqual([])
  })
})

describe('where many members are near the threshold', () => {
  const many = Array.from({ length: 10 }, (_, i) => new Member(recordOf(`m${i}`)))

  it('it is the network, and nobody is quarantined', () => {
    for (const member of many) accuse(member, 1, 2, 3)
    accuse(x, 1, 2, 3, 4, 5, 6, 7, 8)
    expect(quarantine.has(x)).toBe(false)
  })

  it('those that are gone do not count: they are not bad, but dead', () => {
    for (const member of many) {
      fail(member)
      member.verdict = 'failed'
    }
    accuse(x, 1, 2, 3, 4, 5, 6, 7, 8)
    expect(quarantine.has(x)).toBe(true)
    for (const member of many) member.verdict = 'alive'
  })

  it('two of a small cluster are not many', () => {
    const quarantined = [x, ...many.slice(0, 2)]
    for (const member of quarantined.slice(0, 2)) {
      quarantine.failed(member, 8, now)
      quarantine.failed(member, 8, now)
    }
    expect(quarantined.map((member) => quarantine.has(member))).toEqual([true, true, false])
    for (let i = 0; i < 2; i++) quarantine.failed(quarantined[2]!, 8, now)
    expect(quarantine.has(quarantined[2]!)).toBe(false)
  })
})
