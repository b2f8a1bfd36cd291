import type { VirtualMachineSpec } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { expect, test } from 'vitest'
import { namings, planRestore, type RestoreChoices, restoreText } from './restore-plan.ts'
import { admit } from './testing/admission.ts'
import { content, now, restore, snapshot, succeeded, vm, vmOwner } from './testing/objects.ts'

const owned = snapshot({ metadata: { ownerReferences: [vmOwner] } })
const captured: VirtualMachineSpec = {
  template: {
    spec: {
      domain: {
        firmware: { uuid: 'u', serial: 's' },
        devices: { interfaces: [{ name: 'default', macAddress: '02:00:00:00:00:01' }] },
      },
    },
  },
}
const kept = content({ spec: { source: { virtualMachine: { metadata: { name: 'web-1' }, spec: captured } } } })
const choices: RestoreChoices = {
  vm: vm(),
  snapshot: owned,
  now,
  stop: true,
  startAfter: true,
  keepCurrent: true,
  mode: 'replace',
}
const plan = (given: Partial<RestoreChoices> = {}) => planRestore({ ...choices, ...given })

test('replaces the VM, keeps the names of its disks and the way back', () => {
  const { before, restore } = plan()
  const name = before?.metadata.name
  expect(name).toMatch(/^before-restore-web-1-20260802-/)
  expect(before).toEqual({
    apiVersion: 'snapshot.kubevirt.io/v1beta1',
    kind: 'VirtualMachineSnapshot',
    metadata: {
      name,
      namespace: 'shop',
      labels: { 'snapshot.stillpoint.dev/origin': 'before-restore' },
      annotations: {
        description: 'State of web-1 before it was restored to snap',
        'snapshot.stillpoint.dev/expires-at': '2026-08-03T12:00:00.000Z',
      },
      ownerReferences: [vmOwner],
    },
    spec: { source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'web-1' } },
  })
  expect(restore).toEqual({
    apiVersion: 'snapshot.kubevirt.io/v1beta1',
    kind: 'VirtualMachineRestore',
    metadata: {
      name: `restore-snap-${now.getTime()}`,
      namespace: 'shop',
      annotations: {
        'restore.stillpoint.dev/start-target': 'true',
        'restore.stillpoint.dev/before-snapshot': name,
      },
      ownerReferences: [vmOwner],
    },
    spec: {
      target: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'web-1' },
      virtualMachineSnapshotName: 'snap',
      targetReadinessPolicy: 'StopTarget',
      volumeRestorePolicy: 'InPlace',
    },
  })
})

test('stops nothing it was not told to stop', () =>
  expect(plan({ stop: false }).restore.spec.targetReadinessPolicy).toBe('WaitEventually'))

test('keeps and starts nothing it was not told to', () => {
  const { before, restore } = plan({ keepCurrent: false, startAfter: false })
  expect(before).toBeUndefined()
  expect(restore.metadata.annotations).toBeUndefined()
})

test('a restore does not belong to a VM that is gone: it would go at once', () => {
  const former = { ...vmOwner, uid: 'former' }
  const other = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'backup', uid: 'x' }
  const given = snapshot({ metadata: { ownerReferences: [former, other] } })
  expect(plan({ snapshot: given }).restore.metadata.ownerReferences).toEqual([other])
})

test('a VM that is gone is made again, with names that are free', () => {
  const { before, restore } = plan({ vm: undefined })
  expect(before).toBeUndefined()
  expect(restore.spec.target.name).toBe('web-1')
  expect(restore.spec.volumeRestorePolicy).toBe('PrefixTargetName')
  expect(restore.metadata.ownerReferences).toBeUndefined()
})

test('a new VM replaces nothing, belongs to nobody and is itself', () => {
  const { before, restore } = plan({ mode: 'new', newName: 'web-2', content: kept, naming: 'InPlace' })
  expect(before).toBeUndefined()
  expect(restore.metadata.ownerReferences).toBeUndefined()
  expect(restore.spec).toEqual({
    target: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'web-2' },
    virtualMachineSnapshotName: 'snap',
    targetReadinessPolicy: 'FailImmediate',
    volumeRestorePolicy: 'PrefixTargetName',
    patches: [
      '{"op":"remove","path":"/spec/template/spec/domain/devices/interfaces/0/macAddress"}',
      '{"op":"remove","path":"/spec/template/spec/domain/firmware/serial"}',
      '{"op":"remove","path":"/spec/template/spec/domain/firmware/uuid"}',
    ],
  })
})

test('without a name a new VM is called after the snapshot', () =>
  expect(plan({ mode: 'new' }).restore.spec.target.name).toBe('snap'))

const yesOrNo = [true, false]
test('whatever is chosen, the API takes it', () => {
  const existing = [vm(), owned, kept]
  for (const mode of ['replace', 'new'] as const)
    for (const naming of namings)
      for (const stop of yesOrNo)
        for (const keepCurrent of yesOrNo)
          for (const machine of [vm(), undefined]) {
            const made = plan({ mode, naming, stop, keepCurrent, vm: machine, newName: 'web-2', content: kept })
            admit(made.restore, existing)
            expect(VirtualMachineRestore.fields.parse(made.restore)).toBeTruthy()
            if (made.before !== undefined) {
              admit(made.before, existing)
              expect(VirtualMachineSnapshot.fields.parse(made.before)).toBeTruthy()
            }
          }
})

test('the rules of the API are really asked', () => {
  expect(() => admit(plan().restore, [vm(), owned, kept, restore()])).toThrow(/"back" in progress/)
  expect(() => admit(vm())).toThrow(/no rule/)
})

test('the dialog says what is replaced, since when, and what is kept', () => {
  const given = snapshot({ status: { ...succeeded, snapshotVolumes: { includedVolumes: ['root', 'data'] } } })
  const text = restoreText(vm(), given, now)
  expect(text).toMatchObject({
    question: 'Restore web-1 from the snapshot snap?',
    when: '2026-08-02 10:00:00 UTC',
    ago: '2 hours ago',
    disks: ['root', 'data'],
    replaced: 'Changes made since 2026-08-02 10:00:00 UTC (2 hours ago) on root, data will be replaced.',
  })
  expect(text.kept).toMatch(/^The current state is kept as “before-restore-web-1-.*” for 24 h/)
  expect(text.kept).toContain(plan().before?.metadata.name)
  expect(text.notKept).toMatch(/Take a snapshot of it first/)
})

test('without disks only the definition goes back, and of a VM that is gone all is made', () => {
  expect(restoreText(vm(), snapshot(), now).replaced).toMatch(/ago\) to the definition of the virtual machine will be/)
  expect(restoreText(undefined, snapshot(), now).replaced).toMatch(/^web-1 does not exist any more and is created as/)
})
