import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** Larger worlds and longer fuzzing, with fixed seeds: minutes, not seconds. */
export default defineConfig({
  test: {
    include: ['test/deep/**/*.test.ts'],
    testTimeout: 300_000,
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
})
