import { effectiveRunStrategy, type VirtualMachine, type VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { sizeText } from './claims.ts'

export interface VmFacts {
  /** `2 CPU | 4 GiB`. */
  size: string
  runStrategy: string
  /** What the guest agent says of the operating system. */
  os?: string | undefined
  addresses: string[]
  node?: string | undefined
}

/** What one wants to know of a VM at first sight; of the running instance, where that says more. */
export function vmFacts(vm: VirtualMachine, instance: VirtualMachineInstance | undefined): VmFacts {
  const { domain } = (instance ?? vm.spec.template).spec
  const memory = domain.memory?.guest ?? domain.resources?.requests?.memory
  const cpus = (domain.cpu?.sockets || 1) * (domain.cpu?.cores || 1) * (domain.cpu?.threads || 1)
  const status = instance?.status
  const os = (status?.guestOSInfo ?? {}) as { prettyName?: string; name?: string; version?: string }
  return {
    size: `${cpus} CPU | ${sizeText(memory) ?? 'memory not given'}`,
    runStrategy: effectiveRunStrategy(vm.spec),
    os: os.prettyName || [os.name, os.version].filter(Boolean).join(' ') || undefined,
    addresses: addressesOf(status?.interfaces),
    node: status?.nodeName,
  }
}

function addressesOf(interfaces: readonly Record<string, unknown>[] = []): string[] {
  const all = interfaces.flatMap(({ ipAddress, ipAddresses }) =>
    Array.isArray(ipAddresses) && ipAddresses.length > 0 ? (ipAddresses as unknown[]) : [ipAddress],
  )
  return [...new Set(all.filter((address): address is string => typeof address === 'string' && address !== ''))]
}
