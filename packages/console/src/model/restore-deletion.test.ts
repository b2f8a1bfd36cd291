import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { expect, test } from 'vitest'
import { restoreDeletion } from './restore-deletion.ts'
import { hoursAgo, restore, vm } from './testing/objects.ts'

const complete = { complete: true, restoreTime: hoursAgo(1) }
const failed = { conditions: [{ type: 'Failure', status: 'True', reason: 'no' }] } as const
const switched = (by: string) => vm({ metadata: { annotations: { 'restore.kubevirt.io/lastRestoreUID': by } } })
const kept = { annotations: { 'restore.stillpoint.dev/before-snapshot': 'was' } }

const cases: Record<string, [VirtualMachineRestore, KubeObject | null | undefined, string]> = {
  'complete: the record': [
    restore({ status: complete }),
    vm(),
    'Only the record goes: web-1 stays as it is now, restored.',
  ],
  'complete, with a way back: that too': [
    restore({ status: complete, metadata: kept }),
    vm(),
    'Only the record goes: web-1 stays as it is now, restored. Undo is no longer offered. The snapshot was of what it replaced stays until it expires.',
  ],
  'at work: given up': [
    restore({ metadata: kept }),
    vm(),
    'The restore is given up and rolled back. web-1 stays as it was before, and the disks that are half made are deleted.',
  ],
  'at work, target not known': [
    restore(),
    undefined,
    'The restore is given up and rolled back. web-1 stays as it was before, and the disks that are half made are deleted.',
  ],
  'at work for a new VM': [
    restore(),
    null,
    'The restore is given up and rolled back. No web-1 is made, and the disks that are half made are deleted.',
  ],
  'at work after the switch: too late': [
    restore(),
    switched('back-restore-uid'),
    'web-1 has its restored disks already, and keeps them: this can no longer be given up.',
  ],
  'at work after the switch of another': [
    restore(),
    switched('back-other-uid'),
    'The restore is given up and rolled back. web-1 stays as it was before, and the disks that are half made are deleted.',
  ],
  'failed: what it left': [
    restore({ status: { conditions: [...failed.conditions] } }),
    vm(),
    'web-1 stays as it was before, and the disks that were half made are deleted.',
  ],
}
test.each(Object.entries(cases))('%s', (_, [given, target, text]) =>
  expect(restoreDeletion(given, target).join(' ')).toBe(text),
)
