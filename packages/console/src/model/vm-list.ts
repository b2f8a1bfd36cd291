import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { snapshotsOf } from './belongs.ts'
import { newestFirst } from './newest.ts'
import { vmStatus } from './vm-status.ts'

/** `namespace/name`. */
export function vmKey({ metadata }: VirtualMachine): string {
  return `${metadata.namespace}/${metadata.name}`
}

export interface VmFilter {
  /** Part of the name; empty: all. */
  name: string
  /** Words of the status; none: all. */
  status: readonly string[]
}

export function filterVms(vms: readonly VirtualMachine[], { name, status }: VmFilter): readonly VirtualMachine[] {
  const wanted = name.trim().toLowerCase()
  if (wanted === '' && status.length === 0) return vms
  return vms.filter(
    (vm) => vm.metadata.name.includes(wanted) && (status.length === 0 || status.includes(vmStatus(vm).label)),
  )
}

const usualWords = ['Running', 'Stopped', 'Paused']

/** The words one can filter by: the usual ones, and what there is, or is chosen, besides. */
export function statusWords(vms: readonly VirtualMachine[], chosen: readonly string[]): string[] {
  const others = new Set([...vms.map((vm) => vmStatus(vm).label), ...chosen])
  for (const word of usualWords) others.delete(word)
  return [...usualWords, ...[...others].sort()]
}

/** The newest snapshot of each VM, by `vmKey`; those that are being deleted do not count. */
export function newestSnapshots(
  vms: readonly VirtualMachine[],
  snapshots: readonly VirtualMachineSnapshot[],
): ReadonlyMap<string, VirtualMachineSnapshot> {
  const bySource = Map.groupBy(
    snapshots.filter(({ metadata }) => metadata.deletionTimestamp === undefined),
    ({ metadata, spec }) => `${metadata.namespace}/${spec.source.name}`,
  )
  return new Map(
    vms.flatMap((vm) => {
      const [newest] = snapshotsOf(vm, bySource.get(vmKey(vm)) ?? []).own.sort(newestFirst)
      return newest === undefined ? [] : [[vmKey(vm), newest] as const]
    }),
  )
}
