import fc from 'fast-check'
import { describe, it } from 'vitest'
import { anything, coming, endsRight, worldOf } from './story.ts'

describe('the state of networks', () => {
  it('is right in the end, whoever joins, leaves and joins again, in any order and at any speed', async () => {
    const world = worldOf({ hosts: [2, 6], networks: [1, 1] })
    await fc.assert(fc.asyncProperty(world, coming, endsRight), { numRuns: 20, seed: 2 })
  })

  it('is the same everywhere in the end, and exactly what its owners have, whatever befell them', async () => {
    const world = worldOf({ hosts: [2, 10], networks: [1, 5] })
    await fc.assert(fc.asyncProperty(world, anything, endsRight), { numRuns: 12, seed: 2 })
  })
})
