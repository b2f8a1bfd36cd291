import type { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { ObjectMeta } from '@stillpoint/api/meta/object-meta'
import type {
  VirtualMachineRestore,
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
} from '@stillpoint/api/snapshot/kinds'

// Objects for the tables of cases: what a case does not name is unremarkable.

export const now = new Date('2026-08-02T12:00:00.000Z')
/** RFC 3339, so many seconds before `now`. */
export const secondsAgo = (seconds: number): string => new Date(now.getTime() - seconds * 1_000).toISOString()
export const hoursAgo = (hours: number): string => secondsAgo(hours * 3_600)

type Given<T extends { metadata: ObjectMeta }> = { metadata?: Partial<ObjectMeta> } & Partial<Omit<T, 'metadata'>>

export function vm({ metadata, ...rest }: Given<VirtualMachine> = {}): VirtualMachine {
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachine',
    metadata: { name: 'web-1', namespace: 'shop', uid: 'vm-uid', creationTimestamp: hoursAgo(1_000), ...metadata },
    spec: { runStrategy: 'Always', template: { spec: { domain: { devices: {} } } } },
    status: { printableStatus: 'Running' },
    ...rest,
  }
}

export const vmOwner = {
  apiVersion: 'kubevirt.io/v1',
  kind: 'VirtualMachine',
  name: 'web-1',
  uid: 'vm-uid',
  blockOwnerDeletion: false,
}

export const succeeded: NonNullable<VirtualMachineSnapshot['status']> = {
  phase: 'Succeeded',
  readyToUse: true,
  sourceUID: 'vm-uid',
  creationTime: hoursAgo(2),
  virtualMachineSnapshotContentName: 'vmsnapshot-content-snap-uid',
}

export function snapshot({ metadata, ...rest }: Given<VirtualMachineSnapshot> = {}): VirtualMachineSnapshot {
  return {
    apiVersion: 'snapshot.kubevirt.io/v1beta1',
    kind: 'VirtualMachineSnapshot',
    metadata: { name: 'snap', namespace: 'shop', uid: 'snap-uid', creationTimestamp: hoursAgo(2), ...metadata },
    spec: { source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'web-1' } },
    status: succeeded,
    ...rest,
  }
}

export function content({
  metadata,
  ...rest
}: Given<VirtualMachineSnapshotContent> = {}): VirtualMachineSnapshotContent {
  return {
    apiVersion: 'snapshot.kubevirt.io/v1beta1',
    kind: 'VirtualMachineSnapshotContent',
    metadata: { name: 'vmsnapshot-content-snap-uid', namespace: 'shop', uid: 'content-uid', ...metadata },
    spec: { source: {} },
    ...rest,
  }
}

export function restore({ metadata, ...rest }: Given<VirtualMachineRestore> = {}): VirtualMachineRestore {
  return {
    apiVersion: 'snapshot.kubevirt.io/v1beta1',
    kind: 'VirtualMachineRestore',
    metadata: { name: 'back', namespace: 'shop', uid: 'restore-uid', creationTimestamp: hoursAgo(1), ...metadata },
    spec: {
      target: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'web-1' },
      virtualMachineSnapshotName: 'snap',
      targetReadinessPolicy: 'WaitGracePeriod',
    },
    ...rest,
  }
}

export function clone({ metadata, ...rest }: Given<VirtualMachineClone> = {}): VirtualMachineClone {
  return {
    apiVersion: 'clone.kubevirt.io/v1beta1',
    kind: 'VirtualMachineClone',
    metadata: { name: 'copy', namespace: 'shop', uid: 'clone-uid', creationTimestamp: hoursAgo(1), ...metadata },
    spec: { source: { apiGroup: 'snapshot.kubevirt.io', kind: 'VirtualMachineSnapshot', name: 'snap' } },
    ...rest,
  }
}
