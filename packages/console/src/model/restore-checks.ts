import { claimOf, type VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type {
  VirtualMachineRestore,
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
} from '@stillpoint/api/snapshot/kinds'
import { capturesBackendStorage } from '@stillpoint/api/snapshot/rules'
import { whyNotCreateVm, whyNotRestore } from './gates.ts'
import type { Naming } from './restore-plan.ts'

/** Something that must be so before a restore begins. What is not known holds nothing up: the server looks again. */
export interface Check {
  label: string
  state: 'passed' | 'failed' | 'unknown' | 'asking'
  /** Why it failed, or is not known, and what to do. */
  detail?: string | undefined
}

/** Something that is read; `why` it could not be. */
export type Known<T> = { is: 'asking' } | { is: 'known'; value: T } | { is: 'unknown'; why: string }

export interface RestoreFacts {
  /** Undefined when it has been deleted. */
  snapshot: VirtualMachineSnapshot | undefined
  /** The VM to bring back; undefined when it is gone. */
  vm: VirtualMachine | undefined
  restores: readonly VirtualMachineRestore[]
  /** The value is undefined when there is none. */
  content: Known<VirtualMachineSnapshotContent | undefined>
  /** Names of all claims of the namespace. */
  claims: Known<ReadonlySet<string>>
  mode: 'replace' | 'new'
  naming: Naming
  /** Name of the new VM, if one is to be made, and what is wrong with it. */
  newName: string
  newNameProblem: string | undefined
  /** Rights that are missing; `asking` while that is not known. */
  rights: 'asking' | readonly string[]
}

/** What must be so before a restore begins, in the order in which it is told. */
export function restoreChecks(facts: RestoreFacts): Check[] {
  return [usable(facts), free(facts), disks(facts), names(facts), rights(facts)]
}

/** Why a restore cannot begin now; undefined when it can. */
export function whyNotYet(checks: readonly Check[]): string | undefined {
  const failed = checks.find(({ state }) => state === 'failed')
  if (failed !== undefined) return failed.detail ?? failed.label
  return checks.some(({ state }) => state === 'asking') ? 'It is being checked whether it can be restored.' : undefined
}

const passed = (label: string): Check => ({ label, state: 'passed' })
const asking = (label: string): Check => ({ label, state: 'asking' })
const failed = (label: string, detail: string): Check => ({ label, state: 'failed', detail })
const unknown = (label: string, detail: string): Check => ({ label, state: 'unknown', detail })

function usable({ snapshot }: RestoreFacts): Check {
  const label = 'The snapshot can be used'
  const why = snapshot === undefined ? 'The snapshot has been deleted' : whyNotCreateVm(snapshot)
  return why === undefined ? passed(label) : failed(label, `${why}.`)
}

/** Told of the snapshot already what is wrong with it; here it is what else is at work. */
function free({ snapshot, vm, restores, mode, newName }: RestoreFacts): Check {
  const target = mode === 'new' ? newName : (vm?.metadata.name ?? snapshot?.spec.source.name)
  const label = `Nothing else is at work on ${target}`
  if (snapshot === undefined || whyNotCreateVm(snapshot) !== undefined) return passed(label)
  if (mode === 'new') {
    const others = restores.filter(({ spec }) => spec.target.name === newName)
    const of = { ...snapshot, spec: { ...snapshot.spec, source: { ...snapshot.spec.source, name: newName } } }
    return verdict(label, whyNotRestore(undefined, of, others))
  }
  return verdict(label, whyNotRestore(vm, snapshot, restores))
}

function verdict(label: string, why: string | undefined): Check {
  return why === undefined ? passed(label) : failed(label, `${why}. Wait until it has ended.`)
}

function disks({ content, mode }: RestoreFacts): Check {
  const label = 'Its data is there'
  if (content.is === 'asking') return asking(label)
  if (content.is === 'unknown') return unknown(label, content.why)
  const { value } = content
  if (value === undefined) return failed(label, 'The content of the snapshot does not exist. Choose another snapshot.')
  if (value.status?.readyToUse !== true)
    return failed(label, value.status?.error?.message ?? 'The content of the snapshot is not ready.')
  const lost = value.spec.volumeBackups?.find(({ volumeSnapshotName }) => !volumeSnapshotName)
  if (lost !== undefined)
    return failed(label, `The disk ${lost.volumeName} has no data in it. Choose another snapshot.`)
  if (mode === 'new' && capturesBackendStorage(value))
    return failed(label, 'State of TPM or EFI can be restored only into the VirtualMachine it belongs to.')
  return passed(label)
}

function names(facts: RestoreFacts): Check {
  const { claims, content, mode, naming, newName, newNameProblem } = facts
  if (mode === 'new') {
    const label = `The name ${newName} is free`
    return newNameProblem === undefined ? passed(label) : failed('The name is free', 'Correct the name.')
  }
  const label = 'The names of its disks are free'
  if (naming !== 'InPlace') return passed(label)
  if (claims.is === 'asking' || content.is === 'asking') return asking(label)
  if (claims.is === 'unknown') return unknown(label, claims.why)
  const taken = claimInTheWay(facts)
  if (taken === undefined) return passed(label)
  return failed(label, `The claim ${taken} is there and is no disk of this VirtualMachine. Choose other disk names.`)
}

/** A claim that restoring in place would have to replace, and that is not the VM's own; undefined when none is known. */
export function claimInTheWay({
  content,
  claims,
  vm,
}: Pick<RestoreFacts, 'content' | 'claims' | 'vm'>): string | undefined {
  if (content.is !== 'known' || claims.is !== 'known') return undefined
  const own = new Set(vm?.spec.template.spec.volumes?.map(claimOf))
  return (content.value?.spec.volumeBackups ?? [])
    .map(({ volumeName, persistentVolumeClaim: { metadata } }) => String(metadata?.name ?? volumeName))
    .find((name) => claims.value.has(name) && !own.has(name))
}

function rights({ rights: missing }: RestoreFacts): Check {
  const label = 'You may do it'
  if (missing === 'asking') return asking(label)
  return missing[0] === undefined ? passed(label) : failed(label, missing[0])
}
