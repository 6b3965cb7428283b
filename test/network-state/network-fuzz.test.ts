import { expect, test } from 'vitest'
import { emptyTally, fuzz } from './network-fuzz.ts'

test('networks with restarts, forgetting, late joins and cut streams keep every rule and come to agree', () => {
  const tally = emptyTally()
  for (let seed = 1; seed <= 1500; seed++) fuzz(seed, 400, tally)
  // Whatever the rules are about must have happened.
  for (const [what, count] of Object.entries(tally)) expect(count, what).toBeGreaterThan(10)
  console.info(tally)
}, 60_000)
