import { defineConfig } from 'vitest/config'

// Each test boots machines of its own; two at once is what two processors can serve without stretching every limit.
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['**/*.test.ts'],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    teardownTimeout: 30_000,
    pool: 'forks',
    maxWorkers: 2,
  },
})
