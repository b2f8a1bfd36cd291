import { VirtualMachine, VirtualMachineInstance } from './kubevirt/kinds.ts'
import type { ResourceDefinition } from './schema/resource.ts'
import { VirtualMachineRestore, VirtualMachineSnapshot, VirtualMachineSnapshotContent } from './snapshot/kinds.ts'
import { DataVolume, StorageProfile } from './storage/cdi.ts'
import {
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
  VolumeSnapshot,
  VolumeSnapshotClass,
  VolumeSnapshotContent,
} from './storage/kinds.ts'

/** Every kind the embedded server serves. */
export const kinds: readonly ResourceDefinition[] = [
  PersistentVolumeClaim,
  PersistentVolume,
  StorageClass,
  VolumeSnapshot,
  VolumeSnapshotContent,
  VolumeSnapshotClass,
  DataVolume,
  StorageProfile,
  VirtualMachine,
  VirtualMachineInstance,
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
  VirtualMachineRestore,
]
