import fc from 'fast-check'
import { interleaving } from './interleaving-steps.ts'
import { run } from './interleaving-world.ts'

/** What the interleavings did: those in which nothing fails prove nothing about failures. */
export interface Tally {
  runs: number
  passes: number
  failed: number
  tampered: number
  /** Of those in which nothing is contested in the end. */
  calm: number
  wrongByEdges: number
}

/**
 * Runs so many interleavings, or with `HEARSAY_REPLAY=SEED:PATH` the one that failed. Throws with the smallest that
 * ends wrong and the command that replays it.
 */
export async function checkInterleavings(
  testFile: string,
  options: { numRuns: number; seed: number },
): Promise<Tally> {
  const tally: Tally = { runs: 0, passes: 0, failed: 0, tampered: 0, calm: 0, wrongByEdges: 0 }
  const rule = fc.asyncProperty(interleaving, async (drawn) => {
    const { wrong, wrongByEdges, contested, passes, failed, tampered } = await run(drawn)
    tally.runs++
    tally.passes += passes
    tally.failed += failed
    tally.tampered += tampered
    if (!contested) tally.calm++
    if (!contested && wrongByEdges.length > 0) tally.wrongByEdges++
    if (wrong.length > 0) throw new Error(wrong.join('\n'))
  })
  const [seed, path] = process.env.HEARSAY_REPLAY?.split(/:(.*)/) ?? []
  const replayed = seed === undefined ? options : { seed: Number(seed), path: path ?? '', endOnFailure: true }
  const result = await fc.check(rule, replayed)
  if (!result.failed) return tally
  const config = testFile.includes('.deep.') ? ' --config vitest.deep.config.ts' : ''
  throw new Error(
    [
      `after ${result.numRuns} interleavings one ends wrong: ${result.errorInstance}`,
      `shrunk ${result.numShrinks} times to ${fc.stringify(result.counterexample?.[0])}`,
      `replay with: HEARSAY_REPLAY=${result.seed}:${result.counterexamplePath} npx vitest run${config} ${testFile}`,
    ].join('\n'),
  )
}

export function share(tally: Tally): string {
  return `${((100 * tally.wrongByEdges) / tally.calm).toFixed(1)} %`
}
