import { claimOf, type VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { backendVolumeName } from '@stillpoint/api/snapshot/rules'
import type { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { snapshotClassFor, type World } from './world.ts'

export interface Candidate {
  /** Name in the VM's template, or the derived name of the state volume. */
  volume: string
  claim: string
}

/** The volumes of a VM that stand on claims; with `stateful`, the claim of its persistent state last. */
export function candidatesOf(world: World, vm: VirtualMachine, stateful: boolean): Candidate[] {
  const candidates: Candidate[] = []
  for (const volume of vm.spec.template.spec.volumes ?? []) {
    const claim = claimOf(volume)
    if (claim !== undefined) candidates.push({ volume: volume.name, claim })
  }
  const state = stateful ? backendClaimOf(world, vm) : undefined
  if (state !== undefined) candidates.push({ volume: backendVolumeName(vm.metadata.name), claim: state.metadata.name })
  return candidates
}

/** The claim with the VM's TPM and EFI state: the newest that is not going away. */
export function backendClaimOf(world: World, vm: VirtualMachine): PersistentVolumeClaim | undefined {
  return world.claims
    .byIndex('snapshot:state-of', `${vm.metadata.namespace}/${vm.metadata.name}`)
    .filter((claim) => claim.metadata.deletionTimestamp === undefined)
    .sort((a, b) => (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? ''))[0]
}

export type Selection = { snapshotClass: string; claim: PersistentVolumeClaim } | { skip: string } | { problem: string }

/** Whether a volume can be cut now, and with which VolumeSnapshotClass. */
export function selectVolume(world: World, namespace: string | undefined, candidate: Candidate): Selection {
  const claim = world.claims.get(`${namespace}/${candidate.claim}`)
  if (claim === undefined) return { skip: `claim ${candidate.claim} does not exist` }
  if (claim.status?.phase !== 'Bound') return { skip: `claim ${candidate.claim} is not bound` }
  const storageClass = claim.spec?.storageClassName
  if (!storageClass) return { skip: `claim ${candidate.claim} has no storage class` }
  const choice = snapshotClassFor(world, storageClass)
  if ('ambiguous' in choice) return { problem: choice.ambiguous }
  if ('none' in choice) return { skip: `no VolumeSnapshotClass for storage class ${storageClass}` }
  return { snapshotClass: choice.found.metadata.name, claim }
}
