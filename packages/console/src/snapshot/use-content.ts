import { type VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { contentName } from '@stillpoint/api/snapshot/names'
import { useListed, useObject } from '../kube/use-objects.ts'

/**
 * The content of a snapshot, also of one at work, whose status does not name it yet. `listed`: the namespace whose
 * contents the page reads, undefined for all; they are read once, and shared by all its rows.
 */
export function useContent(
  snapshot: VirtualMachineSnapshot,
  listed: string | undefined,
): VirtualMachineSnapshotContent | undefined {
  const { namespace } = snapshot.metadata
  return useListed(VirtualMachineSnapshotContent, listed, { namespace, name: nameOf(snapshot) })
}

/** The same for the page of one snapshot, which reads nothing else. */
export function useOwnContent(snapshot: VirtualMachineSnapshot): VirtualMachineSnapshotContent | undefined {
  return useObject(VirtualMachineSnapshotContent, snapshot.metadata.namespace, nameOf(snapshot)).object
}

function nameOf({ metadata, status }: VirtualMachineSnapshot): string {
  return status?.virtualMachineSnapshotContentName ?? contentName(metadata.uid ?? '')
}
