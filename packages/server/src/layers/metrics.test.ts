import { expect, test } from 'vitest'
import { accountMetrics, parseAccountMetrics } from './metrics.ts'

test('an account survives its way through the metrics', () => {
  const account = {
    storeBytes: 4_096,
    volumes: [{ id: 'v1', uniqueBytes: 1, sharedBytes: 2 }],
    snapshots: [
      { id: 's1', uniqueBytes: 3, sharedBytes: 4 },
      { id: 's2', uniqueBytes: 0, sharedBytes: 0 },
    ],
  }
  expect(parseAccountMetrics(`# of somebody else\nother_metric 5\n${accountMetrics(account)}`)).toEqual(account)
})
