import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { expect, test } from 'vitest'
import { whyNotDone } from './snapshot-why.ts'
import { now, secondsAgo, snapshot, succeeded } from './testing/objects.ts'

const young = { creationTimestamp: secondsAgo(30) }
const atWork = (reason: string): VirtualMachineSnapshot =>
  snapshot({
    metadata: young,
    status: { phase: 'InProgress', conditions: [{ type: 'Progressing', status: 'False', reason }] },
  })
const failed = (reason: string, message?: string): VirtualMachineSnapshot =>
  snapshot({
    status: {
      phase: 'Failed',
      conditions: [{ type: 'Failure', status: 'True', reason, lastTransitionTime: secondsAgo(9) }],
      ...(message === undefined ? {} : { error: { message } }),
    },
  })

const cases: Record<string, [VirtualMachineSnapshot, [string, string, string]]> = {
  'one that failed of its deadline': [
    failed('snapshot deadline exceeded'),
    ['Why has it failed?', 'snapshot deadline exceeded', 'See the events'],
  ],
  'the cause of a deadline counts more': [
    failed('snapshot deadline exceeded', 'no space left on device'),
    ['Why has it failed?', 'snapshot deadline exceeded: no space left on device', 'Make room'],
  ],
  'one whose agent did not answer': [
    failed('required consistency cannot be reached: no guest agent'),
    ['Why has it failed?', 'required consistency', 'See to the agent'],
  ],
  'one at work': [
    atWork('Source locked and operation in progress'),
    ['Why is it not ready?', 'It is being taken.', 'Its deadline is in 5 minutes.'],
  ],
  'one that waits for another': [
    atWork('Source not locked, snapshot "other" in progress'),
    ['Why is it not ready?', 'snapshot "other" in progress', 'when that is through'],
  ],
  'one without a deadline': [
    { ...atWork('Source locked and operation in progress'), spec: { ...snapshot().spec, failureDeadline: '0' } },
    ['Why is it not ready?', 'It is being taken.', 'It has no deadline.'],
  ],
  'one that nobody takes up': [
    snapshot({ status: {} }),
    ['Why has it not begun?', 'snapshot controller running', 'Start the snapshot controller.'],
  ],
  'one whose data is gone': [
    snapshot({
      status: { ...succeeded, readyToUse: false, error: { message: 'VirtualMachineSnapshotContent x missing' } },
    }),
    ['Why is it not ready?', 'VirtualMachineSnapshotContent x missing', 'Its data has been deleted.'],
  ],
  'one that is being deleted': [
    snapshot({ metadata: { deletionTimestamp: secondsAgo(3) } }),
    ['Why is it still there?', 'Waits', 'it goes by itself'],
  ],
  'one of an unknown state': [
    snapshot({ status: { phase: 'Unknown' } }),
    ['Why is its state unknown?', 'cannot tell', 'Look at its events'],
  ],
}
test.each(Object.entries(cases))('%s', (_, [given, [title, happened, remedy]]) => {
  const why = whyNotDone(given, now)
  expect(why?.title).toBe(title)
  expect(why?.happened).toContain(happened)
  expect(why?.remedy).toContain(remedy)
})

test('of what is ready there is nothing to ask', () => expect(whyNotDone(snapshot(), now)).toBeUndefined())
test('since when is told', () => expect(whyNotDone(failed('x'), now)?.sinceMs).toBe(9_000))
