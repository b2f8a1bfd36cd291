import { claimOf, type VirtualMachineSpec, type Volume } from '../kubevirt/kinds.ts'
import { isTrue } from '../meta/condition.ts'
import { parseDurationMs } from '../meta/duration.ts'
import type { StorageProfile } from '../storage/cdi.ts'
import type { StorageClass, VolumeSnapshotClass } from '../storage/kinds.ts'
import {
  type Consistency,
  consistencies,
  consistencyAnnotation,
  defaultSnapshotClassAnnotation,
  extraVolumesAnnotation,
  parseExtraVolumes,
  preferredStateAnnotation,
} from './keys.ts'
import type { VirtualMachineRestore, VirtualMachineSnapshot, VirtualMachineSnapshotContent } from './kinds.ts'
import { shorten } from './names.ts'

export const defaultDeadlineMs = 300_000

/** When an unfinished snapshot fails, in milliseconds since 1970; undefined: never. */
export function deadlineOf(snapshot: VirtualMachineSnapshot): number | undefined {
  const text = snapshot.spec.failureDeadline
  const ms = text === undefined || text === '' ? defaultDeadlineMs : (parseDurationMs(text) ?? defaultDeadlineMs)
  const created = snapshot.metadata.creationTimestamp
  return ms === 0 || created === undefined ? undefined : Date.parse(created) + ms
}

/** Complete, or failed for good: it begins nothing any more, and is in nobody's way. */
export function hasEnded({ status }: Pick<VirtualMachineRestore, 'status'>): boolean {
  return status?.complete === true || isTrue(status?.conditions, 'Failure')
}

/** Anything that is not `Delete` keeps the content, so that a misspelt policy loses no data. */
export function retainsContent(snapshot: VirtualMachineSnapshot): boolean {
  const policy = snapshot.spec.deletionPolicy
  return policy !== undefined && policy !== '' && policy !== 'Delete'
}

export function consistencyOf(snapshot: VirtualMachineSnapshot): Consistency {
  const value = snapshot.metadata.annotations?.[consistencyAnnotation]
  return consistencies.find((consistency) => consistency === value) ?? 'Preferred'
}

/** The members of a VirtualMachinePreference that decide about persistent state. */
export interface StatePreference {
  devices?: { preferredTPM?: { persistent?: boolean } }
  firmware?: { preferredEfi?: { persistent?: boolean } }
}

/**
 * Persistent TPM or EFI: the VM keeps state in a claim of its own. What its preference asks for counts where the VM
 * itself says nothing of that device.
 */
export function needsBackendStorage(spec: VirtualMachineSpec, preference?: StatePreference): boolean {
  const { domain } = spec.template.spec
  const { bootloader } = (domain.firmware ?? {}) as { bootloader?: { efi?: { persistent?: boolean } } }
  const tpm = domain.devices?.tpm ?? preference?.devices?.preferredTPM
  const efi = bootloader === undefined ? preference?.firmware?.preferredEfi : bootloader.efi
  return tpm?.persistent === true || efi?.persistent === true
}

/** The captured VM keeps persistent state, by its own definition or by that of its preference. */
export function capturesBackendStorage({ metadata, spec }: VirtualMachineSnapshotContent): boolean {
  const captured = spec.source.virtualMachine?.spec
  const preferred = metadata.annotations?.[preferredStateAnnotation] === 'true'
  return preferred || (captured !== undefined && needsBackendStorage(captured))
}

/** Name of the virtual volume that stands for the claim of persistent TPM and EFI state. */
export function backendVolumeName(vm: string): string {
  return shorten('persistent-state-for', vm)
}

export interface SnapshotVolumes {
  includedVolumes: string[]
  excludedVolumes: string[]
  /** A volume that could have been included was not. */
  partial: boolean
}

/** The volumes of the captured VM, split by whether the content has them; template order, state volume last. */
export function snapshotVolumesOf(content: VirtualMachineSnapshotContent): SnapshotVolumes | undefined {
  const captured = content.spec.source.virtualMachine
  const spec = captured?.spec
  if (spec === undefined) return undefined
  const backed = new Set(content.spec.volumeBackups?.map((backup) => backup.volumeName))
  const volumes: { name: string; capable: boolean }[] = (spec.template.spec.volumes ?? []).map((volume: Volume) => ({
    name: volume.name,
    capable: claimOf(volume) !== undefined,
  }))
  const state = backendVolumeName(String((captured?.metadata as { name?: string } | undefined)?.name ?? ''))
  if (backed.has(state) || capturesBackendStorage(content)) volumes.push({ name: state, capable: true })
  for (const { name, claim } of parseExtraVolumes(content.metadata.annotations?.[extraVolumesAnnotation]))
    volumes.push({ name, capable: claim })
  return {
    includedVolumes: volumes.filter(({ name }) => backed.has(name)).map(({ name }) => name),
    excludedVolumes: volumes.filter(({ name }) => !backed.has(name)).map(({ name }) => name),
    partial: volumes.some(({ name, capable }) => capable && !backed.has(name)),
  }
}

export type ClassChoice =
  | { found: VolumeSnapshotClass }
  | { none: true }
  /** Several classes fit and none is the default: a person must choose. */
  | { ambiguous: string }

/**
 * The VolumeSnapshotClass for a storage class: the one its StorageProfile names, else the only one of the driver,
 * else the driver's one default (the annotation's value counts, not its presence).
 */
export function chooseSnapshotClass(
  storageClass: string,
  known: {
    storageClass: StorageClass | undefined
    profile: StorageProfile | undefined
    snapshotClasses: readonly VolumeSnapshotClass[]
  },
): ClassChoice {
  if (known.storageClass === undefined) return { none: true }
  const named = known.profile?.status?.snapshotClass
  if (named) {
    const found = known.snapshotClasses.find((candidate) => candidate.metadata.name === named)
    return found === undefined ? { none: true } : { found }
  }
  const { provisioner } = known.storageClass
  const matching = known.snapshotClasses.filter((candidate) => candidate.driver === provisioner)
  const defaults = matching.filter(
    (candidate) => candidate.metadata.annotations?.[defaultSnapshotClassAnnotation] === 'true',
  )
  const only = matching.length === 1 ? matching[0] : defaults.length === 1 ? defaults[0] : undefined
  if (only !== undefined) return { found: only }
  if (matching.length === 0) return { none: true }
  return { ambiguous: `${matching.length} matching VolumeSnapshotClasses for ${storageClass}` }
}

/** Why a snapshot cannot be restored from now; undefined when it can. */
export function whyNotRestorable(
  key: string,
  snapshot: VirtualMachineSnapshot | undefined,
  contentOf: (name: string) => VirtualMachineSnapshotContent | undefined,
): string | undefined {
  const namespace = key.slice(0, key.indexOf('/'))
  if (snapshot === undefined) return `VMSnapshot ${key} does not exist`
  if (snapshot.status?.phase === 'Failed') return `VMSnapshot ${key} failed and is invalid to use`
  if (snapshot.status?.readyToUse !== true) return `VMSnapshot ${key} not ready`
  const name = snapshot.status.virtualMachineSnapshotContentName
  if (!name) return `no snapshot content name in ${key}`
  const content = contentOf(name)
  if (content === undefined) return `VMSnapshotContent ${namespace}/${name} does not exist`
  if (content.status?.readyToUse !== true) return `VMSnapshotContent ${namespace}/${name} not ready`
  return undefined
}
