import { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { snapshotNameOf } from '@stillpoint/api/clone/names'
import { keyOf, uidOf } from '@stillpoint/api/meta/object-meta'
import { isNotFound } from '@stillpoint/api/meta/status-error'
import { beforeRestoreAnnotation } from '@stillpoint/api/snapshot/keys'
import { VirtualMachineRestore, type VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { contentName } from '@stillpoint/api/snapshot/names'
import { hasEnded } from '@stillpoint/api/snapshot/rules'
import { dataSourceOf } from '@stillpoint/api/storage/data-source'
import { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import type { KubeClient } from '../kube/client.ts'
import { membersOf } from './volume-snapshots.ts'
import type { World } from './world.ts'

// Who still needs a snapshot: restores and clones that are not through, and claims that are yet to be filled from it,
// which with WaitForFirstConsumer may be long after the restore that made them.

/** Names of the snapshots a restore needs: what it restores, and what it is undone with. */
export function snapshotsOf({ metadata, spec }: VirtualMachineRestore): string[] {
  const before = metadata.annotations?.[beforeRestoreAnnotation]
  return [spec.virtualMachineSnapshotName, ...(before === undefined ? [] : [before])]
}

/** The VolumeSnapshot a claim is filled from. */
export function volumeSnapshotOf({ spec }: PersistentVolumeClaim): string | undefined {
  const source = dataSourceOf(spec)
  return source?.kind === 'VolumeSnapshot' ? source.name : undefined
}

/** Adds the lookups of `usersOf`; to be called before the informers start. */
export function indexUsers({ restores, clones, contents, claims }: World): void {
  const inNamespace = (namespace: string | undefined, names: readonly string[]): string[] =>
    names.map((name) => `${namespace}/${name}`)
  restores.addIndex('users:snapshot', (restore) => inNamespace(restore.metadata.namespace, snapshotsOf(restore)))
  clones.addIndex('users:snapshot', (clone) => inNamespace(clone.metadata.namespace, [snapshotNameOf(clone)]))
  contents.addIndex('users:member', (content) =>
    inNamespace(
      content.metadata.namespace,
      membersOf(content).map(({ name }) => name),
    ),
  )
  claims.addIndex('users:volume-snapshot', (claim) => {
    const name = volumeSnapshotOf(claim)
    return name === undefined ? [] : inNamespace(claim.metadata.namespace, [name])
  })
}

/** Kind and name of everything that still needs the snapshot, as the local copies have it. */
export function usersOf(world: World, snapshot: VirtualMachineSnapshot): string[] {
  const { namespace } = snapshot.metadata
  const content = world.contents.get(`${namespace}/${contentName(uidOf(snapshot))}`)
  const restores = world.restores.byIndex('users:snapshot', keyOf(snapshot)).filter(isUnfinishedRestore)
  const clones = world.clones.byIndex('users:snapshot', keyOf(snapshot)).filter(isUnfinishedClone)
  const claims = (content === undefined ? [] : membersOf(content))
    .flatMap(({ name }) => world.claims.byIndex('users:volume-snapshot', `${namespace}/${name}`))
    .filter(isUnfilled)
  return [...restores, ...clones, ...claims].map(({ kind, metadata }) => `${kind} ${metadata.name}`)
}

/** Brings the local copies of all that may need a snapshot of the namespace to what the server has now. */
export async function refreshUsers(client: KubeClient, world: World, namespace: string): Promise<void> {
  const [restores, clones, claims] = await Promise.all([
    client.list(VirtualMachineRestore, { namespace }),
    orNone(client.list(VirtualMachineClone, { namespace })),
    client.list(PersistentVolumeClaim, { namespace }),
  ])
  for (const restore of restores.items) world.restores.note(restore)
  for (const clone of clones.items) world.clones.note(clone)
  for (const claim of claims.items) world.claims.note(claim)
}

/** Not every cluster has clones. */
async function orNone<T>(list: Promise<{ items: T[] }>): Promise<{ items: T[] }> {
  try {
    return await list
  } catch (error) {
    if (isNotFound(error)) return { items: [] }
    throw error
  }
}

/** Neither through nor about to be given up. */
export function isUnfinishedRestore(restore: VirtualMachineRestore): boolean {
  return restore.metadata.deletionTimestamp === undefined && !hasEnded(restore)
}

function isUnfinishedClone({ metadata, status }: VirtualMachineClone): boolean {
  return metadata.deletionTimestamp === undefined && status?.phase !== 'Succeeded' && status?.phase !== 'Failed'
}

function isUnfilled({ metadata, status }: PersistentVolumeClaim): boolean {
  return metadata.deletionTimestamp === undefined && (status?.phase ?? 'Pending') === 'Pending'
}
