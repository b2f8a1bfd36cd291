import { claimOf, type VirtualMachine, type Volume } from '@stillpoint/api/kubevirt/kinds'
import { backendVolumeName } from '@stillpoint/api/snapshot/rules'

export interface Disk {
  name: string
  /** The word for its source, as in the definition of the VM: `dataVolume`, `cloudInitNoCloud` and so on. */
  kind: string
  claim?: string | undefined
  /** Why snapshots leave it out, in the API's words. */
  reason?: string | undefined
  /** It holds data that the definition cannot give back. */
  persistent: boolean
}

export interface Disks {
  included: Disk[]
  /** Not in the snapshot, and made again from the definition. */
  recreated: Disk[]
  /** Not in the snapshot although they hold data. */
  missing: Disk[]
  /** A person has to say that leaving these out is meant. */
  needsAcknowledgement: boolean
}

/** What a start makes from the definition. Of anything else it must be assumed that it holds data. */
const recreatedKinds: Record<string, string> = {
  cloudInitNoCloud: 'cloud-init',
  cloudInitConfigDrive: 'cloud-init',
  containerDisk: 'container disk',
  configMap: 'ConfigMap',
  secret: 'Secret',
  serviceAccount: 'service account',
  sysprep: 'sysprep',
  downwardAPI: 'downward API',
  downwardMetrics: 'downward metrics',
}
const persistentKinds: Record<string, string> = {
  persistentVolumeClaim: 'claim',
  dataVolume: 'DataVolume',
  memoryDump: 'memory dump',
  hostDisk: 'host disk',
  ephemeral: 'ephemeral disk',
  emptyDisk: 'empty disk',
  persistentState: 'TPM and EFI state',
}

/** The word for people of a volume's kind. */
export function diskKindLabel(kind: string): string {
  const known = { ...recreatedKinds, ...persistentKinds }
  return Object.hasOwn(known, kind) ? (known[kind] ?? kind) : kind
}

const notKnownYet = 'It is not known yet whether snapshots can include it'
const noReason = 'Snapshots cannot include it; no reason was given'

/** Which disks of a VM a snapshot taken now would have. */
export function disksOf(vm: VirtualMachine): Disks {
  const statuses = new Map(vm.status?.volumeSnapshotStatuses?.map((status) => [status.name, status]))
  const volumes = vm.spec.template.spec.volumes ?? []
  const named = new Set(volumes.map(({ name }) => name))
  const state = backendVolumeName(vm.metadata.name)
  const all: Disk[] = [
    ...volumes.map(diskOf),
    // The claim of TPM and EFI state is no volume of the definition.
    ...[...statuses.keys()]
      .filter((name) => !named.has(name))
      .map((name) => ({ name, kind: name === state ? 'persistentState' : 'unknown', persistent: true })),
  ]
  const disks: Disks = { included: [], recreated: [], missing: [], needsAcknowledgement: false }
  for (const disk of all) {
    const status = statuses.get(disk.name)
    if (status?.enabled === true) disks.included.push(disk)
    else if (!disk.persistent) disks.recreated.push(disk)
    else disks.missing.push({ ...disk, reason: status === undefined ? notKnownYet : status.reason || noReason })
  }
  disks.needsAcknowledgement = disks.missing.length > 0
  return disks
}

/** A volume has its name and one more member, called after its source. */
export function kindOfVolume(volume: Volume): string {
  return Object.keys(volume).find((member) => member !== 'name' && volume[member] != null) ?? 'unknown'
}

function diskOf(volume: Volume): Disk {
  const kind = kindOfVolume(volume)
  const { ephemeral } = volume as { ephemeral?: { persistentVolumeClaim?: { claimName?: string } } }
  return {
    name: volume.name,
    kind,
    claim: claimOf(volume) ?? ephemeral?.persistentVolumeClaim?.claimName,
    persistent: !Object.hasOwn(recreatedKinds, kind),
  }
}
