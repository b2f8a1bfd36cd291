import type { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'

/** A choice somebody made, or did not make, about a restore. */
export interface ShownPolicy {
  title: string
  /** What it does; the value itself, when it is not known here. */
  text: string
  /** As the API calls it. */
  value: string
}

const readiness: Readonly<Record<string, string>> = {
  StopTarget: 'It is stopped',
  WaitGracePeriod: 'The restore waits 5 minutes for it to be stopped, then fails',
  WaitEventually: 'The restore waits until somebody stops it',
  FailImmediate: 'The restore fails at once',
}
const naming: Readonly<Record<string, string>> = {
  InPlace: 'They keep the names of their claims, which are replaced',
  PrefixTargetName: 'New claims, named after the virtual machine',
  RandomizeNames: 'New claims with new names',
}
const ownership: Readonly<Record<string, string>> = {
  Vm: 'The new claims are deleted with it',
  None: 'The new claims stay',
}

/** The policies of a restore in words, also those that were left to their defaults. */
export function restorePolicies({ spec }: VirtualMachineRestore): ShownPolicy[] {
  const policy = (title: string, words: Readonly<Record<string, string>>, value: string): ShownPolicy => ({
    title,
    text: (Object.hasOwn(words, value) ? words[value] : undefined) ?? value,
    value,
  })
  return [
    policy('When the virtual machine runs', readiness, spec.targetReadinessPolicy),
    policy('Names of the disks', naming, spec.volumeRestorePolicy || 'RandomizeNames'),
    policy('When the virtual machine is deleted', ownership, spec.volumeOwnershipPolicy || 'Vm'),
  ]
}
