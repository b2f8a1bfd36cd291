import type { Condition } from '@stillpoint/api/meta/condition'
import type { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { expect, test } from 'vitest'
import { remedyOf, whyNotComplete } from './restore-why.ts'
import { hoursAgo, now, restore, secondsAgo } from './testing/objects.ts'
import type { Why } from './why.ts'

const says = (type: string, status: 'True' | 'False', reason: string, more: Partial<Condition> = {}) =>
  restore({ status: { conditions: [{ type, status, reason, lastTransitionTime: secondsAgo(9), ...more }] } })
const powerOff = 'Waiting for target VM to be powered off. Please stop the restore target to proceed with restore'

const cases: Record<string, [VirtualMachineRestore, Partial<Why> | undefined]> = {
  'complete: nothing to ask': [restore({ status: { complete: true, restoreTime: hoursAgo(1) } }), undefined],
  'new: since it was made': [
    restore(),
    { happened: 'Nobody has looked at it yet.', sinceMs: 3_600_000, tone: 'neutral' },
  ],
  'at work: nothing to do': [
    says('Progressing', 'True', 'Creating new PVCs'),
    {
      title: 'Why is it not complete?',
      happened: 'Making the disks',
      told: ['Creating new PVCs'],
      sinceMs: 9_000,
      remedy: 'Nothing: it goes on by itself.',
    },
  ],
  'waiting for the guest: stop it': [
    says('Progressing', 'False', powerOff),
    { tone: 'warning', remedy: 'Stop the virtual machine. The restore is tried again by itself.' },
  ],
  'held up by what is not known': [
    says('Progressing', 'False', 'the moon is full'),
    { happened: 'Held up', told: ['the moon is full'], remedy: expect.stringContaining('every 30 seconds') },
  ],
  'failed of what is known': [
    says('Failure', 'True', 'PVC a for volume root exists and does not belong to this restore; choose another name'),
    { title: 'Why has it failed?', tone: 'danger', remedy: expect.stringMatching(/delete the claim\. Then restore/) },
  ],
  'failed, with the cause in the message': [
    says('Failure', 'True', 'Restore failed', { message: 'exceeded quota' }),
    { happened: 'Restore failed', told: ['exceeded quota'], remedy: expect.stringContaining('Make room in the quota') },
  ],
  'failed of what is not known': [
    says('Failure', 'True', 'Restore failed'),
    { remedy: 'The virtual machine is as it was before. Settle the cause, then restore again.' },
  ],
  'failed without a word': [
    restore({ status: { conditions: [{ type: 'Failure', status: 'True', lastTransitionTime: secondsAgo(9) }] } }),
    { title: 'Why has it failed?', happened: 'No reason was given.', told: [] },
  ],
  'being deleted': [
    restore({ metadata: { deletionTimestamp: secondsAgo(5) } }),
    { title: 'Why is it still there?', sinceMs: 5_000, told: ['What it has not finished is undone'] },
  ],
}
test.each(Object.entries(cases))('%s', (_, [given, expected]) => {
  const why = whyNotComplete(given, now)
  if (expected === undefined) expect(why).toBeUndefined()
  else expect(why).toMatchObject(expected)
})

test('the remedy of a running target is to stop it', () =>
  expect(remedyOf(says('Progressing', 'False', powerOff))?.stop).toBe(true))

test('what goes by itself has no remedy, whatever is in its way meanwhile', () =>
  expect(remedyOf(says('Progressing', 'True', 'Creating new PVCs', { message: 'exceeded quota' }))).toBeUndefined())
