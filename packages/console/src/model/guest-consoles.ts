import type { VirtualMachineInstanceSpec } from '@stillpoint/api/kubevirt/kinds'

/** By the name of the subresource that streams it. */
export type ConsoleKind = 'console' | 'vnc'

/** What a guest can be seen and typed at by; both unless its definition says no. */
export function consolesOf({ domain }: VirtualMachineInstanceSpec): ConsoleKind[] {
  const { autoattachSerialConsole: serial, autoattachGraphicsDevice: graphics } = domain.devices as {
    autoattachSerialConsole?: boolean
    autoattachGraphicsDevice?: boolean
  }
  return [...(serial === false ? [] : ['console' as const]), ...(graphics === false ? [] : ['vnc' as const])]
}
