import { controllerOf, ownedBy, uidOf } from '@stillpoint/api/meta/object-meta'
import { isAlreadyExists } from '@stillpoint/api/meta/status-error'
import { objectOf } from '@stillpoint/api/schema/resource'
import {
  cutSetAnnotation,
  formatCutSet,
  parseCutSet,
  sourceVmNameLabel,
  sourceVmNamespaceLabel,
} from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import { type KubeClient, refOf } from '../kube/client.ts'
import { selectVolume } from './volumes.ts'
import type { World } from './world.ts'

export interface Member {
  /** Name of the VolumeSnapshot. */
  name: string
  claim: string
  volume: string
}

/** The VolumeSnapshots a content is made of. */
export function membersOf(content: VirtualMachineSnapshotContent): Member[] {
  return (content.spec.volumeBackups ?? []).flatMap(({ volumeSnapshotName, persistentVolumeClaim, volumeName }) => {
    const claim = (persistentVolumeClaim.metadata as { name?: string } | undefined)?.name
    return volumeSnapshotName && claim ? [{ name: volumeSnapshotName, claim, volume: volumeName }] : []
  })
}

/** A set is cut at one instant. Each attempt is a set of its own. */
function setIdOf(content: VirtualMachineSnapshotContent, attempt: number): string {
  return attempt === 1 ? uidOf(content) : `${uidOf(content)}.${attempt}`
}

export function attemptOf(volumeSnapshot: VolumeSnapshot): number {
  const id = parseCutSet(volumeSnapshot.metadata.annotations?.[cutSetAnnotation])?.id
  const number = Number(id?.split('.')[1] ?? 1)
  return Number.isSafeInteger(number) ? number : 1
}

/** The VolumeSnapshot of that name, if it is this content's; somebody else's is an error. */
export function findMember(
  world: World,
  content: VirtualMachineSnapshotContent,
  name: string,
): VolumeSnapshot | undefined {
  const found = world.volumeSnapshots.get(`${content.metadata.namespace}/${name}`)
  if (found !== undefined) assertOwned(content, found)
  return found
}

function assertOwned(content: VirtualMachineSnapshotContent, found: VolumeSnapshot): void {
  if (controllerOf(found)?.uid !== uidOf(content))
    throw new Error(`VolumeSnapshot ${found.metadata.name} exists and does not belong to ${content.metadata.name}`)
}

/** What is to be created for an attempt, with the classes chosen now; a text when a volume cannot be cut. */
export function prepareMembers(
  world: World,
  content: VirtualMachineSnapshotContent,
  members: readonly Member[],
  attempt: number,
): VolumeSnapshot[] | string {
  const { namespace = '' } = content.metadata
  const captured = content.spec.source.virtualMachine?.metadata as { name?: string; namespace?: string } | undefined
  const prepared: VolumeSnapshot[] = []
  for (const member of members) {
    const selection = selectVolume(world, namespace, { volume: member.volume, claim: member.claim })
    if ('problem' in selection) return selection.problem
    if ('skip' in selection) return `volume ${member.volume} cannot be cut: ${selection.skip}`
    prepared.push(
      objectOf(
        VolumeSnapshot,
        {
          name: member.name,
          namespace,
          labels: {
            ...labelOf(sourceVmNameLabel, captured?.name),
            ...labelOf(sourceVmNamespaceLabel, captured?.namespace),
          },
          annotations: {
            [cutSetAnnotation]: formatCutSet({
              id: setIdOf(content, attempt),
              size: membersOf(content).length,
            }),
          },
          ownerReferences: [ownedBy(content)],
        },
        {
          spec: {
            source: { persistentVolumeClaimName: member.claim },
            volumeSnapshotClassName: selection.snapshotClass,
          },
        },
      ),
    )
  }
  return prepared
}

/** A name too long for a label is left out: the label serves searches, the cut must not fail for it. */
export function labelOf(key: string, value: string | undefined): Record<string, string> {
  return value === undefined || value.length > 63 ? {} : { [key]: value }
}

/** Creates all at once. One that exists already from this very attempt is as good as created. */
export async function createMembers(
  client: KubeClient,
  world: World,
  content: VirtualMachineSnapshotContent,
  prepared: readonly VolumeSnapshot[],
): Promise<VolumeSnapshot[]> {
  const created: VolumeSnapshot[] = []
  const create = async (wanted: VolumeSnapshot): Promise<void> => {
    try {
      const made = await client.create(VolumeSnapshot, wanted)
      created.push(made)
      world.volumeSnapshots.note(made)
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      const found = await client.get(VolumeSnapshot, refOf(wanted))
      assertOwned(content, found)
      world.volumeSnapshots.note(found)
      if (attemptOf(found) !== attemptOf(wanted)) throw error
    }
  }
  const results = await Promise.allSettled(prepared.map(create))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
  return created
}
