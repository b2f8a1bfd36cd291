import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['packages/*/src/**/*.test.ts', 'scripts/**/*.test.ts'],
    // Those run with the crash schedules: test/schedules.config.ts.
    exclude: ['**/node_modules/**', '**/*.long.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    pool: 'forks',
    // Test files of a worker share their modules: loading them again for each took a fifth of the time. What a file
    // changes outside itself (timers, environment) it puts back.
    isolate: false,
    // Most tests wait for a server or a disk rather than for a processor.
    maxWorkers: 4,
  },
})
