import { restoredAnnotation } from '@stillpoint/api/snapshot/keys'
import type { RestoredEntry } from '@stillpoint/api/snapshot/restored'
import { expect, test } from 'vitest'
import { pastRestores } from './restore-history.ts'
import { hoursAgo, restore, snapshot, vm } from './testing/objects.ts'

const complete = { complete: true, restoreTime: hoursAgo(3) }
const remembering = (name: string, ...entries: RestoredEntry[]) =>
  snapshot({ metadata: { name, annotations: { [restoredAnnotation]: JSON.stringify(entries) } } })

test('what is there and what is only remembered, newest first, each once', () => {
  const there = restore({ metadata: { name: 'there', uid: 'there-uid' }, status: complete })
  const past = pastRestores(
    vm(),
    [there],
    [
      remembering(
        'snap',
        { time: hoursAgo(3), target: 'web-1', restore: 'there', restoreUID: 'there-uid' },
        { time: hoursAgo(1), target: 'web-1', restore: 'gone', restoreUID: 'gone-uid' },
        { time: hoursAgo(2), target: 'another', restore: 'elsewhere' },
      ),
    ],
  )
  expect(past.map(({ key, snapshot: from, restore: object }) => [key, from, object?.metadata.name])).toEqual([
    ['gone-uid', 'snap', undefined],
    ['there-uid', 'snap', 'there'],
  ])
})

test('a failed one says why; one at work is not past', () => {
  const failed = restore({
    metadata: { uid: 'failed-uid' },
    status: { conditions: [{ type: 'Failure', status: 'True', reason: 'no room', lastTransitionTime: hoursAgo(1) }] },
  })
  const past = pastRestores(vm(), [failed, restore({ status: { complete: false } })], [])
  expect(past).toMatchObject([{ key: 'failed-uid', label: 'Failed', tone: 'danger', reason: 'no room' }])
})

test('what is older than the VM was of another VM of its name', () => {
  const young = vm({ metadata: { creationTimestamp: hoursAgo(2) } })
  const old = remembering('snap', { time: hoursAgo(3), target: 'web-1', restore: 'old' })
  expect(pastRestores(young, [], [old])).toEqual([])
})
