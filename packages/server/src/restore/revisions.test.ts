import { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { ownedBy } from '@stillpoint/api/meta/object-meta'
import { objectOf } from '@stillpoint/api/schema/resource'
import { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Bench, startBench } from '../controller/testing/bench.ts'
import type { CapturedVm } from './restored-volumes.ts'
import { adoptRevisions, restoredRevisionName, restoreRevisions } from './revisions.ts'

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench.close())

const namespace = 'default'
let vms = 0
/** A VM of its own for each test, so that the names of its revisions are free. */
async function target(): Promise<VirtualMachine> {
  vms += 1
  const name = `vm-${vms}`
  return await bench.client.create(
    VirtualMachine,
    objectOf(
      VirtualMachine,
      { name, namespace },
      {
        spec: {
          instancetype: { name: 'small', revisionName: `${name}-small` },
          template: { spec: { domain: { devices: {} } } },
        },
      },
    ),
  )
}
const restoreTo = (name: string) =>
  objectOf(
    VirtualMachineRestore,
    { name: 'back', namespace, uid: 'uid-1' },
    {
      spec: {
        target: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name },
        virtualMachineSnapshotName: 'snap',
        targetReadinessPolicy: 'WaitGracePeriod',
      },
    },
  )
const captured: CapturedVm = {
  name: 'source',
  namespace,
  uid: 'uid',
  metadata: {},
  spec: {
    instancetype: { name: 'small', revisionName: 'snap-small' },
    preference: { name: 'p' },
    template: { spec: { domain: { devices: {} } } },
  },
}
const revise = (name: string, data: Record<string, unknown>, owner?: VirtualMachine) =>
  bench.client.create(
    ControllerRevision,
    objectOf(
      ControllerRevision,
      { name, namespace, ...(owner === undefined ? {} : { ownerReferences: [ownedBy(owner)] }) },
      { revision: 1, data },
    ),
  )
const find = (name: string) => bench.client.get(ControllerRevision, { namespace, name })

beforeAll(() => revise('snap-small', { a: 1 }).then(() => {}))

test('a.8 the restored revision has the name of the target in the first place of that of the snapshot', () =>
  expect(restoredRevisionName('snap-small-snap', restoreTo('copy'))).toBe('copy-small-snap'))

test('d.9-revisions equal data of an existing target is reused', async () => {
  const vm = await target()
  const present = await revise(`${vm.metadata.name}-small`, { a: 1 }, vm)
  await restoreRevisions(bench.client, { restore: restoreTo(vm.metadata.name), captured, target: vm })
  expect((await find(`${vm.metadata.name}-small`)).metadata.uid).toBe(present.metadata.uid)
})

test('d.9-revisions other data of an existing target is replaced, controlled by the VM', async () => {
  const vm = await target()
  const present = await revise(`${vm.metadata.name}-small`, { a: 2 }, vm)
  await restoreRevisions(bench.client, { restore: restoreTo(vm.metadata.name), captured, target: vm })
  const made = await find(`${vm.metadata.name}-small`)
  expect(made.metadata.uid).not.toBe(present.metadata.uid)
  expect(made).toMatchObject({
    data: { a: 1 },
    metadata: { ownerReferences: [{ uid: vm.metadata.uid, controller: true }] },
  })
})

test('d.9-revisions otherwise it is made, and becomes the new VM’s when that exists', async () => {
  const vm = await target()
  for (let pass = 0; pass < 2; pass += 1)
    await restoreRevisions(bench.client, { restore: restoreTo(vm.metadata.name), captured, target: undefined })
  const made = await find(`${vm.metadata.name}-small`)
  expect(made.data).toEqual({ a: 1 })
  expect(made.metadata.ownerReferences).toBeUndefined()
  for (let pass = 0; pass < 2; pass += 1) await adoptRevisions(bench.client, vm)
  expect((await find(`${vm.metadata.name}-small`)).metadata.ownerReferences).toEqual([ownedBy(vm)])
})

test('d.9-revisions other data that belongs to somebody else is left alone, and that is told', async () => {
  const vm = await target()
  const other = await target()
  await revise(`${vm.metadata.name}-small`, { a: 2 }, other)
  await expect(
    restoreRevisions(bench.client, { restore: restoreTo(vm.metadata.name), captured, target: undefined }),
  ).rejects.toThrow(
    `ControllerRevision ${vm.metadata.name}-small exists with other data and belongs to VirtualMachine ${other.metadata.name}`,
  )
  expect((await find(`${vm.metadata.name}-small`)).data).toEqual({ a: 2 })
})

test('d.9-revisions a captured one that is gone is told', async () => {
  const lost = { ...captured, spec: { ...captured.spec, instancetype: { revisionName: 'snap-gone' } } }
  await expect(
    restoreRevisions(bench.client, { restore: restoreTo('vm'), captured: lost, target: undefined }),
  ).rejects.toThrow('ControllerRevision snap-gone of the captured instancetype does not exist')
})
