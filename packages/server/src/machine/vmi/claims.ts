import { claimOf, type VirtualMachineInstance, type Volume } from '@stillpoint/api/kubevirt/kinds'
import { controllerOf } from '@stillpoint/api/meta/object-meta'
import type { DataVolume } from '@stillpoint/api/storage/cdi'
import type { PersistentVolume, PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import type { VolumeReadiness } from './plan.ts'
import type { ClaimFacts } from './status.ts'

export interface StorageWorld {
  claim(name: string): PersistentVolumeClaim | undefined
  dataVolume(name: string): DataVolume | undefined
  persistentVolume(name: string): PersistentVolume | undefined
  hasDriver(driver: string): boolean
}

export interface ClaimVolume {
  name: string
  driver: string
  volumeId: string
  volumeMode: 'Block' | 'Filesystem'
  volumeContext: Record<string, string>
  readOnly: boolean
}

const handled = [
  'cloudInitNoCloud',
  'cloudInitConfigDrive',
  'configMap',
  'secret',
  'sysprep',
  'emptyDisk',
  'memoryDump',
]

/** Whether each volume of the instance can be opened, and what is missing if not. */
export function volumeReadiness(vmi: VirtualMachineInstance, world: StorageWorld): VolumeReadiness[] {
  return [...(vmi.spec.volumes ?? []).map((volume) => readinessOf(volume, world)), ...persistentState(vmi)]
}

/** State that a guest would believe kept and that we would lose: better not started than started without. */
function persistentState({ spec: { domain } }: VirtualMachineInstance): VolumeReadiness[] {
  const bootloader = domain.firmware?.bootloader as { efi?: { persistent?: boolean } } | undefined
  return [
    ['TPM state', 'devices.tpm.persistent', domain.devices.tpm?.persistent],
    ['EFI variables', 'firmware.bootloader.efi.persistent', bootloader?.efi?.persistent],
  ].flatMap(([what, field, wanted]) =>
    wanted === true
      ? [
          {
            name: 'persistent-state-for-this-vm',
            state: 'missing' as const,
            reason: 'UnsupportedDevice',
            message: `keeping ${what} is not offered on one machine yet; remove spec.domain.${field}`,
          },
        ]
      : [],
  )
}

function readinessOf(volume: Volume, world: StorageWorld): VolumeReadiness {
  const { name } = volume
  const missing = (reason: string, message: string): VolumeReadiness => ({ name, state: 'missing', reason, message })
  const waiting = (reason: string, message: string): VolumeReadiness => ({ name, state: 'waiting', reason, message })

  const claimName = volume.persistentVolumeClaim?.claimName ?? volume.dataVolume?.name
  if (claimName === undefined) {
    if (handled.some((source) => volume[source] !== undefined)) return { name, state: 'ready' }
    const source = Object.keys(volume).find((key) => key !== 'name') ?? 'no source'
    return missing('UnsupportedVolume', `volume ${name}: '${source}' is not offered on one machine; use a data volume`)
  }
  const claim = world.claim(claimName)
  const ownDataVolume = controllerOf(claim ?? { apiVersion: '', kind: '', metadata: { name: '' } })
  const dataVolumeName =
    volume.dataVolume?.name ?? (ownDataVolume?.kind === 'DataVolume' ? ownDataVolume.name : undefined)
  const dataVolume = dataVolumeName === undefined ? undefined : world.dataVolume(dataVolumeName)
  const phase = dataVolume?.status?.phase
  if (dataVolume && phase === 'Failed') return missing('DataVolumeError', `data volume ${dataVolumeName} has failed`)
  if (!claim)
    return dataVolume
      ? waiting('NotAllDVsReady', `data volume ${dataVolumeName} is being prepared (${phase ?? 'Pending'})`)
      : missing('FailedPvcNotFound', `PVC ${claimName} of volume ${name} does not exist`)
  if (claim.metadata.deletionTimestamp !== undefined)
    return waiting('FailedPvcNotFound', `PVC ${claimName} of volume ${name} is being deleted`)
  if (dataVolume && phase !== 'Succeeded' && phase !== 'WaitForFirstConsumer' && phase !== 'PendingPopulation')
    return waiting('NotAllDVsReady', `data volume ${dataVolumeName} is being filled (${phase ?? 'Pending'})`)
  if (claim.status?.phase === 'Lost') return missing('ClaimLost', `PVC ${claimName} has lost its volume`)
  const volumeName = claim.spec?.volumeName
  if (claim.status?.phase !== 'Bound' || volumeName === undefined)
    return waiting('WaitingForVolumeBinding', `PVC ${claimName} of volume ${name} is not bound yet`)
  // Bound to its consumer, but what is to fill it has not done so.
  if (dataVolume && phase !== 'Succeeded')
    return waiting('NotAllDVsReady', `data volume ${dataVolumeName} is being filled (${phase ?? 'Pending'})`)
  const csi = world.persistentVolume(volumeName)?.spec?.csi
  if (!csi) return waiting('WaitingForVolumeBinding', `volume ${volumeName} of PVC ${claimName} is not known yet`)
  if (!world.hasDriver(csi.driver))
    return missing('DriverNotFound', `volume ${volumeName} needs the CSI driver ${csi.driver}, which is not connected`)
  return { name, state: 'ready' }
}

/** What has to be published for the instance, in the order of its volumes. For ready volumes only. */
export function claimVolumes(vmi: VirtualMachineInstance, world: StorageWorld): ClaimVolume[] {
  return (vmi.spec.volumes ?? []).flatMap((volume) => {
    const claimName = volume.persistentVolumeClaim?.claimName ?? volume.dataVolume?.name
    const claim = claimName === undefined ? undefined : world.claim(claimName)
    const persistentVolume = claim?.spec?.volumeName ? world.persistentVolume(claim.spec.volumeName) : undefined
    const csi = persistentVolume?.spec?.csi
    if (!csi) return []
    return {
      name: volume.name,
      driver: csi.driver,
      volumeId: csi.volumeHandle,
      volumeMode: persistentVolume?.spec?.volumeMode === 'Block' ? 'Block' : 'Filesystem',
      volumeContext: csi.volumeAttributes ?? {},
      readOnly: volume.persistentVolumeClaim?.readOnly === true,
    } satisfies ClaimVolume
  })
}

/** Claims that wait for somebody to need them. */
export function unboundClaims(vmi: VirtualMachineInstance, world: StorageWorld): PersistentVolumeClaim[] {
  return (vmi.spec.volumes ?? []).flatMap((volume) => {
    const claimName = volume.persistentVolumeClaim?.claimName ?? volume.dataVolume?.name
    const claim = claimName === undefined ? undefined : world.claim(claimName)
    return claim && claim.status?.phase !== 'Bound' && claim.metadata.deletionTimestamp === undefined ? [claim] : []
  })
}

export function claimFacts(vmi: VirtualMachineInstance, world: StorageWorld): Map<string, ClaimFacts> {
  return new Map(
    (vmi.spec.volumes ?? []).flatMap((volume) => {
      const claimName = claimOf(volume)
      const claim = claimName === undefined ? undefined : world.claim(claimName)
      if (!claim || claimName === undefined) return []
      const facts: ClaimFacts = {
        claimName,
        ...(claim.spec?.accessModes ? { accessModes: claim.spec.accessModes } : {}),
        volumeMode: claim.spec?.volumeMode ?? 'Filesystem',
        ...(claim.status?.capacity ? { capacity: claim.status.capacity } : {}),
        ...(claim.spec?.resources?.requests ? { requests: claim.spec.resources.requests } : {}),
      }
      return [[volume.name, facts]]
    }),
  )
}
