import fc from 'fast-check'
import { expect } from 'vitest'
import { Fleet, hosts, losses, poolOf } from './fleet.ts'

const HOSTS = 12

export type Step =
  | { readonly type: 'start' | 'stop' | 'kill' | 'crash'; readonly host: string }
  | { readonly type: 'partition'; readonly sides: readonly boolean[] }
  | { readonly type: 'heal' }
  | { readonly type: 'wait'; readonly ms: number }

export interface Story {
  readonly seed: number
  /** How many hosts start together at the beginning. */
  readonly first: number
  readonly steps: readonly Step[]
}

const host = fc.constantFrom(...hosts(HOSTS))
const sides = fc.array(fc.boolean(), { minLength: HOSTS, maxLength: HOSTS })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('start' as const), host }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constantFrom('stop' as const, 'kill' as const, 'crash' as const), host }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('partition' as const), sides }) },
  { weight: 1, arbitrary: fc.constant({ type: 'heal' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('wait' as const), ms: fc.constantFrom(50, 600, 4_000) }),
  },
)

/** Hardly more subnets than hosts, so that they meet often. */
export const story: fc.Arbitrary<Story> = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  first: fc.integer({ min: 3, max: 6 }),
  steps: fc.array(step, { minLength: 5, maxLength: 15 }),
})

/**
 * Plays it, lets quiet return, and sees that everyone has a subnet of their own and the routes to all others,
 * that nobody lost one without a rival who had claimed it out of sight, and that it stays so.
 */
export async function play({ seed, first, steps }: Story): Promise<void> {
  const fleet = new Fleet(seed, poolOf('10.42.0.0/20', 24))
  await fleet.startAll(hosts(first))
  let isCut = false
  let startsInSecret = 0
  for (const step of steps) {
    if (step.type === 'wait') await fleet.sim.advance(step.ms)
    else if (step.type === 'heal') {
      fleet.sim.heal()
      isCut = false
    } else if (step.type === 'partition') {
      const all = hosts(HOSTS)
      fleet.partition(
        all.filter((_, index) => step.sides[index]),
        all.filter((_, index) => !step.sides[index]),
      )
      isCut = true
    } else if (step.type === 'start') {
      if (fleet.isRunning(step.host)) continue
      await fleet.start(step.host)
      startsInSecret += Number(isCut)
    } else if (fleet.isRunning(step.host)) {
      await fleet[step.type](step.host)
    }
  }
  // Who waits for quiet across a cut claims in secret as well, though it started before.
  startsInSecret += steps.some(({ type }) => type === 'partition') ? first : 0
  fleet.sim.heal()
  for (const name of hosts(3)) if (!fleet.isRunning(name)) await fleet.start(name)
  await fleet.untilWell(120_000)
  expect(losses(fleet)).toBeLessThanOrEqual(startsInSecret)
  const { length } = fleet.diary
  await fleet.sim.advance(30_000)
  expect(fleet.wrongs()).toEqual([])
  expect(fleet.diary).toHaveLength(length)
}
