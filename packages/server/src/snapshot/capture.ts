import { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import {
  type VirtualMachine,
  type VirtualMachineInstance,
  type VirtualMachineSpec,
  vmSpec,
} from '@stillpoint/api/kubevirt/kinds'
import { type ObjectMeta, ownedBy, uidOf } from '@stillpoint/api/meta/object-meta'
import { isAlreadyExists } from '@stillpoint/api/meta/status-error'
import { objectOf } from '@stillpoint/api/schema/resource'
import { contentFinalizer } from '@stillpoint/api/snapshot/keys'
import {
  type VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
  type VolumeBackup,
} from '@stillpoint/api/snapshot/kinds'
import { contentName, volumeSnapshotName } from '@stillpoint/api/snapshot/names'
import type { KubeClient } from '../kube/client.ts'
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
): Promise<VirtualMachineSnapshotContent> {
  const namespace = vm.metadata.namespace ?? ''
  const uid = uidOf(snapshot)
  const volumeBackups: VolumeBackup[] = []
  for (const candidate of candidatesOf(world, vm)) {
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
  const spec = renameRevisions(vmi === undefined ? vm.spec : await startedSpec(client, vm, vmi), vm, snapshot)
  return objectOf(
    VirtualMachineSnapshotContent,
    { name: contentName(uid), namespace, finalizers: [contentFinalizer] },
    {
      spec: {
        virtualMachineSnapshotName: snapshot.metadata.name,
        source: { virtualMachine: { metadata: withoutManagedFields(vm.metadata), spec, status: {} } },
        volumeBackups,
      },
    },
  )
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

const matchers = ['instancetype', 'preference'] as const

/** The snapshot's own copy of a revision carries its name in the place of the VM's. */
function capturedRevisionName(revision: string, vm: VirtualMachine, snapshot: VirtualMachineSnapshot): string {
  return revision.replace(vm.metadata.name, () => snapshot.metadata.name)
}

function renameRevisions(
  spec: VirtualMachineSpec,
  vm: VirtualMachine,
  snapshot: VirtualMachineSnapshot,
): VirtualMachineSpec {
  const renamed = { ...spec }
  for (const key of matchers) {
    const matcher = spec[key]
    if (matcher?.revisionName)
      renamed[key] = { ...matcher, revisionName: capturedRevisionName(matcher.revisionName, vm, snapshot) }
  }
  return renamed
}

/** Copies the revisions of instance type and preference, which may vanish with the VM. May be repeated. */
export async function captureRevisions(
  client: KubeClient,
  snapshot: VirtualMachineSnapshot,
  { vm, vmi }: Source,
): Promise<void> {
  const spec = vmi === undefined ? vm.spec : await startedSpec(client, vm, vmi)
  for (const key of matchers) {
    const name = spec[key]?.revisionName
    if (!name) continue
    const { namespace } = vm.metadata
    const original = await client.find(ControllerRevision, { namespace, name })
    if (original === undefined) throw new CaptureProblem(`ControllerRevision ${name} of the ${key} does not exist`)
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
    try {
      await client.create(ControllerRevision, copy)
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
  }
}

function withoutManagedFields({ managedFields: _, ...metadata }: ObjectMeta): Record<string, unknown> {
  return metadata
}
