import { beforeEach, describe, expect, it } from 'vitest'
import type { OwnerStatus } from '../../src/network-state/owners.ts'
import { Withdrawal, type WithdrawalOptions } from '../../src/network-state/withdrawal.ts'
import { TestClock } from '../dissemination/test-clock.ts'

let clock: TestClock
let status: OwnerStatus | undefined
let isolated: boolean
let told: (string | undefined)[]
let withdrawal: Withdrawal

function begin(options: Partial<WithdrawalOptions> = {}): void {
  clock = new TestClock()
  status = 'reachable'
  isolated = false
  told = []
  withdrawal = new Withdrawal(
    clock.runtime(1),
    { withdrawAfterMs: 1_000, reconnectGraceMs: 500, ...options },
    {
      status: () => status,
      epoch: () => undefined,
      peer: () => undefined,
      peers: () => [],
      get isolated() {
        return isolated
      },
    },
    (owner) => told.push(withdrawal.reason(owner)),
  )
}

function becomes(now: OwnerStatus | undefined): void {
  status = now
  withdrawal.update('a')
}

function setIsolated(now: boolean): void {
  isolated = now
  withdrawal.isolationChanged()
}

beforeEach(() => begin())

describe('the entries of an owner', () => {
  it('are withdrawn when it has been failed for the hold-down, which nothing prolongs', () => {
    becomes('failed')
    clock.run(600)
    becomes('failed')
    clock.run(399)
    expect(told).toEqual([])
    clock.run(1)
    expect(told).toEqual(['failed'])
    becomes('failed')
    clock.run(2_000)
    expect(told).toEqual(['failed'])
  })

  it('are withdrawn at once without a hold-down, and when it leaves, failed before or not', () => {
    becomes('failed')
    becomes('left')
    expect(told).toEqual(['left'])
    clock.run(2_000)
    expect(told).toEqual(['left'])
    begin({ withdrawAfterMs: 0 })
    becomes('failed')
    becomes('left')
    expect(told).toEqual(['failed', 'left'])
  })

  it('stay if it is back within the hold-down, whose time begins anew with the next failure', () => {
    becomes('failed')
    clock.run(900)
    becomes('reachable')
    clock.run(900)
    becomes('failed')
    clock.run(999)
    expect(told).toEqual([])
    clock.run(1)
    becomes('reachable')
    expect(told).toEqual(['failed', undefined])
  })

  it('stay while this node is isolated and until the grace after that is over, unless it left', () => {
    setIsolated(true)
    becomes('failed')
    clock.run(60_000)
    becomes('failed')
    setIsolated(false)
    clock.run(499)
    setIsolated(true)
    clock.run(60_000)
    setIsolated(false)
    clock.run(499)
    expect(told).toEqual([])
    clock.run(1)
    expect(told).toEqual(['failed'])
    begin()
    setIsolated(true)
    becomes('left')
    expect(told).toEqual(['left'])
  })

  it('stay if it answers before the grace is over', () => {
    setIsolated(true)
    becomes('failed')
    clock.run(5_000)
    setIsolated(false)
    clock.run(100)
    becomes('reachable')
    clock.run(5_000)
    expect(told).toEqual([])
  })

  it('are no matter any more once it is forgotten', () => {
    becomes('failed')
    clock.run(1_000)
    becomes(undefined)
    expect(withdrawal.reason('a')).toBeUndefined()
    becomes('failed')
    withdrawal.stop()
    expect(clock.waiting).toBe(0)
  })
})
