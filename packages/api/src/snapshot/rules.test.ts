import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { StorageProfile } from '../storage/cdi.ts'
import type { StorageClass, VolumeSnapshotClass } from '../storage/kinds.ts'
import { type FreezeReport, indicationsOf, parseFreezeReport } from './freeze-report.ts'
import { chooseSnapshotClass } from './rules.ts'

const storageClass = { metadata: { name: 'fast' }, provisioner: 'csi' } as unknown as StorageClass
const snapshotClass = (name: string, driver = 'csi', isDefault?: string) =>
  ({
    metadata: {
      name,
      ...(isDefault === undefined
        ? {}
        : { annotations: { 'snapshot.storage.kubernetes.io/is-default-class': isDefault } }),
    },
    driver,
    deletionPolicy: 'Delete',
  }) as unknown as VolumeSnapshotClass
const profile = (name: string) =>
  ({ metadata: { name: 'fast' }, status: { snapshotClass: name } }) as unknown as StorageProfile

const choices: Record<string, [Partial<Parameters<typeof chooseSnapshotClass>[1]>, string]> = {
  'none without a storage class': [{ storageClass: undefined, snapshotClasses: [snapshotClass('a')] }, 'none'],
  'none when no class is of the driver': [{ snapshotClasses: [snapshotClass('a', 'other')] }, 'none'],
  'the only one of the driver': [{ snapshotClasses: [snapshotClass('a', 'other'), snapshotClass('b')] }, 'b'],
  'the one the profile names': [
    { profile: profile('b'), snapshotClasses: [snapshotClass('a'), snapshotClass('b')] },
    'b',
  ],
  'no other when the one of the profile is gone': [
    { profile: profile('x'), snapshotClasses: [snapshotClass('a')] },
    'none',
  ],
  'the default of several': [{ snapshotClasses: [snapshotClass('a'), snapshotClass('b', 'csi', 'true')] }, 'b'],
  'the value of the annotation counts': [
    { snapshotClasses: [snapshotClass('a', 'csi', 'false'), snapshotClass('b', 'csi', 'true')] },
    'b',
  ],
  'a person must choose among several': [
    { snapshotClasses: [snapshotClass('a'), snapshotClass('b', 'csi', 'false')] },
    '2 matching VolumeSnapshotClasses for fast',
  ],
  'and among several defaults': [
    { snapshotClasses: [snapshotClass('a', 'csi', 'true'), snapshotClass('b', 'csi', 'true')] },
    '2 matching VolumeSnapshotClasses for fast',
  ],
}
test.each(Object.entries(choices))('snapshot class: %s', (_, [known, expected]) => {
  const choice = chooseSnapshotClass('fast', { storageClass, profile: undefined, snapshotClasses: [], ...known })
  expect('found' in choice ? choice.found.metadata.name : 'none' in choice ? 'none' : choice.ambiguous).toBe(expected)
})

const said: Record<string, [Partial<FreezeReport>, boolean, string[]]> = {
  'an offline VM': [{ guest: 'offline' }, false, []],
  'an offline VM in part': [{ guest: 'offline' }, true, ['PartialSnapshot']],
  'a frozen guest': [{ held: true }, false, ['GuestAgent', 'Online']],
  'a freeze that did not hold': [{ held: false }, false, ['GuestAgent', 'Online', 'QuiesceTimeout']],
  'a guest without agent': [{ guest: 'no-agent' }, false, ['NoGuestAgent', 'Online']],
  'a paused guest': [{ guest: 'paused' }, false, ['Online', 'Paused']],
  'a freeze given up': [{ unfrozen: 'why' }, true, ['NoGuestAgent', 'Online', 'QuiesceFailed', 'PartialSnapshot']],
}
test.each(Object.entries(said))('indications of %s', (_, [report, partial, expected]) => {
  const given: FreezeReport = { attempt: 1, guest: 'agent', ...report }
  expect(indicationsOf(given, partial).map(({ indication }) => indication)).toEqual(expected)
})

test('any annotation is either a report or none', () =>
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      const report = parseFreezeReport(text)
      expect(report === undefined || report.attempt >= 1).toBe(true)
    }),
  ))
