import { isDeepStrictEqual } from 'node:util'
import { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { controllerOf, ownedBy, uidOf } from '@stillpoint/api/meta/object-meta'
import { objectOf } from '@stillpoint/api/schema/resource'
import type { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { type KubeClient, refOf } from '../kube/client.ts'
import type { CapturedVm } from './restored-volumes.ts'

const matchers = ['instancetype', 'preference'] as const

/** The target's copy of a captured revision carries its name in the place of the snapshot's. */
export function restoredRevisionName(captured: string, { spec }: VirtualMachineRestore): string {
  return captured.replace(spec.virtualMachineSnapshotName, () => spec.target.name)
}

/** Brings back the revisions of instance type and preference the captured VM was built from. May be repeated. */
export async function restoreRevisions(
  client: KubeClient,
  {
    restore,
    captured,
    target,
  }: { restore: VirtualMachineRestore; captured: CapturedVm; target: VirtualMachine | undefined },
): Promise<void> {
  const { namespace } = restore.metadata
  for (const key of matchers) {
    const source = captured.spec[key]?.revisionName
    if (!source) continue
    const original = await client.find(ControllerRevision, { namespace, name: source })
    const name = restoredRevisionName(source, restore)
    const present = await client.find(ControllerRevision, { namespace, name })
    if (original === undefined) {
      if (present !== undefined) continue
      throw new Error(`ControllerRevision ${source} of the captured ${key} does not exist`)
    }
    if (present !== undefined) {
      if (isDeepStrictEqual(present.data, original.data)) continue
      const owner = controllerOf(present)
      if (owner !== undefined && owner.uid !== target?.metadata.uid)
        throw new Error(
          `ControllerRevision ${name} exists with other data and belongs to ${owner.kind} ${owner.name}; ` +
            'delete it or restore to another name',
        )
      await client.delete(ControllerRevision, refOf(present), { uid: uidOf(present) })
    }
    await client.create(
      ControllerRevision,
      objectOf(
        ControllerRevision,
        {
          name,
          ...(namespace === undefined ? {} : { namespace }),
          ...(original.metadata.labels === undefined ? {} : { labels: original.metadata.labels }),
          ...(target === undefined ? {} : { ownerReferences: [ownedBy(target)] }),
        },
        { revision: original.revision, ...(original.data === undefined ? {} : { data: original.data }) },
      ),
    )
  }
}

/** Gives the VM the revisions that were made before it existed. May be repeated. */
export async function adoptRevisions(client: KubeClient, target: VirtualMachine): Promise<void> {
  const { namespace } = target.metadata
  for (const key of matchers) {
    const name = target.spec[key]?.revisionName
    const revision = name ? await client.find(ControllerRevision, { namespace, name }) : undefined
    if (revision === undefined || controllerOf(revision) !== undefined) continue
    const { resourceVersion } = revision.metadata
    const ownerReferences = [...(revision.metadata.ownerReferences ?? []), ownedBy(target)]
    await client.patch(ControllerRevision, refOf(revision), { metadata: { resourceVersion, ownerReferences } })
  }
}
