import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { VolumeSnapshot, VolumeSnapshotContent } from '@stillpoint/api/storage/kinds'
import { list, open } from '../../kube/client.ts'
import { useRead } from '../../kube/use-read.ts'
import { type SpaceFreed, spaceFreed, uniqueBytesIn } from '../../model/space-freed.ts'

/**
 * How much space comes back when these snapshots are deleted; `asking` while that is read. What may not be seen, or is
 * not served, makes the answer less exact, and says so in it.
 */
export function useSpaceFreed(
  snapshots: readonly VirtualMachineSnapshot[],
  namespaces: readonly string[],
): SpaceFreed | undefined | 'asking' {
  const volumeSnapshots = useRead(namespaces.join(), async (signal) => {
    const lists = await Promise.all(namespaces.map((namespace) => list(VolumeSnapshot, namespace, {}, signal)))
    return lists.flatMap(({ items }) => items)
  })
  const contents = useRead('all', async (signal) => (await list(VolumeSnapshotContent, undefined, {}, signal)).items)
  const metrics = useRead('all', async (signal) => uniqueBytesIn(await (await open('/metrics', { signal })).text()))
  const reads = [volumeSnapshots, contents, metrics]
  if (reads.some(({ value, error }) => value === undefined && error === undefined)) return 'asking'
  return spaceFreed(snapshots, {
    volumeSnapshots: volumeSnapshots.value,
    contents: contents.value,
    uniqueBytes: metrics.value,
  })
}
