import { failure } from '@stillpoint/api/meta/status-error'
import { expect, test } from 'vitest'
import { retryMs } from './backoff.ts'

const busy = (retryAfterSeconds: number) => failure(429, 'TooManyRequests', 'later', { retryAfterSeconds })
const cases: Record<string, [number, unknown, number]> = {
  'doubles from 5 ms': [4, new Error('no'), 40],
  'to 30 s': [40, new Error('no'), 30_000],
  'waits as long as the server asks': [1, busy(2), 2_000],
  'also when another error tells of it': [1, new Error('freeze', { cause: busy(2) }), 2_000],
  'but not for ever': [1, busy(86_400), 60_000],
  'and not shorter than after so many failures': [12, busy(2), 10_240],
}
test.each(Object.entries(cases))('%s', (_, [failures, error, ms]) => {
  expect(retryMs(failures, error, () => 0)).toBe(ms)
})
