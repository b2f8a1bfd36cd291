import { isDeepStrictEqual } from 'node:util'
import { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import {
  claimOf,
  type VirtualMachine,
  type VirtualMachineInstance,
  type VirtualMachineSpec,
  vmSpec,
} from '@stillpoint/api/kubevirt/kinds'
import { controllerOf, type ObjectMeta, ownedBy, uidOf } from '@stillpoint/api/meta/object-meta'
import { isAlreadyExists } from '@stillpoint/api/meta/status-error'
import { objectOf } from '@stillpoint/api/schema/resource'
import {
  contentFinalizer,
  type ExtraVolume,
  extraVolumesAnnotation,
  preferredStateAnnotation,
} from '@stillpoint/api/snapshot/keys'
import {
  type VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
  type VolumeBackup,
} from '@stillpoint/api/snapshot/kinds'
import { contentName, shorten, volumeSnapshotName } from '@stillpoint/api/snapshot/names'
import { backendVolumeName } from '@stillpoint/api/snapshot/rules'
import { keepsState, type MatcherKind, matcherKinds, revisionNameOf } from '../controller/preference.ts'
import { type KubeClient, refOf } from '../kube/client.ts'
import { candidatesOf, selectVolume } from './volumes.ts'
import type { World } from './world.ts'

/** Something a person must settle before the VM can be captured; shown as the snapshot's error. */
export class CaptureProblem extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CaptureProblem'
  }
}

export interface Source {
  vm: VirtualMachine
  vmi: VirtualMachineInstance | undefined
}

/** The content a snapshot of this VM has now: its definition and the volumes that can be cut. Writes nothing. */
export async function captureContent(
  client: KubeClient,
  world: World,
  snapshot: VirtualMachineSnapshot,
  { vm, vmi }: Source,
  definition?: VirtualMachineSpec,
): Promise<VirtualMachineSnapshotContent> {
  const namespace = vm.metadata.namespace ?? ''
  const uid = uidOf(snapshot)
  const volumeBackups: VolumeBackup[] = []
  const { own, preferred } = await keepsState(client, vm)
  for (const candidate of candidatesOf(world, vm, own || preferred)) {
    const selection = selectVolume(world, namespace, candidate)
    if ('problem' in selection) throw new CaptureProblem(selection.problem)
    if ('skip' in selection) continue
    const { metadata, spec } = selection.claim
    volumeBackups.push({
      volumeName: candidate.volume,
      persistentVolumeClaim: { metadata: withoutManagedFields(metadata), ...(spec === undefined ? {} : { spec }) },
      volumeSnapshotName: volumeSnapshotName(uid, candidate.volume),
    })
  }
  const spec = renameRevisions(definition ?? (await definitionOf(client, { vm, vmi })), vm, snapshot)
  const extra = extraVolumesOf(vm, vmi)
  const annotations = {
    ...(extra.length > 0 ? { [extraVolumesAnnotation]: JSON.stringify(extra) } : {}),
    ...(preferred ? { [preferredStateAnnotation]: 'true' } : {}),
  }
  return objectOf(
    VirtualMachineSnapshotContent,
    { name: contentName(uid), namespace, finalizers: [contentFinalizer], annotations },
    {
      spec: {
        virtualMachineSnapshotName: snapshot.metadata.name,
        source: { virtualMachine: { metadata: withoutManagedFields(vm.metadata), spec, status: {} } },
        volumeBackups,
      },
    },
  )
}

/** What was attached to the running guest only: no definition brings it back, so it is not part of a snapshot. */
function extraVolumesOf(vm: VirtualMachine, vmi: VirtualMachineInstance | undefined): ExtraVolume[] {
  const defined = new Set(vm.spec.template.spec.volumes?.map(({ name }) => name))
  return (vmi?.spec.volumes ?? [])
    .filter(({ name }) => !defined.has(name) && name !== backendVolumeName(vm.metadata.name))
    .map((volume) => ({ name: volume.name, claim: claimOf(volume) !== undefined }))
}

/** The definition to capture: as it is, or of a guest that runs what it was started with. Costs a read. */
export async function definitionOf(client: KubeClient, { vm, vmi }: Source): Promise<VirtualMachineSpec> {
  return vmi === undefined ? vm.spec : await startedSpec(client, vm, vmi)
}

/** What the guest was started with, on the disks it has now. */
async function startedSpec(
  client: KubeClient,
  vm: VirtualMachine,
  vmi: VirtualMachineInstance,
): Promise<VirtualMachineSpec> {
  const name = vmi.status?.virtualMachineRevisionName
  if (!name)
    throw new CaptureProblem(`VirtualMachineInstance ${vmi.metadata.name} does not name the revision it started from`)
  const revision = await client.find(ControllerRevision, { namespace: vm.metadata.namespace, name })
  if (revision === undefined) throw new CaptureProblem(`ControllerRevision ${name} of the running VM does not exist`)
  const parsed = vmSpec.safeParse((revision.data as { spec?: unknown } | undefined)?.spec)
  if (!parsed.success)
    throw new CaptureProblem(`ControllerRevision ${name} holds no VM definition`, { cause: parsed.error })
  const { dataVolumeTemplates: _, ...started } = parsed.data
  const live = vm.spec.template.spec
  const { volumes: __, ...startedTemplate } = started.template.spec
  const { disks: ___, ...startedDevices } = startedTemplate.domain.devices
  return {
    ...started,
    ...(vm.spec.dataVolumeTemplates === undefined ? {} : { dataVolumeTemplates: vm.spec.dataVolumeTemplates }),
    template: {
      ...started.template,
      spec: {
        ...startedTemplate,
        domain: {
          ...startedTemplate.domain,
          devices: {
            ...startedDevices,
            ...(live.domain.devices.disks === undefined ? {} : { disks: live.domain.devices.disks }),
          },
        },
        ...(live.volumes === undefined ? {} : { volumes: live.volumes }),
      },
    },
  }
}

/**
 * The snapshot's own copy of a revision carries its name in the place of the VM's, or before it: never the name of the
 * revision that is copied.
 */
function capturedRevisionName(revision: string, vm: VirtualMachine, snapshot: VirtualMachineSnapshot): string {
  return revision.includes(vm.metadata.name)
    ? revision.replace(vm.metadata.name, () => snapshot.metadata.name)
    : shorten(snapshot.metadata.name, revision, 253)
}

/** The revision in use, which an older definition may not name. */
function usedRevision(spec: VirtualMachineSpec, vm: VirtualMachine, kind: MatcherKind): string | undefined {
  return spec[kind] === undefined ? undefined : spec[kind]?.revisionName || revisionNameOf(vm, kind)
}

function renameRevisions(
  spec: VirtualMachineSpec,
  vm: VirtualMachine,
  snapshot: VirtualMachineSnapshot,
): VirtualMachineSpec {
  const renamed = { ...spec }
  for (const kind of matcherKinds) {
    const name = usedRevision(spec, vm, kind)
    if (name) renamed[kind] = { ...spec[kind], revisionName: capturedRevisionName(name, vm, snapshot) }
  }
  return renamed
}

/** Copies of the revisions of instance type and preference, which may vanish with the VM. Writes nothing. */
export async function captureRevisions(
  client: KubeClient,
  snapshot: VirtualMachineSnapshot,
  { vm, vmi }: Source,
  definition?: VirtualMachineSpec,
): Promise<ControllerRevision[]> {
  const copies: ControllerRevision[] = []
  const spec = definition ?? (await definitionOf(client, { vm, vmi }))
  for (const kind of matcherKinds) {
    const name = usedRevision(spec, vm, kind)
    if (!name) continue
    const { namespace } = vm.metadata
    const original = await client.find(ControllerRevision, { namespace, name })
    if (original === undefined) throw new CaptureProblem(`ControllerRevision ${name} of the ${kind} does not exist`)
    const copy = objectOf(
      ControllerRevision,
      {
        name: capturedRevisionName(name, vm, snapshot),
        ...(namespace === undefined ? {} : { namespace }),
        ...(original.metadata.labels === undefined ? {} : { labels: original.metadata.labels }),
        ownerReferences: [ownedBy(snapshot)],
      },
      { revision: original.revision, ...(original.data === undefined ? {} : { data: original.data }) },
    )
    const present = await client.find(ControllerRevision, refOf(copy))
    if (present === undefined) copies.push(copy)
    else if (!isDeepStrictEqual(present.data, copy.data))
      throw new CaptureProblem(
        `ControllerRevision ${copy.metadata.name} exists with other data; delete it or give the snapshot another name`,
      )
  }
  return copies
}

/** Makes the copies. May be repeated. */
export async function keepCopies(client: KubeClient, copies: readonly ControllerRevision[]): Promise<void> {
  for (const copy of copies)
    try {
      await client.create(ControllerRevision, copy)
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
}

/** Makes a content that outlives its snapshot the owner of the revisions its VM needs. May be repeated. */
export async function keepRevisions(
  client: KubeClient,
  snapshot: VirtualMachineSnapshot,
  content: VirtualMachineSnapshotContent,
): Promise<void> {
  for (const kind of matcherKinds) {
    const name = content.spec.source.virtualMachine?.spec?.[kind]?.revisionName
    if (!name) continue
    const revision = await client.find(ControllerRevision, { namespace: content.metadata.namespace, name })
    if (revision === undefined || controllerOf(revision)?.uid !== snapshot.metadata.uid) continue
    const { resourceVersion } = revision.metadata
    const metadata = { resourceVersion, ownerReferences: [ownedBy(content)] }
    await client.patch(ControllerRevision, refOf(revision), { metadata })
  }
}

function withoutManagedFields({ managedFields: _, ...metadata }: ObjectMeta): Record<string, unknown> {
  return metadata
}
