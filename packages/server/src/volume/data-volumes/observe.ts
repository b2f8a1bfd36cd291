import { controllerOf, keyOf } from '@stillpoint/api/meta/object-meta'
import { parseQuantity } from '@stillpoint/api/meta/quantity'
import {
  allowClaimAdoptionAnnotation,
  populatedForAnnotation,
  prePopulatedAnnotation,
} from '@stillpoint/api/snapshot/keys'
import type { DataVolume } from '@stillpoint/api/storage/cdi'
import type { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { waitsForConsumer, wantedOf } from '../claims/observe.ts'
import type { Drivers } from '../driver.ts'
import { fillOf } from '../fills/fill-request.ts'
import type { Inventory } from '../inventory.ts'
import {
  defaultClassAnnotation,
  defaultVirtClassAnnotation,
  podReadyAnnotation,
  podRestartsAnnotation,
  progressAnnotation,
  runningConditionAnnotation,
  runningMessageAnnotation,
} from '../keys.ts'
import { recordedOn } from '../provisioning-record.ts'
import { claimFor, kindOf, type Source, sourceOf } from './claim-for.ts'
import type { Observed, ObservedClaim, ObservedFill } from './plan.ts'

export function observe(dataVolume: DataVolume, inventory: Inventory, drivers: Drivers): Observed {
  const { metadata, status } = dataVolume
  const annotations = metadata.annotations ?? {}
  const claim = inventory.claims.get(keyOf(dataVolume))
  const source = sourceOf(dataVolume)
  return {
    name: metadata.name,
    deleting: metadata.deletionTimestamp !== undefined,
    ...(status?.phase === undefined ? {} : { phase: status.phase }),
    source: 'refused' in source ? source : { kind: kindOf(source) },
    allowsAdoption: annotations[allowClaimAdoptionAnnotation] === 'true',
    prePopulated: annotations[prePopulatedAnnotation] !== undefined,
    ...(claim ? { claim: observeClaim(claim, dataVolume, inventory, drivers) } : {}),
    wanted: 'refused' in source ? source : wantedClaim(dataVolume, source, inventory),
  }
}

function observeClaim(
  claim: PersistentVolumeClaim,
  dataVolume: DataVolume,
  inventory: Inventory,
  drivers: Drivers,
): ObservedClaim {
  const { metadata, spec, status } = claim
  const owner = controllerOf(claim)
  const annotations = metadata.annotations ?? {}
  const pending = !spec?.volumeName
  const recorded = recordedOn(claim) !== undefined
  const wanted = pending && !recorded ? wantedOf(claim, inventory, drivers) : undefined
  const fill = fillOf(claim)
  const waiting = wanted && 'wait' in wanted ? wanted.wait : undefined
  return {
    name: metadata.name,
    owner: !owner ? 'none' : owner.uid === dataVolume.metadata.uid ? 'this' : 'another',
    offered:
      annotations[populatedForAnnotation] === dataVolume.metadata.name ||
      annotations[allowClaimAdoptionAnnotation] === 'true',
    phase: status?.phase ?? 'Pending',
    deleting: metadata.deletionTimestamp !== undefined,
    waitsForConsumer:
      waiting?.reason === 'WaitForFirstConsumer' &&
      waitsForConsumer(inventory.classes.get(spec?.storageClassName ?? '')),
    ...(waiting ? { waitsFor: waiting.message } : {}),
    ...(fill ? { fill: observeFill(fill.phase, annotations) } : {}),
  }
}

function observeFill(phase: string, annotations: Record<string, string>): ObservedFill {
  const failure =
    annotations[runningConditionAnnotation] === 'false' ? annotations[runningMessageAnnotation] : undefined
  return {
    phase,
    ready: annotations[podReadyAnnotation] === 'true',
    progress: annotations[progressAnnotation] ?? '',
    restarts: Number.parseInt(annotations[podRestartsAnnotation] ?? '0', 10) || 0,
    ...(failure === undefined || failure === '' ? {} : { failure }),
  }
}

function wantedClaim(dataVolume: DataVolume, source: Source, inventory: Inventory): Observed['wanted'] {
  const defaultClassName = (
    inventory.defaultClass(defaultVirtClassAnnotation) ?? inventory.defaultClass(defaultClassAnnotation)
  )?.metadata.name
  const size = sourceSize(dataVolume, source, inventory)
  if (size && 'wait' in size) return size
  return claimFor(dataVolume, source, {
    ...(defaultClassName === undefined ? {} : { defaultClassName }),
    provisionerOf: (name) => inventory.classes.get(name)?.provisioner,
    profileOf: (name) => inventory.profiles.get(name),
    ...(size ? { sourceBytes: size.bytes } : {}),
  })
}

/** How large the source is: the new volume must hold it. */
function sourceSize(
  { metadata }: DataVolume,
  source: Source,
  inventory: Inventory,
): { bytes: number } | { wait: string } | undefined {
  if (source.kind !== 'pvc' && source.kind !== 'snapshot') return undefined
  const key = `${source.namespace ?? metadata.namespace}/${source.name}`
  if (source.kind === 'snapshot') {
    const snapshot = inventory.snapshots.get(key)
    if (!snapshot) return { wait: `VolumeSnapshot ${key} not found` }
    const bytes = parseQuantity(String(snapshot.status?.restoreSize ?? ''))
    if (snapshot.status?.readyToUse !== true || bytes === undefined)
      return { wait: `VolumeSnapshot ${key} is not ready to use` }
    return { bytes }
  }
  const claim = inventory.claims.get(key)
  if (!claim) return { wait: `PVC ${key} not found` }
  const bytes = parseQuantity(String(claim.status?.capacity?.storage ?? ''))
  if (claim.status?.phase !== 'Bound' || bytes === undefined) return { wait: `PVC ${key} is not bound` }
  return { bytes }
}
