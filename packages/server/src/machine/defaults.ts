import { createHash } from 'node:crypto'
import type { VirtualMachineInstanceSpec } from '@stillpoint/api/kubevirt/kinds'

// The name space for firmware uuids of machines that were stored without one; KubeVirt uses the same.
const firmwareNamespace = '6a1a24a1-4061-4607-8bf4-a3963d0c5895'

/** The uuid the guest sees. cloud-init takes it for the instance id, so it must be a pure function of the spec. */
export function firmwareUuid(spec: VirtualMachineInstanceSpec, name: string): string {
  return spec.domain.firmware?.uuid || uuidV5(firmwareNamespace, name)
}

/** What an instance has beyond its template: the same at each start. */
export function withVmiDefaults(spec: VirtualMachineInstanceSpec, name: string): VirtualMachineInstanceSpec {
  const { devices } = spec.domain
  const attachPodNetwork =
    (devices.interfaces ?? []).length === 0 &&
    (spec.networks ?? []).length === 0 &&
    devices.autoattachPodInterface !== false
  return {
    ...spec,
    architecture: spec.architecture ?? 'amd64',
    domain: {
      ...spec.domain,
      machine: { ...spec.domain.machine, type: spec.domain.machine?.type || 'q35' },
      firmware: { ...spec.domain.firmware, uuid: firmwareUuid(spec, name) },
      devices: attachPodNetwork ? { ...devices, interfaces: [{ name: 'default', masquerade: {} }] } : devices,
    },
    ...(attachPodNetwork ? { networks: [{ name: 'default', pod: {} }] } : {}),
  }
}

/** RFC 4122, version 5: name-based with SHA-1. */
export function uuidV5(namespace: string, name: string): string {
  const bytes = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name)
    .digest()
    .subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
