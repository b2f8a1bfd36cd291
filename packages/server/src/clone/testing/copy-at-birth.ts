import type { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { targetNameOf } from '@stillpoint/api/clone/names'
import { claimOf, type VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { Layout } from '../../controller/testing/simulated-seeds.ts'

/** Where a copy, when it is created, is not what its clone asks for. */
export function whatIsWrong(vm: VirtualMachine, clone: VirtualMachineClone, layout: Layout): string[] {
  const wrong: string[] = []
  const { spec } = clone
  if (vm.metadata.name !== targetNameOf(clone)) wrong.push(`is not called ${targetNameOf(clone)}`)
  if (vm.spec.runStrategy !== 'Halted') wrong.push(`would start by itself: ${vm.spec.runStrategy}`)
  const { domain, hostname, volumes = [] } = vm.spec.template.spec
  const { uuid, serial } = domain.firmware ?? {}
  if (uuid === 'source-uuid' || serial === 'source-serial') wrong.push('is the same machine')
  if (spec.newSMBiosSerial !== undefined && serial !== spec.newSMBiosSerial) wrong.push('has another serial')
  for (const { name, macAddress } of domain.devices.interfaces ?? [])
    if (macAddress !== spec.newMacAddresses?.[name]) wrong.push(`has address ${macAddress} at ${name}`)
  if (spec.patches !== undefined && hostname !== 'renamed') wrong.push('is not patched')
  if (spec.labelFilters !== undefined) {
    const keys = { ...vm.metadata.labels, ...vm.metadata.annotations, ...vm.spec.template.metadata?.labels }
    if ('drop/this' in keys) wrong.push('has keys that were filtered out')
    const kept = spec.labelFilters.length > 0 && layout.identified === true
    if (kept !== 'keep/this' in keys) wrong.push('has not the keys it was to have')
  }
  const claims = volumes.flatMap((volume) => claimOf(volume) ?? [])
  if (claims.length !== layout.disks.length) wrong.push(`stands on ${claims.length} disks`)
  if (spec.volumeNamePolicy === 'PrefixTargetName' && claims.some((name) => !name.startsWith(vm.metadata.name)))
    wrong.push(`stands on ${claims.join(', ')}`)
  return wrong
}
