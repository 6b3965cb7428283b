import { describe } from 'vitest'
import { missingForLab } from '../../examples/lab/lab.ts'

/** Why tests on the real kernel cannot run here; undefined where they can, and then they do. */
export const missing: string | undefined = missingForLab()

/**
 * `describe` for tests on the real kernel. Where there is none for us, they are skipped, and their name says
 * why.
 */
export function describeOnKernel(name: string, body: () => void): void {
  if (missing === undefined) describe(name, body)
  else describe.skip(`${name} (skipped: ${missing})`, body)
}
