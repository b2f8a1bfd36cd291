import type { VirtualMachineSpec } from '../kubevirt/kinds.ts'

/** An operation of a JSON patch that fits what it was made for. */
export type Write = { op: 'add'; path: string; value: unknown } | { op: 'remove'; path: string }

/** What the copy of a VM is given in place of what must be unique in a network; without it, that is taken away. */
export interface NewIdentity {
  newMacAddresses?: Record<string, string> | undefined
  newSMBiosSerial?: string | undefined
}

/** Interfaces that are given addresses and that the VM does not have. */
export function unknownInterfaces({ newMacAddresses = {} }: NewIdentity, vm: VirtualMachineSpec): string[] {
  const known = new Set(vm.template.spec.domain.devices.interfaces?.map(({ name }) => name))
  return Object.keys(newMacAddresses).filter((name) => !known.has(name))
}

/** Makes a captured definition that of another VM: no MAC address, UUID or serial number of the original is left. */
export function identityPatches(given: NewIdentity, vm: VirtualMachineSpec): Write[] {
  return [...macPatches(given, vm), ...firmwarePatches(given, vm)]
}

const domain = '/spec/template/spec/domain'

function macPatches({ newMacAddresses = {} }: NewIdentity, vm: VirtualMachineSpec): Write[] {
  return (vm.template.spec.domain.devices.interfaces ?? []).flatMap(({ name, macAddress }, at): Write[] => {
    const path = `${domain}/devices/interfaces/${at}/macAddress`
    // Own members only: an interface may be called `constructor`.
    const value = Object.hasOwn(newMacAddresses, name) ? newMacAddresses[name] : undefined
    if (value !== undefined) return [{ op: 'add', path, value }]
    return macAddress === undefined ? [] : [{ op: 'remove', path }]
  })
}

function firmwarePatches({ newSMBiosSerial: serial }: NewIdentity, vm: VirtualMachineSpec): Write[] {
  const { firmware } = vm.template.spec.domain
  if (firmware === undefined) return serial ? [{ op: 'add', path: `${domain}/firmware`, value: { serial } }] : []
  const writes: Write[] = []
  if (serial) writes.push({ op: 'add', path: `${domain}/firmware/serial`, value: serial })
  else if (firmware.serial !== undefined) writes.push({ op: 'remove', path: `${domain}/firmware/serial` })
  if (firmware.uuid !== undefined) writes.push({ op: 'remove', path: `${domain}/firmware/uuid` })
  return writes
}
