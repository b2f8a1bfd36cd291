import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import type { ObjectMeta } from '@stillpoint/api/meta/object-meta'
import { type ObjectOf, objectOf, type ResourceDefinition } from '@stillpoint/api/schema/resource'
import { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { DataVolume, StorageProfile } from '@stillpoint/api/storage/cdi'
import { PersistentVolumeClaim, StorageClass, VolumeSnapshot, VolumeSnapshotClass } from '@stillpoint/api/storage/kinds'
import { pino } from 'pino'
import { KubeClient } from '../../kube/client.ts'
import { Informers } from '../../kube/informers.ts'
import { Transport } from '../../kube/transport.ts'
import { watchWorld } from '../world.ts'

// A world that stands still: the local copies filled by hand, for tests of what only looks at them.

export const namespace = 'ns'

let version = 0
/** An object as the server would have stored it. */
function stored<R extends ResourceDefinition>(
  definition: R,
  { name, ...metadata }: ObjectMeta,
  fields: Parameters<typeof objectOf<R>>[2],
): ObjectOf<R> {
  version += 1
  return objectOf(
    definition,
    {
      name,
      uid: `uid-of-${name}`,
      resourceVersion: `${version}`,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...(definition.scope === 'Cluster' ? {} : { namespace }),
      ...metadata,
    },
    fields,
  )
}

export const claim = (
  name: string,
  {
    phase = 'Bound' as 'Bound' | 'Pending',
    storageClass = 'fast',
    ...metadata
  }: Partial<ObjectMeta> & {
    phase?: 'Bound' | 'Pending'
    storageClass?: string | undefined
  } = {},
) =>
  stored(
    PersistentVolumeClaim,
    { name, ...metadata },
    {
      spec: { volumeName: `pv-${name}`, ...(storageClass === '' ? {} : { storageClassName: storageClass }) },
      status: { phase },
    },
  )

type VmFields = Parameters<typeof objectOf<typeof VirtualMachine>>[2]
export const vm = (
  volumes: VmFields['spec']['template']['spec']['volumes'] = [
    { name: 'root', persistentVolumeClaim: { claimName: 'root-claim' } },
  ],
  {
    metadata,
    devices = {},
    status,
    ...spec
  }: { metadata?: Partial<ObjectMeta>; devices?: Record<string, unknown> } & Partial<VmFields['spec']> & {
      status?: VmFields['status']
    } = {},
) =>
  stored(
    VirtualMachine,
    { name: 'my-vm', ...metadata },
    {
      spec: { runStrategy: 'Manual', ...spec, template: { spec: { domain: { devices }, volumes } } },
      ...(status === undefined ? {} : { status }),
    },
  )

export const vmi = (status: Record<string, unknown> = { phase: 'Running' }) =>
  stored(VirtualMachineInstance, { name: 'my-vm' }, { spec: { domain: { devices: {} } }, status })

export const dataVolume = (
  name: string,
  phase: string,
  {
    storageClass,
    ...metadata
  }: Partial<ObjectMeta> & {
    storageClass?: string
  } = {},
) =>
  stored(
    DataVolume,
    { name, ...metadata },
    { spec: storageClass === undefined ? {} : { pvc: { storageClassName: storageClass } }, status: { phase } },
  )

export const storageClass = (name = 'fast', provisioner = 'csi.test') =>
  stored(StorageClass, { name }, { provisioner, reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' })

export const snapshotClass = (name = 'fast-snapshots', driver = 'csi.test') =>
  stored(VolumeSnapshotClass, { name }, { driver, deletionPolicy: 'Delete' })

export const profile = (name: string, snapshotClassName: string) =>
  stored(StorageProfile, { name }, { status: { snapshotClass: snapshotClassName } })

type SnapshotFields = Parameters<typeof objectOf<typeof VirtualMachineSnapshot>>[2]
export const snapshot = (
  status?: SnapshotFields['status'],
  { metadata, ...spec }: { metadata?: Partial<ObjectMeta> } & Partial<SnapshotFields['spec']> = {},
) =>
  stored(
    VirtualMachineSnapshot,
    { name: 'snap', finalizers: ['snapshot.kubevirt.io/vmsnapshot-protection'], ...metadata },
    {
      spec: { source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'my-vm' }, ...spec },
      ...(status === undefined ? {} : { status }),
    },
  )

type ContentFields = Parameters<typeof objectOf<typeof VirtualMachineSnapshotContent>>[2]
/** The content of `snapshot` of `vm`, with one volume unless told otherwise. */
export const content = (
  status?: ContentFields['status'],
  {
    metadata,
    of = vm(),
    volumes = ['root'],
  }: {
    metadata?: Partial<ObjectMeta>
    of?: VirtualMachine
    volumes?: readonly string[]
  } = {},
) =>
  stored(
    VirtualMachineSnapshotContent,
    { name: 'vmsnapshot-content-uid-of-snap', ...metadata },
    {
      spec: {
        virtualMachineSnapshotName: 'snap',
        source: { virtualMachine: { metadata: { ...of.metadata }, spec: of.spec, status: {} } },
        volumeBackups: volumes.map((volume) => ({
          volumeName: volume,
          persistentVolumeClaim: { metadata: { name: `${volume}-claim` }, spec: {} },
          volumeSnapshotName: `vmsnapshot-uid-of-snap-volume-${volume}`,
        })),
      },
      ...(status === undefined ? {} : { status }),
    },
  )

type VolumeSnapshotFields = Parameters<typeof objectOf<typeof VolumeSnapshot>>[2]
export const volumeSnapshot = (volume: string, status?: VolumeSnapshotFields['status']) =>
  stored(
    VolumeSnapshot,
    { name: `vmsnapshot-uid-of-snap-volume-${volume}` },
    {
      spec: { source: { persistentVolumeClaimName: `${volume}-claim` } },
      ...(status === undefined ? {} : { status }),
    },
  )

/** A client for what must not ask anybody: every request of it fails. */
export const nobody = new KubeClient(
  new Transport({
    server: 'http://127.0.0.1:9',
    authorize: () => {
      throw new Error('a test of local copies asked the API')
    },
  }),
)

/** Local copies that hold these objects. */
export function stillWorld(...objects: readonly { kind: string }[]) {
  const world = watchWorld(new Informers(nobody, pino({ level: 'silent' })))
  const informers: Record<string, { note(object: never): void }> = {
    VirtualMachineSnapshot: world.snapshots,
    VirtualMachineSnapshotContent: world.contents,
    VirtualMachine: world.vms,
    VirtualMachineInstance: world.vmis,
    PersistentVolumeClaim: world.claims,
    DataVolume: world.dataVolumes,
    VolumeSnapshot: world.volumeSnapshots,
    VolumeSnapshotClass: world.snapshotClasses,
    StorageClass: world.storageClasses,
    StorageProfile: world.profiles,
  }
  for (const object of objects) informers[object.kind]?.note(object as never)
  return world
}
