import { keyOf, uidOf } from '@stillpoint/api/meta/object-meta'
import { parseQuantity } from '@stillpoint/api/meta/quantity'
import { dataSourceOf } from '@stillpoint/api/storage/data-source'
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '@stillpoint/api/storage/kinds'
import { hasFinalizer } from '../../controller/finalizers.ts'
import type { Drivers } from '../driver.ts'
import { fillOf } from '../fills/fill-request.ts'
import { type Inventory, isUsing, sourceKey } from '../inventory.ts'
import {
  bindCompletedAnnotation,
  bindImmediatelyAnnotation,
  claimFinalizer,
  defaultClassAnnotation,
  selectedNodeAnnotation,
  volumeName,
} from '../keys.ts'
import { type ProvisioningRecord, recordedOn } from '../provisioning-record.ts'
import { snapshotClassOf } from '../snapshots/observe.ts'
import type { Observed, ObservedVolume, Wait } from './plan.ts'

export function observe(claim: PersistentVolumeClaim, inventory: Inventory, drivers: Drivers): Observed {
  const { metadata, spec, status } = claim
  const record = recordedOn(claim)
  const volume = inventory.volumeOf(claim)
  const defaultClass = inventory.defaultClass(defaultClassAnnotation)?.metadata.name
  const fill = fillOf(claim)
  return {
    claim: {
      deleting: metadata.deletionTimestamp !== undefined,
      protected: hasFinalizer(claim, claimFinalizer),
      ...(spec?.storageClassName === undefined ? {} : { className: spec.storageClassName }),
      ...(spec?.volumeName ? { volumeName: spec.volumeName } : {}),
      bindCompleted: metadata.annotations?.[bindCompletedAnnotation] !== undefined,
      phase: status?.phase ?? 'Pending',
      capacityReported: status?.capacity?.storage === volume?.spec?.capacity?.storage,
      ...(record ? { record } : {}),
    },
    users: usersOf(claim, inventory),
    ...(defaultClass === undefined ? {} : { defaultClass }),
    wanted: wantedOf(claim, inventory, drivers),
    fill: !fill ? 'none' : fill.phase === 'Succeeded' ? 'done' : 'pending',
    ...(volume ? { volume: observeVolume(claim, volume) } : {}),
  }
}

function observeVolume(claim: PersistentVolumeClaim, { metadata, spec }: PersistentVolume): ObservedVolume {
  const owner = spec?.claimRef
  const mismatch = whyNotServed(claim, spec)
  const same = owner?.name === claim.metadata.name && owner.namespace === claim.metadata.namespace
  return {
    name: metadata.name,
    deleting: metadata.deletionTimestamp !== undefined,
    claimedBy: !owner?.name
      ? 'nobody'
      : same && owner.uid === claim.metadata.uid
        ? 'this'
        : same && !owner.uid
          ? 'this-without-uid'
          : 'another',
    ...(mismatch === undefined ? {} : { mismatch }),
  }
}

/** In Kubernetes' words. */
function whyNotServed({ spec }: PersistentVolumeClaim, volume: PersistentVolume['spec']): string | undefined {
  const bytes = (quantity: unknown): number => parseQuantity(String(quantity ?? '0')) ?? 0
  if (bytes(volume?.capacity?.storage) < bytes(spec?.resources?.requests?.storage)) return 'requested PV is too small'
  if ((volume?.storageClassName ?? '') !== (spec?.storageClassName ?? '')) return 'storageClassName does not match'
  if ((volume?.volumeMode ?? 'Filesystem') !== (spec?.volumeMode ?? 'Filesystem')) return 'incompatible volumeMode'
  const offered = volume?.accessModes ?? []
  if (!(spec?.accessModes ?? []).every((mode) => offered.includes(mode))) return 'incompatible accessMode'
  return undefined
}

/** What would lose its data, or its way to it, if the claim went now. */
function usersOf(claim: PersistentVolumeClaim, inventory: Inventory): string[] {
  const key = keyOf(claim)
  const driver = inventory.volumeOf(claim)?.spec?.csi?.driver ?? ''
  const instances = inventory.instances
    .byIndex('volume/claim', key)
    .filter((instance) => isUsing(instance, key))
    .map(({ metadata }) => `VirtualMachineInstance ${metadata.name}`)
  // Until a content names the cut, only the claim leads to the volume it was made of.
  const cuts =
    claim.status?.phase === 'Bound'
      ? inventory.snapshots
          .byIndex('volume/claim', key)
          .filter((snapshot) => !snapshot.status?.boundVolumeSnapshotContentName)
          .filter((snapshot) => inventory.contentOf(snapshot)?.status?.snapshotHandle === undefined)
          // One without a class cannot be cut at all, and must not hold the claim for ever.
          .filter(({ spec }) => 'driver' in snapshotClassOf(spec.volumeSnapshotClassName, driver, inventory))
          .map(({ metadata }) => `VolumeSnapshot ${metadata.name} in progress`)
      : []
  const clones = inventory.claims
    .byIndex('volume/source', sourceKey('PersistentVolumeClaim', claim))
    .filter(({ metadata, spec }) => !spec?.volumeName && metadata.deletionTimestamp === undefined)
    .map((clone) => `clone ${keyOf(clone)} in progress`)
  return [...instances, ...cuts, ...clones]
}

/** The CreateVolume call that would serve the claim, or what stands in the way. */
export function wantedOf(
  claim: PersistentVolumeClaim,
  inventory: Inventory,
  drivers: Drivers,
): { record: ProvisioningRecord } | { wait: Wait } {
  const className = claim.spec?.storageClassName
  if (!className)
    return waiting('FailedBinding', 'no persistent volumes available for this claim and no storage class is set')
  const storageClass = inventory.classes.get(className)
  if (!storageClass) return waiting('ProvisioningFailed', `storageclass.storage.k8s.io "${className}" not found`, true)
  const { provisioner } = storageClass
  if (!drivers.has(provisioner))
    return waiting(
      'ExternalProvisioning',
      `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. ` +
        `Drivers connected here: ${drivers.names.join(', ') || 'none'}`,
    )
  if (storageClass.volumeBindingMode === 'WaitForFirstConsumer' && !hasConsumer(claim, inventory))
    return waiting('WaitForFirstConsumer', 'waiting for first consumer to be created before binding')
  const capacityBytes = parseQuantity(String(claim.spec?.resources?.requests?.storage ?? ''))
  if (capacityBytes === undefined || capacityBytes <= 0)
    return waiting('ProvisioningFailed', 'spec.resources.requests.storage must be a size greater than zero', true)
  const source = sourceOf(claim, provisioner, inventory)
  if (source && 'wait' in source) return source
  return {
    record: {
      driver: provisioner,
      name: volumeName(uidOf(claim)),
      capacityBytes: Math.ceil(capacityBytes),
      ...(source ? { source } : {}),
      parameters: storageClass.parameters ?? {},
      volumeMode: claim.spec?.volumeMode === 'Block' ? 'Block' : 'Filesystem',
      reclaimPolicy: storageClass.reclaimPolicy,
    },
  }
}

function hasConsumer(claim: PersistentVolumeClaim, inventory: Inventory): boolean {
  const annotations = claim.metadata.annotations ?? {}
  if (annotations[selectedNodeAnnotation] !== undefined || annotations[bindImmediatelyAnnotation] !== undefined)
    return true
  const key = keyOf(claim)
  return [inventory.instances, inventory.machines].some((informer) => informer.byIndex('volume/claim', key).length > 0)
}

function sourceOf(
  claim: PersistentVolumeClaim,
  driver: string,
  inventory: Inventory,
): { snapshotId: string } | { volumeId: string } | { wait: Wait } | undefined {
  const source = dataSourceOf(claim.spec)
  if (!source) return undefined
  const key = `${source.namespace ?? claim.metadata.namespace}/${source.name}`
  if (source.kind === 'VolumeSnapshot') return snapshotSource(key, driver, inventory)
  if (source.kind === 'PersistentVolumeClaim') return claimSource(key, driver, inventory)
  return waiting('ProvisioningFailed', `nothing here fills a volume from a ${source.kind}`, true)
}

function snapshotSource(key: string, driver: string, inventory: Inventory): { snapshotId: string } | { wait: Wait } {
  const snapshot = inventory.snapshots.get(key)
  if (!snapshot) return waiting('ProvisioningFailed', `error getting snapshot ${key}: not found`, true)
  if (snapshot.metadata.deletionTimestamp !== undefined)
    return waiting('ProvisioningFailed', `snapshot ${key} is currently being deleted`, true)
  if (snapshot.status?.readyToUse !== true) return waiting('ProvisioningFailed', `snapshot ${key} is not Ready`)
  const content = inventory.contentOf(snapshot)
  const snapshotId = content?.status?.snapshotHandle
  if (!content || snapshotId === undefined) return waiting('ProvisioningFailed', `snapshot ${key} not bound`)
  if (content.spec.driver !== driver)
    return waiting(
      'ProvisioningFailed',
      `snapshot ${key} is of driver ${content.spec.driver}; the claim's storage class uses ${driver}`,
      true,
    )
  return { snapshotId }
}

function claimSource(key: string, driver: string, inventory: Inventory): { volumeId: string } | { wait: Wait } {
  const source = inventory.claims.get(key)
  if (!source) return waiting('ProvisioningFailed', `error getting PVC ${key} to clone: not found`, true)
  const csi = source.status?.phase === 'Bound' ? inventory.volumeOf(source)?.spec?.csi : undefined
  if (!csi) return waiting('ProvisioningFailed', `PVC ${key} to clone is not bound to a CSI volume`)
  if (csi.driver !== driver)
    return waiting(
      'ProvisioningFailed',
      `PVC ${key} is of driver ${csi.driver}; the claim's storage class uses ${driver}`,
      true,
    )
  return { volumeId: csi.volumeHandle }
}

function waiting(reason: string, message: string, warning = false): { wait: Wait } {
  return { wait: { reason, message, ...(warning ? { warning } : {}) } }
}

/** Whether the class binds only when somebody uses the claim. */
export function waitsForConsumer(storageClass: StorageClass | undefined): boolean {
  return storageClass?.volumeBindingMode === 'WaitForFirstConsumer'
}
