import { expect, test } from 'vitest'
import { emptyTally, fuzz } from '../network-state/network-fuzz.ts'

test('networks with restarts, forgetting, late joins and cut streams keep every rule, many and for long', () => {
  const tally = emptyTally()
  for (let seed = 10_001; seed <= 18_000; seed++) fuzz(seed, 400, tally)
  for (let seed = 20_001; seed <= 20_040; seed++) fuzz(seed, 40_000, tally)
  for (const [what, count] of Object.entries(tally)) expect(count, what).toBeGreaterThan(100)
  console.info(tally)
}, 300_000)
