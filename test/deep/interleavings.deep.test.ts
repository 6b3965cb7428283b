import { expect, test } from 'vitest'
import { checkInterleavings, share } from '../agent/check-interleavings.ts'

const RUNS = Number(process.env.HEARSAY_INTERLEAVINGS ?? 20_000)

test(`of ${RUNS} interleavings of claims, moves, failures and returns none ends with a wrong kernel`, async () => {
  const tally = await checkInterleavings('test/deep/interleavings.deep.test.ts', { numRuns: RUNS, seed: 7 })
  console.info(tally, `edge-triggered: wrong in ${share(tally)}`)
  if (tally.runs > 1) expect(tally.wrongByEdges).toBeGreaterThan(0)
}, 3_600_000)
