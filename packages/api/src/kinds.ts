import { VirtualMachineClone } from './clone/kinds.ts'
import { ConfigMap, Secret } from './core/config.ts'
import { ControllerRevision } from './core/controller-revision.ts'
import { Event } from './core/event.ts'
import { Lease } from './core/lease.ts'
import { Namespace } from './core/namespace.ts'
import { Node } from './core/node.ts'
import { rbacKinds } from './core/rbac.ts'
import { ServiceAccount } from './core/service-account.ts'
import { VirtualMachine, VirtualMachineInstance } from './kubevirt/kinds.ts'
import type { ResourceDefinition } from './schema/resource.ts'
import { VirtualMachineRestore, VirtualMachineSnapshot, VirtualMachineSnapshotContent } from './snapshot/kinds.ts'
import { CDIConfig, DataVolume, StorageProfile } from './storage/cdi.ts'
import {
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
  VolumeSnapshot,
  VolumeSnapshotClass,
  VolumeSnapshotContent,
} from './storage/kinds.ts'

/** The kinds that a cluster gets from us, as definitions under `crds/`: this list decides. */
export const clusterKinds: readonly ResourceDefinition[] = [
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
  VirtualMachineRestore,
  VirtualMachineClone,
]

/** Every kind the embedded server serves. */
export const kinds: readonly ResourceDefinition[] = [
  Namespace,
  ConfigMap,
  Secret,
  ServiceAccount,
  Event,
  Node,
  Lease,
  ControllerRevision,
  ...rbacKinds,
  PersistentVolumeClaim,
  PersistentVolume,
  StorageClass,
  VolumeSnapshot,
  VolumeSnapshotContent,
  VolumeSnapshotClass,
  DataVolume,
  StorageProfile,
  CDIConfig,
  VirtualMachine,
  VirtualMachineInstance,
  ...clusterKinds,
]
