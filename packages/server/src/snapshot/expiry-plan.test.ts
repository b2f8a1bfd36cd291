import { expect, test } from 'vitest'
import { type ExpiryObserved, type ExpiryStep, longestWaitMs, planExpiry } from './expiry-plan.ts'

const due = new Date('2026-08-03T12:00:00Z')
const after = (ms: number) => new Date(due.getTime() + ms)
const base: ExpiryObserved = {
  now: due,
  expiresAt: '2026-08-03T14:00:00+02:00',
  deleting: false,
  finished: true,
  locked: false,
  usedBy: [],
}
const nothing: ExpiryStep = { do: 'nothing' }
const invalid: ExpiryStep = { do: 'tellInvalid', expiresAt: 'soon' }

const cases: Record<string, [Partial<ExpiryObserved>, ExpiryStep]> = {
  'deletes at the instant it names': [{}, { do: 'delete', due }],
  'deletes long after it': [{ now: after(1e12) }, { do: 'delete', due }],
  'waits one millisecond before it': [{ now: after(-1) }, { do: 'wait', recheckMs: 1 }],
  'waits for what is left': [{ now: after(-90_000) }, { do: 'wait', recheckMs: 90_000 }],
  'looks at the clock again when much is left': [
    { now: after(-30 * 86_400_000) },
    { do: 'wait', recheckMs: longestWaitMs },
  ],
  'waits while it is used and not finished, too': [
    { now: after(-1), finished: false, usedBy: ['VirtualMachineRestore back'] },
    { do: 'wait', recheckMs: 1 },
  ],
  'leaves alone what has no annotation': [{ expiresAt: undefined }, nothing],
  'leaves alone what is being deleted': [{ deleting: true }, nothing],
  'leaves alone what is not finished': [{ finished: false }, nothing],
  'leaves alone what is locked': [{ locked: true }, nothing],
  'sets no timer for what is locked': [{ locked: true, now: after(-1) }, nothing],
  'keeps what is in use': [
    { usedBy: ['VirtualMachineRestore back'] },
    { do: 'hold', usedBy: ['VirtualMachineRestore back'] },
  ],
  'does not hold what is locked as well': [{ usedBy: ['VirtualMachineRestore back'], locked: true }, nothing],
  'tells of what is no time': [{ expiresAt: 'soon' }, invalid],
  'tells of it when locked, and when not finished': [{ expiresAt: 'soon', locked: true, finished: false }, invalid],
  'tells of an empty one': [{ expiresAt: '' }, { do: 'tellInvalid', expiresAt: '' }],
  'says nothing of what is being deleted': [{ expiresAt: 'soon', deleting: true }, nothing],
}
test.each(Object.entries(cases))('%s', (_, [given, step]) => expect(planExpiry({ ...base, ...given })).toEqual(step))

test('no wait is longer than a timer can hold', () => {
  const forever = { ...base, expiresAt: '9999-12-31T23:59:59Z' }
  const step = planExpiry(forever)
  expect(step.do === 'wait' && step.recheckMs).toBeLessThan(2 ** 31)
})
