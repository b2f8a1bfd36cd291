import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { useMemo } from 'react'
import { useObjects } from '../kube/use-objects.ts'
import { type VmDisk, vmDisks } from '../model/vm-disks.ts'

/** The disks of a VM, live. What may not be read is left out of them. */
export function useVmDisks(vm: VirtualMachine): readonly VmDisk[] {
  const { items: claims } = useObjects(PersistentVolumeClaim, vm.metadata.namespace)
  const { items: dataVolumes } = useObjects(DataVolume, vm.metadata.namespace)
  return useMemo(() => vmDisks(vm, { claims, dataVolumes }), [vm, claims, dataVolumes])
}
