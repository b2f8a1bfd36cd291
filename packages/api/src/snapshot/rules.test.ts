import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { VirtualMachineSpec } from '../kubevirt/kinds.ts'
import type { StorageProfile } from '../storage/cdi.ts'
import type { StorageClass, VolumeSnapshotClass } from '../storage/kinds.ts'
import { parseFreezeReport } from './freeze-report.ts'
import type { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from './kinds.ts'
import {
  chooseSnapshotClass,
  deadlineOf,
  needsBackendStorage,
  retainsContent,
  type StatePreference,
  snapshotVolumesOf,
  whyNotRestorable,
} from './rules.ts'

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
  'c.5-class-1 none without a storage class': [
    { storageClass: undefined, snapshotClasses: [snapshotClass('a')] },
    'none',
  ],
  'c.5-class-3 none when no class is of the driver': [{ snapshotClasses: [snapshotClass('a', 'other')] }, 'none'],
  'c.5-class-3 the only one of the driver': [
    { snapshotClasses: [snapshotClass('a', 'other'), snapshotClass('b')] },
    'b',
  ],
  'c.5-class-2 the one the profile names': [
    { profile: profile('b'), snapshotClasses: [snapshotClass('a'), snapshotClass('b')] },
    'b',
  ],
  'c.5-class-2 no other when the one of the profile is gone': [
    { profile: profile('x'), snapshotClasses: [snapshotClass('a')] },
    'none',
  ],
  'c.5-class-2 a profile that names none leaves the choice to the driver': [
    { profile: profile(''), snapshotClasses: [snapshotClass('a', 'other'), snapshotClass('b')] },
    'b',
  ],
  'c.5-class-4 the default of several': [
    { snapshotClasses: [snapshotClass('a'), snapshotClass('b', 'csi', 'true')] },
    'b',
  ],
  'c.5-class-4 W-26 the value of the annotation counts': [
    { snapshotClasses: [snapshotClass('a', 'csi', 'false'), snapshotClass('b', 'csi', 'true')] },
    'b',
  ],
  'c.5-class-5 a person must choose among several': [
    { snapshotClasses: [snapshotClass('a'), snapshotClass('b', 'csi', 'false')] },
    '2 matching VolumeSnapshotClasses for fast',
  ],
  'c.5-class-5 W-26 and among several defaults': [
    { snapshotClasses: [snapshotClass('a', 'csi', 'true'), snapshotClass('b', 'csi', 'true')] },
    '2 matching VolumeSnapshotClasses for fast',
  ],
}
test.each(Object.entries(choices))('%s', (_, [known, expected]) => {
  const choice = chooseSnapshotClass('fast', { storageClass, profile: undefined, snapshotClasses: [], ...known })
  expect('found' in choice ? choice.found.metadata.name : 'none' in choice ? 'none' : choice.ambiguous).toBe(expected)
})

const uid = 'uid-1'
const vm = (spec: object) =>
  ({ metadata: { name: 'my-vm', uid }, spec: { template: { spec: { domain: { devices: {} }, ...spec } } } }) as const
const contentOf = (spec: object, backed: string[], annotations: Record<string, string> = {}) =>
  ({
    metadata: { name: 'content', annotations },
    spec: {
      source: { virtualMachine: vm(spec) },
      volumeBackups: backed.map((volumeName) => ({ volumeName, persistentVolumeClaim: {} })),
    },
    status: { readyToUse: true },
  }) as unknown as VirtualMachineSnapshotContent
const root = { name: 'root', persistentVolumeClaim: { claimName: 'root' } }
const seed = { name: 'seed', cloudInitNoCloud: {} }
const persistent = { domain: { devices: { tpm: { persistent: true } } } }
const state = 'persistent-state-for-my-vm'

const lists: Record<string, [VirtualMachineSnapshotContent, ReturnType<typeof snapshotVolumesOf>]> = {
  'c.5-volumes split by what is backed up, in the order of the template': [
    contentOf({ volumes: [seed, root] }, ['root']),
    { includedVolumes: ['root'], excludedVolumes: ['seed'], partial: false },
  ],
  'c.5-volumes partial when one that could be included is not': [
    contentOf({ volumes: [root, { name: 'dump', memoryDump: { claimName: 'd' } }] }, ['root']),
    { includedVolumes: ['root'], excludedVolumes: ['dump'], partial: true },
  ],
  'c.5-volumes the state volume is the last': [
    contentOf({ volumes: [root, seed], ...persistent }, ['root', state]),
    { includedVolumes: ['root', state], excludedVolumes: ['seed'], partial: false },
  ],
  'c.5-volumes W-48 a state volume that is not in it is told': [
    contentOf({ volumes: [root], ...persistent }, ['root']),
    { includedVolumes: ['root'], excludedVolumes: [state], partial: true },
  ],
  'c.5-volumes a content without definition tells nothing': [
    { metadata: { name: 'c' }, spec: { source: {} } } as VirtualMachineSnapshotContent,
    undefined,
  ],
}
test.each(Object.entries(lists))('%s', (_, [content, expected]) => expect(snapshotVolumesOf(content)).toEqual(expected))

const snapshot = (status: object | undefined, spec: object = {}, metadata: object = {}) =>
  ({ metadata: { name: 'snap', namespace: 'ns', ...metadata }, spec, status }) as unknown as VirtualMachineSnapshot
const usable = { phase: 'Succeeded', readyToUse: true, virtualMachineSnapshotContentName: 'content' }
const good = contentOf({}, [])

const restorable: Record<
  string,
  [VirtualMachineSnapshot | undefined, VirtualMachineSnapshotContent | undefined, unknown]
> = {
  'd.2-6 a snapshot that does not exist': [undefined, good, 'VMSnapshot ns/snap does not exist'],
  'd.2-6 one that has failed': [
    snapshot({ ...usable, phase: 'Failed' }),
    good,
    'VMSnapshot ns/snap failed and is invalid to use',
  ],
  'd.2-6 one that is not ready': [snapshot({ phase: 'Succeeded' }), good, 'VMSnapshot ns/snap not ready'],
  'd.2-6 one without status': [snapshot(undefined), good, 'VMSnapshot ns/snap not ready'],
  'd.2-6 one that names no content': [
    snapshot({ phase: 'Succeeded', readyToUse: true }),
    good,
    'no snapshot content name in ns/snap',
  ],
  'd.2-6 one whose content does not exist': [
    snapshot(usable),
    undefined,
    'VMSnapshotContent ns/content does not exist',
  ],
  'd.2-6 one whose content is not ready': [
    snapshot(usable),
    { ...good, status: { readyToUse: false } },
    'VMSnapshotContent ns/content not ready',
  ],
  'd.2-6 one that can be restored from': [snapshot(usable), good, undefined],
}
test.each(Object.entries(restorable))('%s', (_, [given, content, why]) =>
  expect(whyNotRestorable('ns/snap', given, () => content)).toBe(why),
)

const at = { creationTimestamp: '2026-01-01T00:00:00Z' }
test.each([
  ['absent: 5 minutes', undefined, '2026-01-01T00:05:00.000Z'],
  ['empty: 5 minutes', '', '2026-01-01T00:05:00.000Z'],
  ['40s', '40s', '2026-01-01T00:00:40.000Z'],
  ['1m30s', '1m30s', '2026-01-01T00:01:30.000Z'],
  ['1.5h', '1.5h', '2026-01-01T01:30:00.000Z'],
  ['W-28 a bare number is seconds', '60', '2026-01-01T00:01:00.000Z'],
  ['0: never', '0', undefined],
  ['0s: never', '0s', undefined],
  ['negative: before it was made', '-1s', '2025-12-31T23:59:59.000Z'],
])('c.10 deadline %s', (_, failureDeadline, expected) => {
  const deadline = deadlineOf(
    snapshot(undefined, { ...(failureDeadline === undefined ? {} : { failureDeadline }) }, at),
  )
  expect(deadline === undefined ? undefined : new Date(deadline).toISOString()).toBe(expected)
})

test.each([
  [undefined, false],
  ['', false],
  ['Delete', false],
  ['Retain', true],
  ['retian', true],
])('c.11 the content of a snapshot with the policy %s is kept: %s', (deletionPolicy, kept) =>
  expect(retainsContent(snapshot(undefined, deletionPolicy === undefined ? {} : { deletionPolicy }))).toBe(kept),
)

const needs: Record<string, [spec: object, preference: StatePreference | undefined, boolean]> = {
  'c.5-state a persistent TPM': [persistent, undefined, true],
  'c.5-state persistent EFI': [
    { domain: { devices: {}, firmware: { bootloader: { efi: { persistent: true } } } } },
    undefined,
    true,
  ],
  'c.5-state a TPM that is not persistent': [{ domain: { devices: { tpm: {} } } }, undefined, false],
  'c.5-state neither': [{}, undefined, false],
  'c.5-state W-48 a preference that asks for it': [{}, { devices: { preferredTPM: { persistent: true } } }, true],
  'c.5-state W-48 a preference counts only where the VM says nothing': [
    { domain: { devices: { tpm: { persistent: false } } } },
    { devices: { preferredTPM: { persistent: true } } },
    false,
  ],
}
test.each(Object.entries(needs))('%s', (_, [spec, preference, expected]) =>
  expect(needsBackendStorage(vm(spec).spec as unknown as VirtualMachineSpec, preference)).toBe(expected),
)

test('any annotation is either a report or none', () =>
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      const report = parseFreezeReport(text)
      expect(report === undefined || report.attempt >= 1).toBe(true)
    }),
  ))
