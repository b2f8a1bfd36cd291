import { keyOf, uidOf } from '@stillpoint/api/meta/object-meta'
import { parseQuantity } from '@stillpoint/api/meta/quantity'
import { cutSetAnnotation, defaultSnapshotClassAnnotation, parseCutSet } from '@stillpoint/api/snapshot/keys'
import type { VolumeSnapshot, VolumeSnapshotClass } from '@stillpoint/api/storage/kinds'
import { hasFinalizer } from '../../controller/finalizers.ts'
import type { Drivers } from '../driver.ts'
import { type Inventory, sourceKey } from '../inventory.ts'
import { cutAloneAnnotation, snapshotContentName, snapshotFinalizer } from '../keys.ts'
import type { Member, Observed, Target } from './plan.ts'

/** The unit a VolumeSnapshot is cut with: `namespace/name`, or `namespace/set:<id>`. A name has no colon in it. */
export function unitOf(snapshot: VolumeSnapshot): string {
  const set = parseCutSet(snapshot.metadata.annotations?.[cutSetAnnotation])
  if (!set || snapshot.metadata.annotations?.[cutAloneAnnotation] !== undefined) return keyOf(snapshot)
  return `${snapshot.metadata.namespace}/set:${set.id}`
}

/** The members of a unit, and everything the plan wants to know of them. */
export function observe(
  unit: string,
  inventory: Inventory,
  drivers: Drivers,
  now: Date,
): { observed: Observed; snapshots: Map<string, VolumeSnapshot> } {
  const [namespace = '', name = ''] = unit.split('/')
  const setId = name.startsWith('set:') ? name.slice('set:'.length) : undefined
  const related = setId === undefined ? inventory.snapshots.get(unit) : undefined
  const all =
    setId === undefined
      ? related
        ? [related]
        : []
      : inventory.snapshots.byIndex('volume/set', `${namespace}/${setId}`)
  const ours = all.filter((snapshot) => unitOf(snapshot) === unit)
  return {
    snapshots: new Map(ours.map((snapshot) => [keyOf(snapshot), snapshot])),
    observed: {
      ...(setId === undefined
        ? {}
        : {
            set: {
              id: setId,
              size: Math.max(0, ...all.map((snapshot) => sizeOfSet(snapshot))),
              broken: ours.length < all.length,
            },
          }),
      members: ours.map((snapshot) => memberOf(snapshot, inventory, drivers)),
      groupable: drivers.groupable,
      now,
    },
  }
}

function sizeOfSet({ metadata }: VolumeSnapshot): number {
  return parseCutSet(metadata.annotations?.[cutSetAnnotation])?.size ?? 0
}

function memberOf(snapshot: VolumeSnapshot, inventory: Inventory, drivers: Drivers): Member {
  const { metadata, status } = snapshot
  const content = inventory.contentOf(snapshot)
  const given = snapshot.spec.source.volumeSnapshotContentName
  const contentName = given ?? snapshotContentName(uidOf(snapshot))
  const handle = content?.status?.snapshotHandle ?? content?.spec.source.snapshotHandle
  const bound = status?.boundVolumeSnapshotContentName
  const reportedError = status?.error?.message
  return {
    key: keyOf(snapshot),
    uid: uidOf(snapshot),
    deleting: metadata.deletionTimestamp !== undefined,
    protected: hasFinalizer(snapshot, snapshotFinalizer),
    alone: metadata.annotations?.[cutAloneAnnotation] !== undefined,
    createdAt: new Date(metadata.creationTimestamp ?? 0),
    target: targetOf(snapshot, inventory, drivers),
    ...(reportedError === undefined ? {} : { reportedError }),
    reported:
      bound === contentName &&
      status?.readyToUse === content?.status?.readyToUse &&
      status?.creationTime !== undefined &&
      status.restoreSize !== undefined &&
      status.error === undefined,
    content: !content ? (bound === undefined ? 'none' : 'lost') : handle === undefined ? 'unnamed' : 'named',
    contentName,
    contentReady: content?.status?.readyToUse === true,
    contentPolicy: content?.spec.deletionPolicy ?? 'Delete',
    contentDeleting: content?.metadata.deletionTimestamp !== undefined,
    usedBy: inventory.claims
      .byIndex('volume/source', sourceKey('VolumeSnapshot', snapshot))
      .filter((claim) => !claim.spec?.volumeName && claim.metadata.uid !== undefined)
      .map(keyOf),
  }
}

function targetOf(snapshot: VolumeSnapshot, inventory: Inventory, drivers: Drivers): Member['target'] {
  const { source } = snapshot.spec
  if (source.volumeSnapshotContentName !== undefined)
    return { blocked: `VolumeSnapshotContent ${source.volumeSnapshotContentName} names no snapshot of a driver` }
  const claimName = source.persistentVolumeClaimName
  if (claimName === undefined) return { blocked: 'spec.source names neither a claim nor a content' }
  const claim = inventory.claims.get(`${snapshot.metadata.namespace}/${claimName}`)
  if (!claim) return { blocked: `PersistentVolumeClaim ${claimName} not found` }
  if (claim.status?.phase !== 'Bound')
    return { blocked: `the PVC ${claimName} is not yet bound to a PV, will not attempt to take a snapshot` }
  const volume = inventory.volumeOf(claim)
  const csi = volume?.spec?.csi
  if (!volume || !csi) return { blocked: `the volume of PVC ${claimName} is not a CSI volume` }
  if (!drivers.has(csi.driver)) return { blocked: `no CSI driver '${csi.driver}' is connected` }
  // Whether it cuts groups decides how a set is cut, so that must be known and not guessed.
  if (!drivers.isKnown(csi.driver)) return { blocked: `CSI driver '${csi.driver}' does not answer` }
  const chosen = snapshotClassOf(snapshot.spec.volumeSnapshotClassName, csi.driver, inventory)
  if ('blocked' in chosen) return chosen
  const target: Target = {
    driver: csi.driver,
    volumeId: csi.volumeHandle,
    sizeBytes: parseQuantity(String(volume.spec?.capacity?.storage ?? '0')) ?? 0,
    volumeMode: volume.spec?.volumeMode ?? 'Filesystem',
    className: chosen.metadata.name,
    deletionPolicy: chosen.deletionPolicy,
    parameters: driverParameters(chosen.parameters),
  }
  return { ready: target }
}

/** The class a VolumeSnapshot of a driver's volume is cut with, or why there is none. */
export function snapshotClassOf(
  name: string | undefined,
  driver: string,
  inventory: Inventory,
): VolumeSnapshotClass | { blocked: string } {
  if (name !== undefined) {
    const named = inventory.snapshotClasses.get(name)
    if (!named) return { blocked: `VolumeSnapshotClass ${name} not found` }
    if (named.driver === driver) return named
    return { blocked: `VolumeSnapshotClass ${name} is for driver ${named.driver}, the volume is of ${driver}` }
  }
  const [only, ...more] = inventory.snapshotClasses
    .list()
    .filter((each) => each.driver === driver && each.metadata.annotations?.[defaultSnapshotClassAnnotation] === 'true')
  if (!only)
    return { blocked: `no default VolumeSnapshotClass for driver ${driver}; name one in spec.volumeSnapshotClassName` }
  if (more.length > 0)
    return { blocked: `${more.length + 1} default VolumeSnapshotClasses for driver ${driver}; keep one` }
  return only
}

/** Keys of this prefix are for the snapshotter, not for the driver. */
function driverParameters(parameters: Record<string, string> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(parameters).filter(([key]) => !key.startsWith('csi.storage.k8s.io/')))
}
