import { expect, test } from 'vitest'
import { remedyFor } from './restore-remedy.ts'

const cases: Record<string, [string | undefined, string | undefined]> = {
  'a running target': [
    'Waiting for target VM to be powered off. Please stop the restore target',
    'Stop the virtual machine.',
  ],
  'a target that ran for too long': ['Restore target failed to be ready within 5m0s.', 'Stop the virtual machine.'],
  'a claim of somebody else': [
    'PVC web-root for volume root exists and does not belong to this restore; choose another name',
    'Choose another name for that claim, or delete the claim.',
  ],
  'a snapshot that is gone': ['VMSnapshot shop/monday does not exist', 'Restore from another snapshot.'],
  'a snapshot that is not ready': ['VMSnapshot shop/monday not ready', 'It goes on when the snapshot is ready.'],
  'data that is gone': ['missing volumeSnapshot cut-1', 'The data is gone; restore from another snapshot.'],
  'another restore': ['vm restore other in progress', 'It goes on when that is through.'],
  'work as usual': ['Creating new PVCs', undefined],
  nothing: [undefined, undefined],
}
test.each(Object.entries(cases))('%s', (_, [reason, text]) => expect(remedyFor(reason)?.text).toBe(text))
