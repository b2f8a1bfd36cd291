import { expect, test } from 'vitest'
import {
  contentName,
  fnv1a,
  lastRestoreUid,
  restoredClaimName,
  shorten,
  startRevisionName,
  volumeSnapshotName,
} from './names.ts'
import { backendVolumeName } from './rules.ts'

test('a.8-shorten hashes with 32-bit FNV-1a', () => expect(fnv1a('a')).toBe('e40c292c'))

test.each([
  ['my-vm', 'disk1', 'my-vm-disk1'],
  [
    'very-long-virtual-machine-name-that-exceeds-limits',
    'very-long-volume-name-disk',
    'very-long-virtual-machine-n-e8cfe25d-very-long-volume-name-disk',
  ],
  ['persistent-state-for', 'a-virtual-machine-with-a-rather-long-name-of-51-chars', 'persistent-state-for-0eed592c'],
])('a.8-shorten %s and %s', (base, suffix, expected) => expect(shorten(base, suffix)).toBe(expected))

test.each([
  ['a suffix that fills the name', 'base'.repeat(3), 'x'.repeat(53), /^(base){3}-[0-9a-f]{8}$/],
  ['a suffix that leaves one character of the base', 'base'.repeat(3), 'x'.repeat(52), /^b-[0-9a-f]{8}-x{52}$/],
  ['a name of exactly 63 characters', 'b'.repeat(31), 's'.repeat(31), /^b{31}-s{31}$/],
])('a.8-shorten %s', (_, base, suffix, expected) => {
  const name = shorten(base, suffix)
  expect(name).toMatch(expected)
  expect(name.length).toBeLessThanOrEqual(63)
})

test.each([
  ['content', contentName('u'), 'vmsnapshot-content-u'],
  ['VolumeSnapshot', volumeSnapshotName('u', 'root'), 'vmsnapshot-u-volume-root'],
  ['restored claim, RandomizeNames', restoredClaimName('u', 'root'), 'restore-u-root'],
  ['state volume', backendVolumeName('my-vm'), 'persistent-state-for-my-vm'],
  ['VM revision at start', startRevisionName('u', 3), 'revision-start-vm-u-3'],
  ['mark of a restore', lastRestoreUid('back', 'u'), 'back-u'],
])('a.8 %s', (_, name, expected) => expect(name).toBe(expected))
