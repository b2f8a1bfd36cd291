import { capturedOf } from '@stillpoint/api/clone/rules'
import { claimOf, type VirtualMachineSpec } from '@stillpoint/api/kubevirt/kinds'
import { parseQuantity } from '@stillpoint/api/meta/quantity'
import type { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { diskKindLabel, kindOfVolume } from './disks.ts'
import { bytes } from './format.ts'
import { receiptIn } from './freeze-facts.ts'
import { cpuText, memoryText } from './spec-changes.ts'

/** What a VM made from a snapshot is like; a text for people each. Undefined: the definition says nothing of it. */
export interface CapturedSummary {
  os?: string | undefined
  flavor?: string | undefined
  sshKey?: string | undefined
  /** A line for each disk, network card and device. */
  storage: string[]
  networking: string[]
  hardware: string[]
}

/** What the definition in a snapshot's content says; undefined when the content holds none. */
export function capturedSummary(
  snapshot: VirtualMachineSnapshot,
  content: VirtualMachineSnapshotContent,
): CapturedSummary | undefined {
  const spec = capturedOf(content)?.spec
  if (spec === undefined) return undefined
  const annotations = spec.template.metadata?.annotations ?? {}
  const sizes = new Map(
    content.spec.volumeBackups?.map(({ volumeName, persistentVolumeClaim }) => [
      volumeName,
      persistentVolumeClaim.spec?.resources?.requests?.storage,
    ]),
  )
  return {
    // What the guest itself said counts more than what somebody wrote beside it.
    os: receiptIn(snapshot)?.agent?.guestOS ?? annotations['vm.kubevirt.io/os'] ?? spec.preference?.name,
    flavor: flavorOf(spec, annotations['vm.kubevirt.io/flavor']),
    sshKey: sshKeyOf(spec),
    storage: (spec.template.spec.volumes ?? []).map((volume) => {
      const size = sizes.get(volume.name)
      const sizeBytes = size === undefined ? undefined : parseQuantity(String(size))
      const kind = claimOf(volume) === undefined ? diskKindLabel(kindOfVolume(volume)) : 'disk'
      return [volume.name, kind, ...(sizeBytes === undefined ? [] : [bytes(sizeBytes)])].join(', ')
    }),
    networking: networkingOf(spec),
    hardware: hardwareOf(spec),
  }
}

function flavorOf(spec: VirtualMachineSpec, named: string | undefined): string | undefined {
  const size = [cpuText(spec), memoryText(spec)].filter((text) => text !== undefined).join(', ')
  const name = spec.instancetype?.name ?? named
  if (name === undefined) return size || undefined
  return size === '' ? name : `${name} (${size})`
}

/** Where keys come from; the keys themselves are in Secrets, or say nothing to people. */
function sshKeyOf({ template }: VirtualMachineSpec): string | undefined {
  const { accessCredentials = [] } = template.spec as { accessCredentials?: AccessCredential[] }
  const secrets = accessCredentials.flatMap(({ sshPublicKey }) => sshPublicKey?.source?.secret?.secretName ?? [])
  if (secrets.length > 0) return `Secret ${secrets.join(', ')}`
  const inline = template.spec.volumes?.some((volume) => {
    const { userData } = (volume.cloudInitNoCloud ?? volume.cloudInitConfigDrive ?? {}) as { userData?: string }
    return userData !== undefined && /^\s*ssh_authorized_keys:/m.test(userData)
  })
  return inline ? 'in cloud-init' : undefined
}
interface AccessCredential {
  sshPublicKey?: { source?: { secret?: { secretName?: string } } }
}

function networkingOf({ template }: VirtualMachineSpec): string[] {
  const networks = new Map(template.spec.networks?.map((network) => [network.name, network]))
  return (template.spec.domain.devices.interfaces ?? []).map((card) => {
    const { multus } = networks.get(card.name) ?? {}
    const network = (multus as { networkName?: string } | undefined)?.networkName ?? 'default network'
    const binding = ['masquerade', 'bridge', 'sriov'].find((each) => card[each] !== undefined)
    return [card.name, network, card.model ?? 'virtio', ...(binding === undefined ? [] : [binding])].join(', ')
  })
}

function hardwareOf({ template }: VirtualMachineSpec): string[] {
  const { machine, devices, firmware } = template.spec.domain
  const { gpus = [], hostDevices = [] } = devices as Record<'gpus' | 'hostDevices', { name: string }[] | undefined>
  const { bootloader } = (firmware ?? {}) as { bootloader?: { efi?: unknown } }
  return [
    ...(machine?.type === undefined ? [] : [`Machine type ${machine.type}`]),
    bootloader?.efi === undefined ? 'BIOS' : 'EFI',
    ...(devices.tpm === undefined ? [] : [devices.tpm.persistent ? 'TPM with persistent state' : 'TPM']),
    ...(devices.rng === undefined ? [] : ['Random numbers of the host']),
    ...gpus.map(({ name }) => `GPU ${name}`),
    ...hostDevices.map(({ name }) => `Host device ${name}`),
  ]
}
