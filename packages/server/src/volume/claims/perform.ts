import { uidOf } from '@stillpoint/api/meta/object-meta'
import { formatBytes } from '@stillpoint/api/meta/quantity'
import { isAlreadyExists } from '@stillpoint/api/meta/status-error'
import { objectOf } from '@stillpoint/api/schema/resource'
import { PersistentVolume, PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { describeError } from '../../controller/describe-error.ts'
import { finalizerPatch } from '../../controller/finalizers.ts'
import { refOf } from '../../kube/client.ts'
import type { Area } from '../area.ts'
import { isFinal } from '../driver.ts'
import {
  bindCompletedAnnotation,
  boundByControllerAnnotation,
  claimFinalizer,
  provisionedByAnnotation,
  provisioningAnnotation,
  storageProvisionerAnnotation,
  volumeFinalizer,
} from '../keys.ts'
import { createVolumeRequest, type ProvisioningRecord } from '../provisioning-record.ts'
import type { Step } from './plan.ts'

/** Carries out one step for a claim. Every step may be repeated. */
export async function perform(step: Step, claim: PersistentVolumeClaim, area: Area): Promise<void> {
  switch (step.do) {
    case 'nothing':
      return
    case 'wait':
      area.events.event(claim, step.warning ? 'Warning' : 'Normal', step.reason, step.message)
      return
    case 'set-class':
      return patchClaim(claim, { spec: { storageClassName: step.className } }, area)
    case 'record':
      return patchClaim(
        claim,
        {
          metadata: {
            annotations: {
              [provisioningAnnotation]: JSON.stringify(step.record),
              [storageProvisionerAnnotation]: step.record.driver,
            },
          },
        },
        area,
      )
    case 'provision':
      return provision(claim, step.record, area)
    case 'take':
      return take(claim, step.volumeName, area)
    case 'bind':
      return patchClaim(
        claim,
        {
          metadata: { annotations: { [bindCompletedAnnotation]: 'yes', [boundByControllerAnnotation]: 'yes' } },
          spec: { volumeName: step.volumeName },
        },
        area,
      )
    case 'report':
      return report(claim, step.phase, area)
    case 'discard':
      return discard(claim, step.record, area)
    case 'unprotect': {
      const patch = finalizerPatch(claim, claimFinalizer, 'remove')
      if (patch.length > 0)
        area.inventory.claims.note(await area.client.patch(PersistentVolumeClaim, refOf(claim), patch))
      return
    }
    default:
      step satisfies never
  }
}

async function provision(claim: PersistentVolumeClaim, record: ProvisioningRecord, area: Area): Promise<void> {
  const { client, drivers, events, inventory } = area
  let made: { volumeId: string; capacityBytes: number; volumeContext: Record<string, string> }
  try {
    made = await drivers.get(record.driver).createVolume(createVolumeRequest(record))
  } catch (error) {
    events.event(
      claim,
      'Warning',
      'ProvisioningFailed',
      `failed to provision volume with StorageClass "${claim.spec?.storageClassName}": ${describeError(error)}`,
    )
    // Nothing was made: decide anew, since a class or a source may be mended meanwhile.
    if (isFinal(error)) await patchClaim(claim, { metadata: { annotations: { [provisioningAnnotation]: null } } }, area)
    throw error
  }
  const { metadata, spec } = claim
  const volume = objectOf(
    PersistentVolume,
    {
      name: record.name,
      annotations: { [provisionedByAnnotation]: record.driver },
      finalizers: [volumeFinalizer],
    },
    {
      spec: {
        capacity: { storage: formatBytes(made.capacityBytes || record.capacityBytes) },
        accessModes: spec?.accessModes ?? ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: record.reclaimPolicy,
        ...(spec?.storageClassName === undefined ? {} : { storageClassName: spec.storageClassName }),
        volumeMode: record.volumeMode,
        claimRef: {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          name: metadata.name,
          ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
          uid: uidOf(claim),
        },
        csi: {
          driver: record.driver,
          volumeHandle: made.volumeId,
          ...(Object.keys(made.volumeContext).length === 0 ? {} : { volumeAttributes: made.volumeContext }),
        },
      },
    },
  )
  try {
    inventory.volumes.note(await client.create(PersistentVolume, volume))
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
    inventory.volumes.note(await client.get(PersistentVolume, { name: record.name }))
  }
  events.event(claim, 'Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${record.name}`)
}

async function take(claim: PersistentVolumeClaim, name: string, { client, inventory }: Area): Promise<void> {
  const volume = await client.get(PersistentVolume, { name })
  const claimRef = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    name: claim.metadata.name,
    namespace: claim.metadata.namespace,
    uid: claim.metadata.uid,
    resourceVersion: claim.metadata.resourceVersion,
  }
  const { resourceVersion } = volume.metadata
  inventory.volumes.note(
    await client.patch(PersistentVolume, { name }, { metadata: { resourceVersion }, spec: { claimRef } }),
  )
}

async function report(
  claim: PersistentVolumeClaim,
  phase: 'Bound' | 'Lost',
  { client, inventory }: Area,
): Promise<void> {
  const volume = inventory.volumeOf(claim)
  const { capacity, accessModes } = volume?.spec ?? {}
  const written = await client.patch(
    PersistentVolumeClaim,
    refOf(claim),
    {
      metadata: { uid: claim.metadata.uid },
      status: { phase, ...(phase === 'Bound' ? { capacity, accessModes } : {}) },
    },
    { subresource: 'status' },
  )
  inventory.claims.note(written)
}

/** Finds the volume that may have been made for a claim nobody bound, and deletes it. */
async function discard(claim: PersistentVolumeClaim, record: ProvisioningRecord, area: Area): Promise<void> {
  const driver = area.drivers.get(record.driver)
  try {
    const { volumeId } = await driver.createVolume(createVolumeRequest(record))
    await driver.deleteVolume(volumeId)
    area.log.info(
      { claim: claim.metadata.name, namespace: claim.metadata.namespace, volumeId },
      'unbound volume discarded',
    )
  } catch (error) {
    if (!isFinal(error)) throw error
  }
  await patchClaim(claim, { metadata: { annotations: { [provisioningAnnotation]: null } } }, area)
}

/** A merge patch that conflicts when the claim has changed, or been replaced, since it was looked at. */
async function patchClaim(
  claim: PersistentVolumeClaim,
  patch: { metadata?: object; spec?: object },
  area: Area,
): Promise<void> {
  const { uid, resourceVersion } = claim.metadata
  const guarded = { ...patch, metadata: { ...patch.metadata, uid, resourceVersion } }
  area.inventory.claims.note(await area.client.patch(PersistentVolumeClaim, refOf(claim), guarded))
}
