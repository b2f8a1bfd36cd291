import { type VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { contentName } from '@stillpoint/api/snapshot/names'
import { useListed } from '../kube/use-objects.ts'

/**
 * The content of a snapshot, also of one at work, whose status does not name it yet. `listed`: the namespace whose
 * contents the page reads, undefined for all; they are read once, and shared by all its rows.
 */
export function useContent(
  { metadata, status }: VirtualMachineSnapshot,
  listed: string | undefined,
): VirtualMachineSnapshotContent | undefined {
  const name = status?.virtualMachineSnapshotContentName ?? contentName(metadata.uid ?? '')
  return useListed(VirtualMachineSnapshotContent, listed, { namespace: metadata.namespace, name })
}
