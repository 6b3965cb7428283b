import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/deep/**', 'test/bench/**'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Much of the time of tests is waiting: two at once, also where there are two cores only.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
})
