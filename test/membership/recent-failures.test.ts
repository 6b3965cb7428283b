import { beforeEach, describe, expect, it } from 'vitest'
import { Member } from '../../src/membership/member.ts'
import { RecentFailures } from '../../src/membership/recent-failures.ts'
import { randomNumbers } from '../dissemination/test-clock.ts'
import { recordOf } from './records.ts'

const NOW = -50_000
let failures: RecentFailures

beforeEach(() => {
  failures = new RecentFailures()
})

function fail(count: number, at = NOW): Member[] {
  return Array.from({ length: count }, (_, i) => {
    const member = new Member(recordOf(`gone${i}`))
    member.verdict = 'failed'
    failures.note(member, at)
    return member
  })
}

/** How many of so many slots went to members that failed. */
function drawn(slots: number, live: number, now = NOW): number {
  const random = randomNumbers(1)
  let count = 0
  for (let i = 0; i < slots; i++) if (failures.draw(live, random, now) !== undefined) count++
  return count
}

describe('news are sent more often', () => {
  it('by the share of members that have just failed, at most four times', () => {
    expect(failures.boost(20, NOW)).toBe(1)
    fail(10)
    expect(failures.boost(20, NOW)).toBe(1.5)
    expect(failures.boost(10, NOW)).toBe(2)
    fail(90)
    expect(failures.boost(10, NOW)).toBe(4)
  })

  it('for fifteen seconds', () => {
    fail(10)
    fail(10, NOW + 1_000)
    expect(failures.boost(20, NOW + 14_999)).toBe(2)
    expect(failures.boost(20, NOW + 15_000)).toBe(1.5)
    expect(failures.boost(20, NOW + 16_000)).toBe(1)
  })
})

describe('a recently failed member', () => {
  it('gets a tenth of the gossip that a live one gets', () => {
    fail(20)
    // 20 of them weigh as much as 2 that live.
    expect(drawn(30_000, 18) / 30_000).toBeCloseTo(2 / 20, 2)
  })

  it('is chosen as often as any other', () => {
    const members = fail(4)
    const random = randomNumbers(1)
    const counts = new Map<Member | undefined, number>()
    for (let i = 0; i < 40_000; i++) {
      const member = failures.draw(4, random, NOW)
      counts.set(member, (counts.get(member) ?? 0) + 1)
    }
    for (const member of members) expect(counts.get(member)! / 40_000).toBeCloseTo(0.1 / 4.4, 2)
  })

  it('gets none when it is back, or has been gone for long', () => {
    const [member] = fail(1)
    expect(drawn(1_000, 1)).toBeGreaterThan(0)
    expect(drawn(1_000, 1, NOW + 15_000)).toBe(0)
    fail(0)
    failures.note(member!, NOW)
    member!.verdict = 'alive'
    expect(drawn(1_000, 1)).toBe(0)
  })

  it('costs no random number where there is none', () => {
    failures.draw(
      10,
      () => {
        throw new Error('drawn')
      },
      NOW,
    )
  })
})
