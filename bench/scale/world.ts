import { ConfigMap } from '../../packages/api/src/core/config.ts'
import { ControllerRevision } from '../../packages/api/src/core/controller-revision.ts'
import { VirtualMachine, VirtualMachineInstance } from '../../packages/api/src/kubevirt/kinds.ts'
import { objectOf } from '../../packages/api/src/schema/resource.ts'
import {
  PersistentVolumeClaim,
  StorageClass,
  VolumeSnapshot,
  VolumeSnapshotClass,
} from '../../packages/api/src/storage/kinds.ts'
import { type KubeClient, refOf } from '../../packages/server/src/kube/client.ts'
import type { Informers } from '../../packages/server/src/kube/informers.ts'

export const namespace = 'default'
/** Requests that are on their way at once. */
const together = 32

/** Does it for 0 to count - 1, several at a time. */
export async function each(count: number, act: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next
      next += 1
      await act(index)
    }
  }
  await Promise.all(Array.from({ length: together }, worker))
}

/** Running VMs of one disk each, as KubeVirt and a provisioner would show them. */
export async function seedVms(client: KubeClient, count: number): Promise<void> {
  const provisioner = 'csi.bench'
  await client.create(
    StorageClass,
    objectOf(StorageClass, { name: 'fast' }, { provisioner, reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' }),
  )
  await client.create(
    VolumeSnapshotClass,
    objectOf(VolumeSnapshotClass, { name: 'fast' }, { driver: provisioner, deletionPolicy: 'Delete' }),
  )
  await each(count, async (index) => {
    const [name, claimName] = [`vm-${index}`, `vm-${index}-root`]
    const claim = objectOf(
      PersistentVolumeClaim,
      { namespace, name: claimName },
      {
        spec: {
          accessModes: ['ReadWriteOnce'],
          storageClassName: 'fast',
          volumeName: `pv-${index}`,
          resources: { requests: { storage: '10Gi' } },
        },
      },
    )
    await client.create(PersistentVolumeClaim, claim)
    const bound = { status: { phase: 'Bound' } }
    await client.patch(PersistentVolumeClaim, { namespace, name: claimName }, bound, { subresource: 'status' })
    const spec = {
      runStrategy: 'Always',
      template: {
        spec: {
          domain: { devices: { disks: [{ name: 'root', disk: { bus: 'virtio' } }] } },
          volumes: [{ name: 'root', persistentVolumeClaim: { claimName } }],
        },
      },
    }
    await client.create(VirtualMachine, objectOf(VirtualMachine, { namespace, name }, { spec }))
    const revision = `revision-start-vm-${index}`
    await client.create(
      ControllerRevision,
      objectOf(ControllerRevision, { namespace, name: revision }, { revision: 1, data: { spec } }),
    )
    await client.create(
      VirtualMachineInstance,
      objectOf(
        VirtualMachineInstance,
        { namespace, name },
        {
          spec: { domain: { devices: {} } },
          status: {
            phase: 'Running',
            conditions: [{ type: 'AgentConnected', status: 'True' }],
            virtualMachineRevisionName: revision,
          },
        },
      ),
    )
  })
}

/** Cuts every VolumeSnapshot as soon as it is there; it is ready at once. */
export function cutAll(client: KubeClient, informers: Informers, failed: (error: unknown) => void): void {
  informers.of(VolumeSnapshot).onChange(({ type, object }) => {
    if (type !== 'added' || object.status?.creationTime !== undefined) return
    const status = {
      creationTime: new Date().toISOString().replace(/\.\d+/, ''),
      readyToUse: true,
      restoreSize: '10Gi',
    }
    client.patch(VolumeSnapshot, refOf(object), { status }, { subresource: 'status' }).catch(failed)
  })
}

/** Creates an object and patches it, `writes` in all: what as many writes cost when nobody thinks between them. */
export async function bareWrites(client: KubeClient, name: string, writes: number): Promise<void> {
  await client.create(ConfigMap, objectOf(ConfigMap, { namespace, name }, { data: { text: 'x'.repeat(2_000) } }))
  for (let write = 1; write < writes; write += 1)
    await client.patch(ConfigMap, { namespace, name }, { data: { at: `${write}` } })
}
