import type { BlockSource, DiskSpec, NetworkSpec, QemuSpec } from '../../qemu/spec.ts'
import type { MachineSpec } from './hypervisor.ts'

const models = ['virtio', 'e1000', 'e1000e', 'rtl8139', 'ne2k_pci', 'pcnet'] as const

export interface QemuSurroundings {
  accel: 'kvm' | 'tcg'
  sources: ReadonlyMap<string, BlockSource>
  firmware?: QemuSpec['firmware']
}

/** A machine in the words of the QEMU launcher. */
export function qemuSpec(spec: MachineSpec, { accel, sources, firmware }: QemuSurroundings): QemuSpec {
  return {
    name: spec.name,
    uuid: spec.uuid,
    machine: spec.machineType,
    accel,
    cpus: spec.cpu,
    cpuModel: spec.cpu.model,
    memoryBytes: spec.memoryBytes,
    disks: spec.disks.map(
      (disk): DiskSpec => ({
        name: disk.name,
        bus: disk.bus,
        serial: disk.serial,
        bootIndex: disk.bootIndex,
        readonly: disk.readOnly,
        cdrom: disk.kind === 'cdrom',
        source: sources.get(disk.name),
      }),
    ),
    networks: spec.nics.map((nic): NetworkSpec => {
      const model = models.find((known) => known === nic.model)
      if (!model) throw new Error(`interface ${nic.name}: model '${nic.model}' is none of ${models.join(', ')}`)
      return {
        name: nic.name,
        mac: nic.mac,
        model,
        cidr: nic.network.cidr,
        hostname: nic.hostname,
        hostForwards: nic.forwards,
      }
    }),
    serialConsole: spec.serialConsole,
    rng: spec.rng,
    guestAgent: true,
    panicDevice: true,
    smbios: { manufacturer: 'KubeVirt', product: 'None', ...(spec.serial ? { serial: spec.serial } : {}) },
    ...(firmware ? { firmware } : {}),
    graphics: spec.graphics ? 'vnc' : 'none',
    tablet: spec.tablet,
    rebootEnds: spec.rebootEnds,
    // Attach first, run afterwards: no event of the guest's first moments is missed.
    startPaused: true,
  }
}
