import { Event } from '@stillpoint/api/core/event'
import { objectOf } from '@stillpoint/api/schema/resource'
import { expect, test } from 'vitest'
import { shownEvents } from './events.ts'
import { hoursAgo, restore, snapshot, vm } from './testing/objects.ts'
import { eventsOfVm, filterEvents } from './vm-events.ts'

const machine = vm({
  spec: {
    template: {
      spec: { domain: { devices: {} }, volumes: [{ name: 'root', dataVolume: { name: 'web-1-root' } }] },
    },
  },
})
const about = (name: string, involvedObject: Event['involvedObject'], more: Partial<Event> = {}): Event =>
  objectOf(
    Event,
    { name, namespace: 'shop', uid: name, creationTimestamp: hoursAgo(1) },
    { involvedObject, reason: name, ...more },
  )

const events = [
  about('own', { kind: 'VirtualMachine', name: 'web-1', uid: 'vm-uid' }),
  about('former', { kind: 'VirtualMachine', name: 'web-1', uid: 'another' }),
  about('instance', { kind: 'VirtualMachineInstance', name: 'web-1', uid: 'whichever' }, { type: 'Warning' }),
  about('disk', { kind: 'DataVolume', name: 'web-1-root' }, { message: 'Importing' }),
  about('other disk', { kind: 'DataVolume', name: 'web-2-root' }),
  about('snapshot', { kind: 'VirtualMachineSnapshot', name: 'snap', uid: 'snap-uid' }),
  about('restore', { kind: 'VirtualMachineRestore', name: 'back', uid: 'restore-uid' }),
  { ...about('before', { kind: 'VirtualMachineInstance', name: 'web-1' }), metadata: metadataOf(hoursAgo(2_000)) },
  {
    ...about('elsewhere', { kind: 'VirtualMachineInstance', name: 'web-1' }),
    metadata: metadataOf(hoursAgo(1), 'lab'),
  },
]
function metadataOf(creationTimestamp: string, namespace = 'shop') {
  return { name: 'e', namespace, uid: creationTimestamp, creationTimestamp }
}
const story = eventsOfVm(machine, events, { snapshots: [snapshot()], restores: [restore()] })

test('the story of a VM has its instances, disks, snapshots and restores, and nothing of others', () =>
  expect(story.map(({ reason }) => reason)).toEqual(['own', 'instance', 'disk', 'snapshot', 'restore']))

const filters: Record<string, [Parameters<typeof filterEvents>[1], string[]]> = {
  nothing: [{ types: [], text: ' ' }, ['own', 'instance', 'disk', 'snapshot', 'restore']],
  warnings: [{ types: ['Warning'], text: '' }, ['instance']],
  'both types': [{ types: ['Warning', 'Normal'], text: 'vir' }, ['own', 'instance', 'snapshot', 'restore']],
  'a word of the message': [{ types: [], text: 'IMPORT' }, ['disk']],
  'an object': [{ types: [], text: 'datavolume web-1' }, ['disk']],
}
test.each(Object.entries(filters))('filtered by %s', (_, [filter, expected]) =>
  expect(filterEvents(shownEvents(story), filter).map(({ reason }) => reason)).toEqual(expected),
)
