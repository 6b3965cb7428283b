import { beforeEach, describe, expect, it } from 'vitest'
import { SubnetKeeper } from '../../../examples/host-gateway/subnet-keeper.ts'
import type { SubnetClaim } from '../../../examples/host-gateway/subnets.ts'
import type { Cluster } from '../../../src/index.ts'
import { poolOf } from './fleet.ts'

const POOL = poolOf('10.42.0.0/22', 24)
const [A, B, C, D] = [...POOL.inOrderOf('h1')] as [string, string, string, string]
const QUIET_MS = 500

/** Time that passes when it is told to. */
class HandClock {
  #now = 0
  readonly #timers = new Map<object, { readonly at: number; readonly callback: () => void }>()

  now(): number {
    return this.#now
  }

  setTimer(delayMs: number, callback: () => void): { cancel(): void } {
    const timer = { cancel: () => void this.#timers.delete(timer) }
    this.#timers.set(timer, { at: this.#now + delayMs, callback })
    return timer
  }

  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0]
      if (due === undefined) break
      const [timer, { at, callback }] = due
      this.#timers.delete(timer)
      this.#now = Math.max(this.#now, at)
      callback()
    }
    this.#now = end
  }
}

describe('the keeper of a subnet', () => {
  let clock: HandClock
  /** Claimants by subnet, the winner first. */
  let claims: Map<string, string[]>
  let told: (string | undefined)[]
  let problems: string[]
  let isolated: boolean
  let synced: boolean
  let refusal: Error | undefined
  let keeper: SubnetKeeper

  const make = (preferred?: string): void => {
    const owned = (subnet: string): SubnetClaim => ({ gateway: `via ${subnet}` })
    keeper = new SubnetKeeper({
      cluster: {
        self: { name: 'h1' } as Cluster['self'],
        get isolated() {
          return isolated
        },
      },
      network: {
        get synced() {
          return synced
        },
      },
      table: {
        *entries() {
          for (const [subnet, [owner = '']] of claims)
            yield [subnet, { value: owned(subnet), owner }] as const
        },
        claims: (subnet) =>
          (claims.get(subnet) ?? []).map((owner) => ({ value: owned(subnet), owner, hidden: false })),
        replaceOwn(entries) {
          if (refusal !== undefined) throw refusal
          const wanted = new Set([...entries].map(([subnet]) => subnet))
          for (const [subnet, owners] of claims) {
            const left = owners.filter((owner) => owner !== 'h1' || wanted.has(subnet))
            if (left.length === 0) claims.delete(subnet)
            else claims.set(subnet, left)
          }
          for (const subnet of wanted) {
            const owners = claims.get(subnet) ?? []
            // The latest claim wins.
            if (!owners.includes('h1')) claims.set(subnet, ['h1', ...owners])
          }
        },
      },
      pool: POOL,
      gateway: '10.77.0.1',
      preferred,
      quietMs: QUIET_MS,
      reuseAfterMs: 60_000,
      clock,
      onSubnet: (subnet) => told.push(subnet),
      onProblem: ({ code }) => problems.push(code),
    })
    keeper.look()
  }
  /** As when others write. */
  const others = (changed: Readonly<Record<string, string[]>>): void => {
    for (const [subnet, owners] of Object.entries(changed)) claims.set(subnet, owners)
    keeper.changed()
  }

  beforeEach(() => {
    clock = new HandClock()
    claims = new Map()
    told = []
    problems = []
    isolated = false
    synced = true
    refusal = undefined
  })

  it('claims once there has been quiet, and tells the application after as much again', () => {
    make()
    clock.advance(QUIET_MS - 1)
    expect(claims.size).toBe(0)
    clock.advance(1)
    expect(claims.get(A)).toEqual(['h1'])
    expect([keeper.state, told]).toEqual(['claiming', []])
    clock.advance(QUIET_MS - 1)
    expect(told).toEqual([])
    clock.advance(1)
    expect([keeper.state, keeper.subnet, told]).toEqual(['held', A, [A]])
  })

  it('goes on at once with a claim of its former life', () => {
    claims.set(B, ['h1'])
    make(A)
    expect([keeper.state, told]).toEqual(['held', [B]])
  })

  it('tells nothing of a claim that was lost before it was safe', () => {
    make()
    clock.advance(QUIET_MS)
    others({ [A]: ['h2', 'h1'] })
    expect(claims.get(A)).toEqual(['h2'])
    clock.advance(10 * QUIET_MS)
    expect(told).toEqual([B])
    expect(problems).toEqual([])
  })

  it('lets go at once of a subnet that another has won, and takes the next one after quiet only', () => {
    make()
    clock.advance(2 * QUIET_MS)
    others({ [A]: ['h2', 'h1'] })
    expect([claims.get(A), told, problems]).toEqual([['h2'], [A, undefined], ['ERR_SUBNET_CONTESTED']])
    clock.advance(QUIET_MS - 1)
    // What comes to light while a partition heals.
    others({ [B]: ['h3'] })
    clock.advance(QUIET_MS - 1)
    others({ [C]: ['h4'] })
    clock.advance(QUIET_MS - 1)
    expect(claims.get(D)).toBeUndefined()
    clock.advance(1 + QUIET_MS)
    expect([claims.get(D), told]).toEqual([['h1'], [A, undefined, D]])
  })

  it('does not wait for quiet for ever', () => {
    make()
    for (let time = 0; time < 10 * QUIET_MS; time += 100) {
      clock.advance(100)
      others({ [B]: [`h${time}`] })
    }
    expect(claims.get(A)).toEqual(['h1'])
  })

  it('claims nothing while it is cut off, or does not know the state', () => {
    isolated = true
    make(A)
    clock.advance(60_000)
    isolated = false
    synced = false
    clock.advance(60_000)
    expect(claims.size).toBe(0)
    synced = true
    clock.advance(2 * QUIET_MS)
    expect(told).toEqual([A])
  })

  it('keeps what it has while it is cut off', () => {
    make()
    clock.advance(2 * QUIET_MS)
    isolated = true
    keeper.changed()
    clock.advance(60_000)
    expect(told).toEqual([A])
  })

  it('says once that nothing is left, and takes what gets free', () => {
    for (const subnet of [A, B, C, D]) claims.set(subnet, [`owner of ${subnet}`])
    make()
    clock.advance(60_000)
    expect([keeper.state, problems]).toEqual(['exhausted', ['ERR_RANGE_EXHAUSTED']])
    expect(keeper.problems).toMatchObject([{ code: 'ERR_RANGE_EXHAUSTED' }])
    claims.delete(C)
    keeper.changed()
    clock.advance(2 * QUIET_MS)
    expect([told, keeper.problems]).toEqual([[C], []])
  })

  it('reports a claim that the table does not take, and tries again', () => {
    refusal = new Error('the name is taken')
    make()
    clock.advance(QUIET_MS)
    expect(problems).toEqual(['ERR_CLAIM_FAILED'])
    refusal = undefined
    clock.advance(60_000)
    expect(told).toEqual([A])
  })

  it('does nothing any more once it is stopped', () => {
    make()
    keeper.stop()
    keeper.changed()
    clock.advance(60_000)
    expect(claims.size).toBe(0)
  })
})
