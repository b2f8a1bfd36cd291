import { expect, test } from 'vitest'
import { hoursAgo, secondsAgo, snapshot, vm } from './testing/objects.ts'
import { filterVms, newestSnapshots, statusWords, vmKey } from './vm-list.ts'

const named = (name: string, printableStatus: string) =>
  vm({ metadata: { name, uid: name }, status: { printableStatus } })
const vms = [named('web-1', 'Running'), named('web-2', 'Stopped'), named('db', 'Starting')]
const names = (name: string, ...status: string[]) =>
  filterVms(vms, { name, status }).map(({ metadata }) => metadata.name)

test('VMs are found by part of their name and by the words of their status', () => {
  expect(names('')).toEqual(['web-1', 'web-2', 'db'])
  expect(names(' WEB')).toEqual(['web-1', 'web-2'])
  expect(names('', 'Starting', 'Stopped')).toEqual(['web-2', 'db'])
  expect(names('web', 'Starting')).toEqual([])
})

test('words to filter by: the usual ones first, then what there is and what is chosen', () =>
  expect(statusWords(vms, ['CrashLoopBackOff'])).toEqual([
    'Running',
    'Stopped',
    'Paused',
    'CrashLoopBackOff',
    'Starting',
  ]))

test('the newest snapshot of each VM is one of its own, and stays', () => {
  const own = vm()
  const of = (name: string, hours: number, sourceUID = 'vm-uid') =>
    snapshot({ metadata: { name, creationTimestamp: hoursAgo(hours) }, status: { phase: 'Succeeded', sourceUID } })
  const going = of('going', 0)
  going.metadata.deletionTimestamp = secondsAgo(1)
  const elsewhere = of('elsewhere', 0)
  elsewhere.metadata.namespace = 'lab'
  const newest = newestSnapshots(
    [own, named('db', 'Running')],
    [of('a', 3), of('b', 1), of('former', 0, 'x'), going, elsewhere],
  )
  expect([...newest].map(([key, { metadata }]) => [key, metadata.name])).toEqual([[vmKey(own), 'b']])
})
