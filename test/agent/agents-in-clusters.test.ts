import fc from 'fast-check'
import { expect, test } from 'vitest'
import { endsWrong, schedule } from './agents-in-clusters.ts'

test('whatever befalls a cluster with agents: once healed, each kernel is as the containers are', async () => {
  const rule = fc.asyncProperty(schedule, async (drawn) => {
    expect(await endsWrong(drawn)).toEqual([])
  })
  await fc.assert(rule, { numRuns: 30, seed: 30_001 })
})
