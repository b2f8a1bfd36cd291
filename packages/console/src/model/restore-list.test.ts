import type { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { expect, test } from 'vitest'
import { filterRestores, isRestoredFrom, type RestoreFilter, restoreState } from './restore-list.ts'
import { hoursAgo, restore, snapshot } from './testing/objects.ts'

const named = (name: string, status?: VirtualMachineRestore['status']): VirtualMachineRestore =>
  restore({ metadata: { name }, status })
const all = [
  named('new'),
  named('web-working', { conditions: [{ type: 'Progressing', status: 'True', reason: 'Creating new PVCs' }] }),
  named('web-done', { complete: true, restoreTime: hoursAgo(1) }),
  named('db-failed', { complete: false, conditions: [{ type: 'Failure', status: 'True', reason: 'quota' }] }),
]

test('each restore is in one state', () =>
  expect(all.map(restoreState)).toEqual(['at-work', 'at-work', 'complete', 'failed']))

const filters: Record<string, [RestoreFilter, string[]]> = {
  all: [{ name: ' ', states: [] }, ['new', 'web-working', 'web-done', 'db-failed']],
  'by part of the name, however it is written': [{ name: 'WEB', states: [] }, ['web-working', 'web-done']],
  'by one state': [{ name: '', states: ['failed'] }, ['db-failed']],
  'by several states': [{ name: '', states: ['at-work', 'complete'] }, ['new', 'web-working', 'web-done']],
  'by both': [{ name: 'web', states: ['complete'] }, ['web-done']],
  'by a state there is not': [{ name: '', states: ['lost'] }, []],
}
test.each(Object.entries(filters))('finds %s', (_, [filter, names]) =>
  expect(filterRestores(all, filter).map(({ metadata }) => metadata.name)).toEqual(names),
)

test('without filters the list is the same one', () => expect(filterRestores(all, { name: '', states: [] })).toBe(all))

const done = restore({ status: { complete: true, restoreTime: hoursAgo(1) } })
const taken = (hours: number) => snapshot({ metadata: { creationTimestamp: hoursAgo(hours) } })
test.each([
  ['one taken before', done, taken(2), true],
  ['not one of its name taken afterwards', done, taken(0.5), false],
  ['one it still waits for', restore(), taken(0.5), true],
])('restored from: %s', (_, given, of, expected) => expect(isRestoredFrom(given, of)).toBe(expected))
