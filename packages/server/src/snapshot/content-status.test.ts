import { expect, test } from 'vitest'
import { type ContentStatus, contentStatusOf, type StatusInput } from './content-status.ts'
import { volumeSnapshot } from './testing/still-world.ts'

const now = new Date('2026-01-01T00:01:00Z')
const nowText = '2026-01-01T00:01:00Z'
const cutAt = '2026-01-01T00:00:30Z'
const names = { a: 'vmsnapshot-uid-of-snap-volume-a', b: 'vmsnapshot-uid-of-snap-volume-b' }

const volume = (name: 'a' | 'b', status?: Parameters<typeof volumeSnapshot>[1]) => ({
  name: names[name],
  found: volumeSnapshot(name, status),
})
const missing = (name: 'a' | 'b') => ({ name: names[name], found: undefined })
const ready = { creationTime: cutAt, readyToUse: true }
const cut = { creationTime: cutAt, readyToUse: false }
const failing = { error: { message: 'no space', time: cutAt } }
const errorOf = (name: 'a' | 'b') => `VolumeSnapshot ${names[name]} error: no space`
const settled: ContentStatus = { creationTime: cutAt, readyToUse: true }

const base: StatusInput = {
  old: undefined,
  volumes: [],
  ending: false,
  settledAt: undefined,
  problem: undefined,
  now,
}

interface Row {
  readyToUse: boolean
  creationTime?: string
  error?: string
}
const rows: Record<string, [Partial<StatusInput>, Row]> = {
  'c.8-1 no volume snapshot to create': [{ settledAt: now }, { readyToUse: true, creationTime: nowText }],
  'c.8-2 a missing one of a created content': [
    { old: settled, volumes: [volume('a', ready), missing('b')] },
    { readyToUse: false, creationTime: cutAt, error: `VolumeSnapshots (${names.b}) missing` },
  ],
  'c.8-2 several missing ones are listed with commas': [
    { old: settled, volumes: [missing('a'), missing('b')] },
    { readyToUse: false, creationTime: cutAt, error: `VolumeSnapshots (${names.a},${names.b}) missing` },
  ],
  'c.8-3 missing ones of a snapshot that is gone or going': [
    { ending: true, volumes: [missing('a'), missing('b')] },
    {
      readyToUse: false,
      error: `VolumeSnapshots (${names.a},${names.b}) skipped because vm snapshot is deleted`,
    },
  ],
  'c.8-3 nothing is told of a snapshot that is going when none is missing': [
    { ending: true, volumes: [volume('a')] },
    { readyToUse: false },
  ],
  'c.8-4 one is not cut yet': [{ volumes: [volume('a', ready), volume('b')] }, { readyToUse: false }],
  'c.8-4 one is not cut yet, and the first error is told': [
    { volumes: [volume('a'), volume('b', failing)] },
    { readyToUse: false, error: errorOf('b') },
  ],
  'c.8-4 of several errors the first in the order of the volumes': [
    { volumes: [volume('a', failing), volume('b', failing)] },
    { readyToUse: false, error: errorOf('a') },
  ],
  'c.8-4 an error that is over is cleared': [
    { old: { readyToUse: false, error: { message: errorOf('a'), time: cutAt } }, volumes: [volume('a'), volume('b')] },
    { readyToUse: false },
  ],
  'c.8-4 reported ready without being cut is not ready: readiness comes with the cut, never before': [
    { volumes: [volume('a', { readyToUse: true }), volume('b', { readyToUse: true })] },
    { readyToUse: false },
  ],
  'c.8-4 W-47 one with an error does not hide another that is not cut': [
    { volumes: [volume('a', { ...ready, ...failing }), volume('b')] },
    { readyToUse: false, error: errorOf('a') },
  ],
  'c.8-5 all cut, not all ready': [
    { settledAt: now, volumes: [volume('a', ready), volume('b', cut)] },
    { readyToUse: false, creationTime: nowText },
  ],
  'c.8-5 all cut, not all ready, with an error': [
    { old: { ...settled, readyToUse: false }, volumes: [volume('a', ready), volume('b', { ...cut, ...failing })] },
    { readyToUse: false, creationTime: cutAt, error: errorOf('b') },
  ],
  'c.8-6 all ready, an error that one still carries is not told': [
    { old: settled, volumes: [volume('a', { ...ready, ...failing })] },
    { readyToUse: true, creationTime: cutAt },
  ],
  'c.8-6 but stays when it was told before': [
    {
      old: { ...settled, error: { message: errorOf('a'), time: cutAt } },
      volumes: [volume('a', { ...ready, ...failing })],
    },
    { readyToUse: true, creationTime: cutAt, error: errorOf('a') },
  ],
  'c.8-7 all ready without errors': [
    {
      old: { ...settled, error: { message: errorOf('a'), time: cutAt } },
      volumes: [volume('a', ready), volume('b', ready)],
    },
    { readyToUse: true, creationTime: cutAt },
  ],
  'c.6 a freeze that failed is told, and nothing is created': [
    { volumes: [missing('a')], problem: 'server error. command Freeze failed: "no"' },
    { readyToUse: false, error: 'server error. command Freeze failed: "no"' },
  ],
  'c.8 the creation time, once there, stays': [
    { old: settled, settledAt: now, volumes: [volume('a', ready)] },
    { readyToUse: true, creationTime: cutAt },
  ],
}
test.each(Object.entries(rows))('%s', (_, [given, { readyToUse, creationTime, error }]) => {
  const { volumeSnapshotStatus: _statuses, ...status } = contentStatusOf({ ...base, ...given })
  expect({ ...status, error: status.error?.message }).toEqual({
    readyToUse,
    ...(creationTime === undefined ? {} : { creationTime }),
    error,
  })
})

test('c.8 the time of an error is when its text last changed', () => {
  const old = { readyToUse: false, error: { message: errorOf('a'), time: cutAt } }
  const error = (message: string) => ({ error: { message, time: nowText } })
  const next = (message: string) => contentStatusOf({ ...base, old, volumes: [volume('a', error(message))] }).error
  expect(next('no space')?.time).toBe(cutAt)
  expect(next('disk is gone')?.time).toBe(nowText)
})

test('a.4 without volume snapshots there is no list of them', () =>
  expect(contentStatusOf({ ...base, settledAt: now })).not.toHaveProperty('volumeSnapshotStatus'))

test('a.4 the state of each volume snapshot is copied', () => {
  const { volumeSnapshotStatus } = contentStatusOf({
    ...base,
    volumes: [volume('a', { ...ready, restoreSize: '1Gi' }), volume('b', failing), missing('b')],
  })
  expect(volumeSnapshotStatus).toEqual([
    { volumeSnapshotName: names.a, ...ready },
    { volumeSnapshotName: names.b, ...failing },
  ])
})
