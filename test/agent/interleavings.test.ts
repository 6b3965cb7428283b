import { expect, test } from 'vitest'
import { checkInterleavings } from './check-interleavings.ts'

test('whatever befalls claims, owners, news and kernels: once healed, every kernel is as it should be', async () => {
  const tally = await checkInterleavings('test/agent/interleavings.test.ts', { numRuns: 300, seed: 20_001 })
  if (tally.runs === 1) return // A replay.
  expect(tally.failed).toBeGreaterThan(50)
  expect(tally.tampered).toBeGreaterThan(20)
  // Who acts on events and never looks ends wrong, in a kernel without any fault.
  expect(tally.wrongByEdges).toBeGreaterThan(0)
})
