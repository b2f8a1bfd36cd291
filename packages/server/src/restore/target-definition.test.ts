import { VirtualMachine, type VirtualMachineSpec, type Volume } from '@stillpoint/api/kubevirt/kinds'
import { objectOf } from '@stillpoint/api/schema/resource'
import { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { expect, test } from 'vitest'
import type { CapturedVm, RestoreEntry } from './restored-volumes.ts'
import { firmwareUuid, newTarget, restoredSpec, switchedTarget } from './target-definition.ts'

test.each([
  ['testvm', '5a9fc181-957e-5c32-9e5a-2de5e9673531'],
  ['my-vm', '41256f5f-3759-54d0-9c60-26dff9079ab1'],
])('d.7-firmware the number of %s is known', (name, uuid) => expect(firmwareUuid(name)).toBe(uuid))

const namespace = 'ns'
const mark = { 'restore.kubevirt.io/lastRestoreUID': 'back-uid-1' }
const spec = (changes: Partial<VirtualMachineSpec> = {}, volumes: Volume[] = []): VirtualMachineSpec => ({
  ...changes,
  template: { spec: { domain: { devices: {} }, volumes } },
})
const capturedOf = (
  captured: VirtualMachineSpec = spec({ runStrategy: 'Always' }),
  metadata: Record<string, unknown> = {},
): CapturedVm => ({ name: 'my-vm', namespace, uid: 'uid', metadata: { name: 'my-vm', ...metadata }, spec: captured })
const restoreOf = (target = 'my-vm', patches?: string[]) =>
  objectOf(
    VirtualMachineRestore,
    { name: 'back', namespace, uid: 'uid-1' },
    {
      spec: {
        target: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: target },
        virtualMachineSnapshotName: 'snap',
        targetReadinessPolicy: 'WaitGracePeriod',
        ...(patches === undefined ? {} : { patches }),
      },
    },
  )
const entry = (volumeName: string, persistentVolumeClaim: string, dataVolumeName?: string): RestoreEntry => ({
  volumeName,
  persistentVolumeClaim,
  volumeSnapshotName: `vs-${volumeName}`,
  ...(dataVolumeName === undefined ? {} : { dataVolumeName }),
})
const same = (name: string) => name

const templates = [{ metadata: { name: 'old', labels: { a: 'b' } }, spec: { source: { blank: {} } } }]
const volumes: Record<string, [captured: Volume, entries: RestoreEntry[], restored: Volume[]]> = {
  'd.7-volume of a DataVolume of a template: the restored DataVolume': [
    { name: 'v', dataVolume: { name: 'old', hotpluggable: true } },
    [entry('v', 'new', 'new')],
    [{ name: 'v', dataVolume: { name: 'new', hotpluggable: true } }],
  ],
  'd.7-volume of a DataVolume without template: the restored claim': [
    { name: 'v', dataVolume: { name: 'loose', hotpluggable: true } },
    [entry('v', 'new')],
    [{ name: 'v', persistentVolumeClaim: { claimName: 'new', hotpluggable: true } }],
  ],
  'd.7-volume of a DataVolume without template, in place: the claim of the same name': [
    { name: 'v', dataVolume: { name: 'loose' } },
    [entry('v', 'loose', 'loose')],
    [{ name: 'v', persistentVolumeClaim: { claimName: 'loose' } }],
  ],
  'd.7-volume of a claim: the restored claim': [
    { name: 'v', persistentVolumeClaim: { claimName: 'old', readOnly: true } },
    [entry('v', 'new')],
    [{ name: 'v', persistentVolumeClaim: { claimName: 'new', readOnly: true } }],
  ],
  'd.7-volume excluded from the snapshot: left on the original claim': [
    { name: 'v', persistentVolumeClaim: { claimName: 'old' } },
    [entry('other', 'new')],
    [{ name: 'v', persistentVolumeClaim: { claimName: 'old' } }],
  ],
  'd.7-volume excluded, of a template: left on the original DataVolume': [
    { name: 'v', dataVolume: { name: 'old' } },
    [],
    [{ name: 'v', dataVolume: { name: 'old' } }],
  ],
  'd.7-volume of no claim: as it was': [
    { name: 'v', cloudInitNoCloud: { userData: 'x' } },
    [],
    [{ name: 'v', cloudInitNoCloud: { userData: 'x' } }],
  ],
  'd.7-volume of a memory dump: dropped': [{ name: 'v', memoryDump: { claimName: 'dump' } }, [entry('v', 'new')], []],
}
test.each(Object.entries(volumes))('%s', (_, [captured, entries, restored]) => {
  const vm = capturedOf(spec({ dataVolumeTemplates: templates }, [captured]))
  expect(restoredSpec(vm, entries, same).template.spec.volumes).toEqual(restored)
})

test('d.7-volume the disk of a memory dump is dropped with it', () => {
  const captured = spec({}, [
    { name: 'root', persistentVolumeClaim: { claimName: 'old' } },
    { name: 'dump', memoryDump: { claimName: 'dump' } },
  ])
  captured.template.spec.domain.devices.disks = [{ name: 'root' }, { name: 'dump' }]
  const { domain } = restoredSpec(capturedOf(captured), [entry('root', 'new')], same).template.spec
  expect(domain.devices.disks).toEqual([{ name: 'root' }])
})

test('d.7-templates each restored one has the name of the restored DataVolume, the others stay', () => {
  const other = { metadata: { name: 'other' }, spec: {} }
  const captured = spec({ dataVolumeTemplates: [...templates, other] }, [{ name: 'v', dataVolume: { name: 'old' } }])
  expect(restoredSpec(capturedOf(captured), [entry('v', 'new', 'new')], same).dataVolumeTemplates).toEqual([
    { metadata: { name: 'new', labels: { a: 'b' } }, spec: { source: { blank: {} } } },
    other,
  ])
})

test('d.9-revisions the restored definition names the restored revisions, and only where one was captured', () => {
  const captured = spec({
    instancetype: { name: 'small', kind: 'x', revisionName: 'snap-small' },
    preference: { name: 'p' },
  })
  const { instancetype, preference } = restoredSpec(capturedOf(captured), [], (name) => name.replace('snap', 'my-vm'))
  expect(instancetype).toEqual({ name: 'small', kind: 'x', revisionName: 'my-vm-small' })
  expect(preference).toEqual({ name: 'p' })
})

const meta = { labels: { l: 'target' }, annotations: { a: 'target' } }
const existing = (changes: Partial<VirtualMachineSpec>, name = 'my-vm') =>
  objectOf(VirtualMachine, { name, namespace, uid: 'vm-uid', ...meta }, { spec: spec({ ...changes, mine: true }) })
const switched = (target: VirtualMachine, captured = capturedOf(undefined, { labels: { l: 'captured' } })) =>
  switchedTarget(target, restoredSpec(captured, [], same), { restore: restoreOf(), captured })

test('d.7-existing name and metadata unchanged but for the mark', () => {
  const target = existing({ runStrategy: 'Manual' })
  expect(switched(target).metadata).toEqual({
    ...target.metadata,
    annotations: { a: 'target', ...mark },
  })
})

test('d.7-existing the spec is replaced whole by the captured one', () => {
  const captured = capturedOf(spec({ runStrategy: 'Always', extra: { kept: 1 } }, [{ name: 'v', emptyDisk: {} }]))
  const { spec: result } = switched(existing({ runStrategy: 'Manual', gone: 1 }), captured)
  expect(result).toMatchObject({ extra: { kept: 1 }, template: { spec: { volumes: [{ name: 'v', emptyDisk: {} }] } } })
  expect(result).not.toHaveProperty('gone')
  expect(result).not.toHaveProperty('mine')
})

// b.5 refuses another run strategy under the lock of a restore, so that of the target stays, also `running: true`.
const runStates: Record<string, [target: Partial<VirtualMachineSpec>, captured: Partial<VirtualMachineSpec>, object]> =
  {
    'd.7-run-state the run strategy of the target': [
      { runStrategy: 'Manual' },
      { runStrategy: 'Always' },
      { runStrategy: 'Manual' },
    ],
    'd.7-run-state running: false stays, and no run strategy comes': [
      { running: false },
      { runStrategy: 'Always' },
      { running: false },
    ],
    'd.7-run-state running: true stays, for its lock allows no other': [
      { running: true },
      { running: false },
      { running: true },
    ],
    'd.7-run-state a run strategy stays, and no running comes': [
      { runStrategy: 'Halted' },
      { running: true },
      { runStrategy: 'Halted' },
    ],
  }
test.each(Object.entries(runStates))('%s', (_, [target, captured, expected]) => {
  const { running, runStrategy } = switched(existing(target), capturedOf(spec(captured))).spec
  expect({ running, runStrategy }).toEqual({ running: undefined, runStrategy: undefined, ...expected })
})

const firmwareOf = ({ spec: { template } }: VirtualMachine) => template.spec.domain.firmware
const withFirmware = (uuid: string) => {
  const captured = spec({ runStrategy: 'Always' })
  captured.template.spec.domain.firmware = { uuid, serial: 's' }
  return capturedOf(captured)
}
test('d.7-firmware an empty number becomes that of the name', () =>
  expect(firmwareOf(switched(existing({}), withFirmware('')))).toEqual({ uuid: firmwareUuid('my-vm'), serial: 's' }))
test('d.7-firmware a captured number is carried over', () =>
  expect(firmwareOf(switched(existing({}), withFirmware('u')))).toEqual({ uuid: 'u', serial: 's' }))
test('d.7-firmware a target of another name gets none', () =>
  expect(firmwareOf(switched(existing({}, 'other')))).toBeUndefined())

const made = (captured: CapturedVm, restore = restoreOf('copy')) =>
  newTarget(restoredSpec(captured, [], same), { restore, captured })

test('d.7-new name and namespace of the restore, captured metadata and the mark, nothing else', () =>
  expect(
    made(capturedOf(undefined, { labels: { l: 'x' }, annotations: { a: 'y' }, uid: 'old', finalizers: ['f'] }))
      .metadata,
  ).toEqual({ name: 'copy', namespace, labels: { l: 'x' }, annotations: { a: 'y', ...mark } }))

test.each([
  ['running', { running: true }, { running: false }],
  ['a run strategy', { runStrategy: 'Always' }, { runStrategy: 'Halted' }],
  ['neither', {}, { runStrategy: 'Halted' }],
])('d.7-new captured with %s, it is made stopped', (_, captured, expected) => {
  const { running, runStrategy } = made(capturedOf(spec(captured))).spec
  expect({ running, runStrategy }).toEqual({ running: undefined, runStrategy: undefined, ...expected })
})

test('d.7-new no firmware number is made, a captured one is carried over', () => {
  expect(firmwareOf(made(capturedOf()))).toBeUndefined()
  expect(firmwareOf(made(withFirmware('u')))).toEqual({ uuid: 'u', serial: 's' })
})
