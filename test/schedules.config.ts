import { defineConfig } from 'vitest/config'

// The crash schedules of the controllers, which `npm run check` runs a few hundred of, by the thousand.
export default defineConfig({
  test: {
    root: `${import.meta.dirname}/..`,
    include: ['packages/server/src/*/schedules.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
  },
})
