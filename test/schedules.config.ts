import { defineConfig } from 'vitest/config'

// The crash schedules of the controllers, which `npm run check` runs some of, by the thousand; and what takes
// too long for a check.
export default defineConfig({
  test: {
    root: `${import.meta.dirname}/..`,
    include: ['packages/server/src/*/*schedules.test.ts', 'packages/server/src/**/*.long.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    pool: 'forks',
    maxWorkers: 2,
  },
})
