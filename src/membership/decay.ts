/** (1 + x/2ⁿ)^(−2ⁿ), by n squarings, comes close to e^(−x). */
const STEPS = 8

/**
 * What is left of a thing after `elapsedMs` if it decays exponentially with the time constant `tauMs`: 1 to 0. Basic
 * arithmetic alone, exact to 1 % within the first two time constants: `Math.exp` may differ in its last bit from one engine
 * to the next, and what a node decides must not.
 */
export function decay(elapsedMs: number, tauMs: number): number {
  let left = 1 / (1 + elapsedMs / tauMs / 2 ** STEPS)
  for (let i = 0; i < STEPS; i++) left *= left
  return left
}
