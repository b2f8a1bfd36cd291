import type { Disk as DiskDevice, VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { DataVolume } from '@stillpoint/api/storage/cdi'
import type { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { claimSize, claimState, type ShownClaim } from './claims.ts'
import { diskKindLabel, disksOf } from './disks.ts'

export interface VmDisk {
  name: string
  /** What its data is, in words. */
  kind: string
  /** Its claim, for those that have one. */
  claim?: string | undefined
  size?: string | undefined
  storageClass?: string | undefined
  /** How the guest sees it; undefined: not at all. */
  device?: 'disk' | 'cdrom' | 'lun' | undefined
  bus?: string | undefined
  bootOrder?: number | undefined
  /** `recreated`: left out, and made again from the definition. `missing`: left out although it holds data. */
  inSnapshots: 'included' | 'recreated' | 'missing'
  /** Why snapshots leave it out, in the API's words. */
  reason?: string | undefined
  /** Of its claim. */
  state?: ShownClaim | undefined
}

interface Around {
  claims: readonly PersistentVolumeClaim[]
  dataVolumes: readonly DataVolume[]
}

/** KubeVirt's default where a disk names no bus. */
const defaultBus = 'sata'

/** The volumes of a VM in the order of its definition, with all that is known of each. */
export function vmDisks(vm: VirtualMachine, { claims, dataVolumes }: Around): VmDisk[] {
  const { included, recreated, missing } = disksOf(vm)
  const kinds = [
    ...included.map((disk) => ({ ...disk, inSnapshots: 'included' as const })),
    ...recreated.map((disk) => ({ ...disk, inSnapshots: 'recreated' as const })),
    ...missing.map((disk) => ({ ...disk, inSnapshots: 'missing' as const })),
  ]
  const order = new Map((vm.spec.template.spec.volumes ?? []).map(({ name }, at) => [name, at]))
  const place = (name: string): number => order.get(name) ?? order.size
  const reasons = new Map(vm.status?.volumeSnapshotStatuses?.map(({ name, reason }) => [name, reason]))
  const ofVm = ({ metadata }: { metadata: { namespace?: string } }): boolean =>
    metadata.namespace === vm.metadata.namespace
  return kinds
    .toSorted((a, b) => place(a.name) - place(b.name))
    .map(({ name, kind, claim: claimName, inSnapshots, reason }) => {
      const claim = claims.find((each) => ofVm(each) && each.metadata.name === claimName)
      const dataVolume = dataVolumes.find((each) => ofVm(each) && each.metadata.name === claimName)
      return {
        name,
        kind: diskKindLabel(kind),
        inSnapshots,
        reason: reason ?? (inSnapshots === 'included' ? undefined : reasons.get(name)),
        ...deviceOf(vm, name),
        ...(claimName === undefined
          ? {}
          : {
              claim: claimName,
              size: claim && claimSize(claim),
              storageClass: claim?.spec?.storageClassName,
              state: claimState(claim, dataVolume),
            }),
      }
    })
}

function deviceOf(vm: VirtualMachine, name: string): Pick<VmDisk, 'device' | 'bus' | 'bootOrder'> {
  const device = vm.spec.template.spec.domain.devices.disks?.find((disk) => disk.name === name)
  if (!device) return {}
  const kind = kindOf(device)
  return { device: kind, bus: device[kind]?.bus ?? defaultBus, bootOrder: device.bootOrder }
}

function kindOf(device: DiskDevice): 'disk' | 'cdrom' | 'lun' {
  return device.cdrom ? 'cdrom' : device.lun ? 'lun' : 'disk'
}
