import { beforeEach, describe, expect, it } from 'vitest'
import { Isolation } from '../../src/membership/isolation.ts'

const TIMEOUT_MS = 3_000
const TICK_MS = 1_000
const START = -10_000

let now: number
let changes: boolean[]
let isolation: Isolation

beforeEach(() => {
  now = START
  changes = []
  isolation = new Isolation(TIMEOUT_MS, now, (isolated) => changes.push(isolated))
})

function tick(others = true, ms = TICK_MS): void {
  now += ms
  isolation.check(now, others, TICK_MS)
}

describe('a node is isolated', () => {
  it('once nobody was heard for the time given, and says so once', () => {
    tick()
    tick()
    expect(isolation.isolated).toBe(false)
    for (let i = 0; i < 5; i++) tick()
    expect(isolation.isolated).toBe(true)
    expect(changes).toEqual([true])
  })

  it('not while anybody is heard', () => {
    for (let i = 0; i < 20; i++) {
      tick()
      if (i % 2 === 0) isolation.heard(now)
    }
    expect(changes).toEqual([])
  })

  it('until somebody is heard', () => {
    for (let i = 0; i < 5; i++) tick()
    isolation.heard(now)
    expect(isolation.isolated).toBe(false)
    expect(changes).toEqual([true, false])
    isolation.heard(now)
    expect(changes).toEqual([true, false])
  })

  it('never where there are no others, and not at once when there are', () => {
    for (let i = 0; i < 10; i++) tick(false)
    tick()
    tick()
    expect(changes).toEqual([])
    tick()
    expect(changes).toEqual([true])
  })
})

describe('time in which the node itself stood still', () => {
  it('is nobody’s silence', () => {
    tick()
    isolation.heard(now)
    tick(true, 60_000)
    expect(isolation.isolated).toBe(false)
    tick()
    expect(isolation.isolated).toBe(false)
    tick()
    expect(isolation.isolated).toBe(true)
  })

  it('does not put off what follows when somebody was heard right after it', () => {
    now += 60_000
    isolation.heard(now)
    isolation.check(now, true, TICK_MS)
    tick()
    tick()
    expect(isolation.isolated).toBe(false)
    tick()
    expect(isolation.isolated).toBe(true)
  })
})
