import fc from 'fast-check'
import { it } from 'vitest'
import { play, story } from '../examples/host-gateway/stories.ts'

it('host gateway agents have a subnet each, and keep it, after any of 60 stories', async () => {
  await fc.assert(fc.asyncProperty(story, play), { numRuns: 60, seed: 7 })
}, 120_000)
