import {
  claimOf as claimOfVolume,
  effectiveRunStrategy,
  type VirtualMachine,
  type VirtualMachineInstance,
  type VirtualMachineSpec,
} from '@stillpoint/api/kubevirt/kinds'
import { keyOf, uidOf } from '@stillpoint/api/meta/object-meta'
import {
  ownedByVmAnnotation,
  populatedForAnnotation,
  prePopulatedAnnotation,
  restoreFinalizer,
  startedByAnnotation,
  undoingAnnotation,
} from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineRestore, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { backendVolumeName, hasEnded, whyNotRestorable } from '@stillpoint/api/snapshot/rules'
import type { DataVolume } from '@stillpoint/api/storage/cdi'
import type { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { hasFinalizer } from '../controller/finalizers.ts'
import type { PodUsage } from '../controller/pod-usage.ts'
import { historyToWrite } from './history.ts'
import type { ObservedClaim, ObservedRetained, RestoreObserved } from './restore-plan.ts'
import { type CapturedVm, capturedVmOf, isMadeBy, planVolumes, type RestoreEntry } from './restored-volumes.ts'
import { type Retained, retainedOf } from './retained.ts'
import { restoredRevisionName } from './revisions.ts'
import { type ObservedRunState, strategyOf } from './start-plan.ts'
import { restoredSpec } from './target-definition.ts'
import { restoreKeys, type World } from './world.ts'

type Restore = VirtualMachineRestore

/** One look at a restore: what decides, and the objects to act on. */
export interface Pass {
  restore: Restore
  target: VirtualMachine | undefined
  content: VirtualMachineSnapshotContent | undefined
  captured: CapturedVm | undefined
  /** The captured definition on the restored disks, once they are planned. */
  spec: VirtualMachineSpec | undefined
  retained: readonly Retained[]
  observed: RestoreObserved
}

const settledPhases = new Set(['Succeeded', 'WaitForFirstConsumer', 'PendingPopulation'])

/** What there is of a restore and around it, as its plan looks at it. */
export async function observeRestore(
  restore: Restore,
  { world, pods, now, startNotBefore }: { world: World; pods: PodUsage; now: Date; startNotBefore: Date | undefined },
): Promise<Pass> {
  const { namespace = '' } = restore.metadata
  const snapshotKey = `${namespace}/${restore.spec.virtualMachineSnapshotName}`
  const snapshot = world.snapshots.get(snapshotKey)
  const contentOf = (name: string) => world.contents.get(`${namespace}/${name}`)
  const content = contentOf(snapshot?.status?.virtualMachineSnapshotContentName ?? '')
  const captured = content === undefined ? undefined : capturedVmOf(content)
  const targetKey = `${namespace}/${restore.spec.target.name}`
  const target = world.vms.get(targetKey)
  const entries = restore.status?.restores ?? []
  const spec =
    captured === undefined || restore.status?.restores === undefined
      ? undefined
      : restoredSpec(captured, entries, (name) => restoredRevisionName(name, restore))
  const made = world.claims.byIndex('restore:name', keyOf(restore)).filter((claim) => isMadeBy(claim, restore))
  const used = new Set(target === undefined ? [] : claimNamesOf(target.spec))
  const stateful = new Set(used)
  for (const { metadata } of stateClaims(world, namespace, restore.spec.target.name)) stateful.add(metadata.name)
  if (target === undefined && captured !== undefined && content !== undefined)
    for (const name of leftBehind(world, restore, captured, content)) stateful.add(name)
  const claims = entries.map((entry) => observeClaim(world, restore, entry, stateful))
  const volumes =
    content === undefined || captured === undefined
      ? undefined
      : planVolumes({
          restore,
          content,
          captured,
          target,
          claimOf: (name) => world.claims.get(`${namespace}/${name}`),
          claimsOfTarget: stateful,
        })
  const retained = volumesRetained(world, restore)
  const instance = world.vmis.get(targetKey)
  const running = isRunning(instance)
  // Asked once, right before the lock: pods are not watched, and the answer costs a request.
  const isToLock =
    target !== undefined &&
    !running &&
    target.status?.restoreInProgress !== restore.metadata.name &&
    restore.status?.conditions !== undefined &&
    hasFinalizer(restore, restoreFinalizer) &&
    !isMadeBy(target, restore)
  const claimNames = [...stateful].sort()
  return {
    restore,
    target,
    content,
    captured,
    spec,
    retained,
    observed: {
      now,
      restore,
      target: target && {
        name: target.metadata.name,
        switched: isMadeBy(target, restore),
        running,
        stopping: isStopping(target),
        restoreInProgress: target.status?.restoreInProgress,
        snapshotInProgress: target.status?.snapshotInProgress,
        deleting: target.metadata.deletionTimestamp !== undefined,
        fenced: target.metadata.annotations?.[undoingAnnotation] === uidOf(restore),
        run: runStateOf(target, { restore, captured, ended: instance !== undefined && !running }),
      },
      snapshotProblem:
        // One that is going away waits for restores that have begun, and for no others.
        snapshot?.metadata.deletionTimestamp !== undefined && restore.status?.restores === undefined
          ? `VMSnapshot ${snapshotKey} is being deleted`
          : whyNotRestorable(snapshotKey, snapshot, contentOf),
      sourceName: captured?.name ?? snapshot?.spec.source.name,
      volumes,
      claims,
      dataVolumes: dataVolumesOf(world, restore, spec, entries),
      obsolete:
        target === undefined || spec === undefined
          ? []
          : templateNames(target.spec).filter((name) => !templateNames(spec).includes(name)),
      toHandOver:
        target === undefined ? 0 : unownedOf(made, target).length + (stateToMove(world, restore) === undefined ? 0 : 1),
      toDelete: target === undefined ? 0 : obsoleteObjects(world, restore, target).length,
      halfMade:
        made.filter((claim) => !used.has(claim.metadata.name)).length + madeDataVolumes(world, restore, target).length,
      retained: retained.map((one) => observeRetained(world, restore, one)),
      pods: {
        claims: claimNames,
        count: isToLock ? await pods.count(namespace, stateful) : 0,
      },
      history: historyToWrite({ restore, snapshot, target, now }),
      startNotBefore,
    },
  }
}

/** The very claims that were snapshotted, of a VM that is gone and is to come back; none that another VM has now. */
function leftBehind(
  world: World,
  restore: Restore,
  captured: CapturedVm,
  { spec }: VirtualMachineSnapshotContent,
): string[] {
  const { namespace } = restore.metadata
  if (captured.name !== restore.spec.target.name) return []
  return (spec.volumeBackups ?? []).flatMap(({ persistentVolumeClaim: { metadata } }) => {
    const { name, uid } = (metadata ?? {}) as { name?: string; uid?: string }
    const found = world.claims.get(`${namespace}/${name}`)
    if (found === undefined || uid === undefined || found.metadata.uid !== uid) return []
    const users = world.vms.byIndex('restore:claim', keyOf(found))
    return users.length === 0 ? [found.metadata.name] : []
  })
}

function observeClaim(
  world: World,
  restore: Restore,
  entry: RestoreEntry,
  claimsOfTarget: ReadonlySet<string>,
): ObservedClaim {
  const { namespace } = restore.metadata
  const claim = world.claims.get(`${namespace}/${entry.persistentVolumeClaim}`)
  const storageClass = world.storageClasses.get(claim?.spec?.storageClassName ?? '')
  return {
    entry,
    claim:
      claim === undefined
        ? 'absent'
        : claim.metadata.deletionTimestamp !== undefined
          ? 'deleting'
          : isMadeBy(claim, restore)
            ? 'ours'
            : 'other',
    phase: claim?.status?.phase ?? 'Pending',
    waitsForConsumer:
      storageClass === undefined ? undefined : storageClass.volumeBindingMode === 'WaitForFirstConsumer',
    usedByTarget: claimsOfTarget.has(entry.persistentVolumeClaim),
    volumeSnapshot: world.volumeSnapshots.get(`${namespace}/${entry.volumeSnapshotName}`) !== undefined,
  }
}

/** DataVolumes of restored templates: they adopt the restored claims of their name. */
function dataVolumesOf(
  world: World,
  restore: Restore,
  spec: VirtualMachineSpec | undefined,
  entries: readonly RestoreEntry[],
) {
  const restored = new Set(entries.map(({ dataVolumeName }) => dataVolumeName))
  return (spec === undefined ? [] : templateNames(spec))
    .filter((name) => restored.has(name))
    .map((name) => {
      const found = world.dataVolumes.get(`${restore.metadata.namespace}/${name}`)
      return { name, missing: found === undefined, settled: settledPhases.has(found?.status?.phase ?? '') }
    })
}

export function madeDataVolumes(world: World, restore: Restore, target: VirtualMachine | undefined): DataVolume[] {
  const used = target === undefined ? [] : templateNames(target.spec)
  const named = new Set(restore.status?.restores?.map(({ dataVolumeName }) => dataVolumeName))
  // The list may have been lost: the claims say for whom they were made as well.
  for (const claim of world.claims.byIndex('restore:name', keyOf(restore)))
    if (isMadeBy(claim, restore)) named.add(claim.metadata.annotations?.[populatedForAnnotation])
  return world.dataVolumes
    .byIndex('restore:name', keyOf(restore))
    .filter(
      ({ metadata }) => metadata.annotations?.[prePopulatedAnnotation] === 'true' && !used.includes(metadata.name),
    )
    .filter(({ metadata }) => metadata.name.includes(uidOf(restore)) || named.has(metadata.name))
}

function volumesRetained(world: World, restore: Restore): Retained[] {
  return world.volumes
    .byIndex('restore:retained', keyOf(restore))
    .flatMap((volume) => retainedOf(volume, restore) ?? [])
}

function observeRetained(world: World, restore: Restore, { volume, claim }: Retained): ObservedRetained {
  const found = world.claims.get(`${claim.namespace}/${claim.name}`)
  const { uid } = volume.spec?.claimRef ?? {}
  const isBack = found?.spec?.volumeName === volume.metadata.name
  return {
    volume: volume.metadata.name,
    claim:
      found === undefined
        ? 'absent'
        : found.metadata.deletionTimestamp !== undefined
          ? 'deleting'
          : isMadeBy(found, restore)
            ? 'ours'
            : !isBack
              ? 'other'
              : found.status?.phase === 'Bound' && (!uid || uid === found.metadata.uid)
                ? 'back'
                : 'deleting',
    reserved: !uid,
    ownerGone: isOwnerGone(world, claim),
  }
}

function isOwnerGone(world: World, { namespace, ownerReferences }: Retained['claim']): boolean {
  const owner = ownerReferences?.find(({ controller }) => controller)
  if (owner === undefined) return false
  const key = `${namespace}/${owner.name}`
  const found = owner.kind === 'DataVolume' ? world.dataVolumes.get(key) : world.vms.get(key)
  return found?.metadata.uid !== owner.uid
}

function stateClaims(world: World, namespace: string, vm: string): PersistentVolumeClaim[] {
  return world.claims.byIndex('restore:state-of', `${namespace}/${vm}`)
}

/** Claims that are to be given to the VM now that it exists. */
function unownedOf(made: readonly PersistentVolumeClaim[], target: VirtualMachine): PersistentVolumeClaim[] {
  return made.filter(
    (claim) =>
      claim.metadata.annotations?.[ownedByVmAnnotation] !== undefined &&
      target.metadata.deletionTimestamp === undefined,
  )
}

export function obsoleteObjects(
  world: World,
  restore: Restore,
  target: VirtualMachine,
): (DataVolume | PersistentVolumeClaim)[] {
  const { namespace } = restore.metadata
  if (!isMadeBy(target, restore) && restore.status?.complete !== true) return []
  // Only names are noted. Another restore, in place, makes its own under them before the VM stands on those.
  const { restoreInProgress: holder } = target.status ?? {}
  if (holder && holder !== restore.metadata.name) return []
  const kept = new Set([...templateNames(target.spec), ...claimNamesOf(target.spec)])
  const dataVolumes = (restore.status?.deletedDataVolumes ?? []).flatMap((name) => {
    const found = kept.has(name) ? undefined : world.dataVolumes.get(`${namespace}/${name}`)
    return found === undefined || isBeingMadeByAnother(world, found, restore) ? [] : [found]
  })
  const states = world.claims.byIndex(
    'restore:obsolete-state',
    `${namespace}/${backendVolumeName(target.metadata.name)}`,
  )
  return [...dataVolumes, ...states].filter(({ metadata }) => metadata.deletionTimestamp === undefined)
}

function isBeingMadeByAnother(world: World, dataVolume: DataVolume, restore: Restore): boolean {
  return restoreKeys(dataVolume).some((key) => {
    const other = world.restores.get(key)
    return key !== keyOf(restore) && other?.status !== undefined && !hasEnded(other)
  })
}

/** The restored claim of TPM and EFI state while it is not yet the only one of the VM. */
export function stateToMove(
  world: World,
  { metadata, spec, status }: Restore,
): { restored: string; old: string[] } | undefined {
  const { namespace = '' } = metadata
  const entry = status?.restores?.find(({ volumeName }) => volumeName === backendVolumeName(spec.target.name))
  const restored = entry?.persistentVolumeClaim
  if (restored === undefined || world.claims.get(`${namespace}/${restored}`) === undefined) return undefined
  const names = stateClaims(world, namespace, spec.target.name).map((claim) => claim.metadata.name)
  if (names.length === 1 && names[0] === restored) return undefined
  return { restored, old: names.filter((name) => name !== restored) }
}

function templateNames(spec: VirtualMachineSpec): string[] {
  return spec.dataVolumeTemplates?.map(({ metadata }) => metadata.name) ?? []
}

export function claimNamesOf(spec: VirtualMachineSpec): string[] {
  return (spec.template.spec.volumes ?? []).flatMap((volume) => claimOfVolume(volume) ?? [])
}

/** A guest that has ended uses no disk any more, even while its object is still there. */
export function isRunning(vmi: VirtualMachineInstance | undefined): boolean {
  return vmi !== undefined && vmi.status?.phase !== 'Succeeded' && vmi.status?.phase !== 'Failed'
}

function isStopping(vm: VirtualMachine): boolean {
  return effectiveRunStrategy(vm.spec) === 'Halted' || isAsked(vm, 'Stop')
}

function runStateOf(
  target: VirtualMachine,
  { restore, captured, ended }: { restore: Restore; captured: CapturedVm | undefined; ended: boolean },
): ObservedRunState {
  const isMade =
    isMadeBy(target, restore) &&
    Date.parse(target.metadata.creationTimestamp ?? '') >= Date.parse(restore.metadata.creationTimestamp ?? '')
  return {
    strategy: strategyOf(target.spec),
    startAsked: isAsked(target, 'Start'),
    ended,
    startedHere: target.metadata.annotations?.[startedByAnnotation] === uidOf(restore),
    made: isMade ? { captured: captured === undefined ? 'Halted' : strategyOf(captured.spec) } : undefined,
  }
}

function isAsked(vm: VirtualMachine, wanted: 'Start' | 'Stop'): boolean {
  return vm.status?.stateChangeRequests?.some(({ action }) => action === wanted) === true
}
