import { VirtualMachine } from '../packages/api/src/kubevirt/kinds.ts'
import { type ObjectOf, objectOf } from '../packages/api/src/schema/resource.ts'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '../packages/api/src/snapshot/kinds.ts'

const namespace = 'default'
const source = (name: string): { apiGroup: string; kind: string; name: string } => ({
  apiGroup: 'kubevirt.io',
  kind: 'VirtualMachine',
  name,
})

export function snapshotOf(vm: string, name: string): ObjectOf<typeof VirtualMachineSnapshot> {
  return objectOf(VirtualMachineSnapshot, { namespace, name }, { spec: { source: source(vm) } })
}

export function restoreOf(vm: string, snapshot: string, name: string): ObjectOf<typeof VirtualMachineRestore> {
  return objectOf(
    VirtualMachineRestore,
    { namespace, name },
    { spec: { target: source(vm), virtualMachineSnapshotName: snapshot, targetReadinessPolicy: 'WaitGracePeriod' } },
  )
}

export interface DiskSpec {
  name: string
  size: string
  /** A file of the import directory; a blank disk when absent. */
  image?: string
}

/** A VM with its disks as DataVolume templates, the way the example has them. */
export function machine(
  name: string,
  runStrategy: string,
  disks: readonly DiskSpec[],
): ObjectOf<typeof VirtualMachine> {
  return objectOf(
    VirtualMachine,
    { namespace, name },
    {
      spec: {
        runStrategy,
        dataVolumeTemplates: disks.map((disk) => ({
          metadata: { name: `${name}-${disk.name}` },
          spec: {
            source: disk.image === undefined ? { blank: {} } : { http: { url: `file:///${disk.image}` } },
            storage: { resources: { requests: { storage: disk.size } } },
          },
        })),
        template: {
          spec: {
            terminationGracePeriodSeconds: 10,
            domain: {
              memory: { guest: '256Mi' },
              devices: {
                disks: disks.map((disk) => ({ name: disk.name, serial: disk.name, disk: { bus: 'virtio' } })),
              },
            },
            volumes: disks.map((disk) => ({ name: disk.name, dataVolume: { name: `${name}-${disk.name}` } })),
          },
        },
      },
      status: undefined,
    },
  )
}
