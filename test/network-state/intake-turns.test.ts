import { beforeEach, describe, expect, it } from 'vitest'
import { IntakeTurns } from '../../src/network-state/intake-turns.ts'
import { TestClock } from '../dissemination/test-clock.ts'

let clock: TestClock
let turns: IntakeTurns
let woken: string[]
const [first, second, third] = [{}, {}, {}]

function wake(name: string): () => void {
  return () => woken.push(name)
}

beforeEach(() => {
  clock = new TestClock()
  turns = new IntakeTurns(clock.runtime(1))
  woken = []
})

describe('exchanges of one network', () => {
  it('may all ask while nothing comes', () => {
    expect(turns.mayAsk(first, wake('first'))).toBe(true)
    expect(turns.mayAsk(second, wake('second'))).toBe(true)
  })

  it('wait while another one takes in, until that is over', () => {
    turns.tookIn(first)
    expect(turns.mayAsk(second, wake('second'))).toBe(false)
    expect(turns.mayAsk(third, wake('third'))).toBe(false)
    for (let i = 0; i < 10; i++) {
      clock.run(400)
      turns.tookIn(first)
    }
    expect(woken).toEqual([])
    turns.over(first)
    expect(woken).toEqual(['second', 'third'])
    expect(turns.mayAsk(second, wake('second'))).toBe(true)
  })

  it('do not wait for one to which nothing comes any more', () => {
    turns.tookIn(first)
    clock.run(300)
    expect(turns.mayAsk(second, wake('second'))).toBe(false)
    clock.run(199)
    expect(woken).toEqual([])
    clock.run(1)
    expect(woken).toEqual(['second'])
    expect(turns.mayAsk(second, wake('second'))).toBe(true)
  })

  it('wait for the one that goes on, when others that took in at the same time are over', () => {
    turns.tookIn(first)
    turns.tookIn(second)
    turns.over(first)
    turns.tookIn(second)
    expect(turns.mayAsk(third, wake('third'))).toBe(false)
    turns.over(second)
    expect(woken).toEqual(['third'])
  })

  it('are forgotten when they end while they wait', () => {
    turns.tookIn(first)
    turns.mayAsk(second, wake('second'))
    turns.over(second)
    turns.over(first)
    clock.run(10_000)
    expect(woken).toEqual([])
    expect(clock.waiting).toBe(0)
  })
})
