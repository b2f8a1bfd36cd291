import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { describe } from 'vitest'
import { qemuMissing } from '../../qemu/testing/qemu-missing.ts'
import { MachineFolders } from '../folders.ts'
import { type ConsoleGuest, consoleConformance, type StartGuest } from '../testing/console-conformance.ts'
import { MemoryHypervisor } from '../testing/memory-hypervisor.ts'
import type { Hypervisor, MachineSpec } from './hypervisor.ts'
import { QemuHypervisor } from './qemu-hypervisor.ts'

const log = pino({ level: 'silent' })
const spec: Omit<MachineSpec, 'folder' | 'disks'> = {
  id: '5d0c8b7e-1f2a-4c3d-9e8f-7a6b5c4d3e2f',
  name: 'default.echo',
  machineType: 'q35',
  uuid: '5d0c8b7e-1f2a-4c3d-9e8f-7a6b5c4d3e2f',
  memoryBytes: 32 * 1024 * 1024,
  cpu: { sockets: 1, cores: 1, threads: 1 },
  nics: [],
  rng: false,
  tablet: false,
  graphics: true,
  serialConsole: true,
  rebootEnds: false,
  acpi: true,
}

/** A boot sector in place of a system: `>` to the first serial port, and then each byte that comes in goes out again. */
function echoDisk(): Buffer {
  const program = [
    ...[0xfa, 0xba, 0xf8, 0x03, 0xb0, 0x3e, 0xee], // cli; mov dx, 3f8h; mov al, '>'; out dx, al
    ...[0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xfb], // wait: mov dx, 3fdh; in al, dx; test al, 1; jz to the in
    ...[0xba, 0xf8, 0x03, 0xec, 0xee, 0xeb, 0xf1], // mov dx, 3f8h; in al, dx; out dx, al; jmp wait
  ]
  const disk = Buffer.alloc(1024 * 1024)
  disk.set(program)
  disk.set([0x55, 0xaa], 510)
  return disk
}

const starter =
  (hypervisorIn: (folders: MachineFolders) => Hypervisor): StartGuest =>
  async (has): Promise<ConsoleGuest> => {
    const folders = new MachineFolders(await mkdtemp('/tmp/spc-'))
    const hypervisor = hypervisorIn(folders)
    await hypervisor.adopt()
    const folder = await folders.claim({ uid: spec.id, namespace: 'default', name: 'echo', volumes: [] })
    const path = join(folder, 'echo.img')
    await writeFile(path, echoDisk())
    const disk = { name: 'echo', path, kind: 'disk', bus: 'virtio', readOnly: false, bootIndex: 1 } as const
    const machine = await hypervisor.launch({ ...spec, ...has, folder, disks: [disk] })
    return {
      machine,
      close: async () => {
        await machine.end('Quit')
        await hypervisor.close()
        await rm(folders.root, { recursive: true, force: true })
      },
    }
  }

consoleConformance(
  'guests in memory',
  starter(() => new MemoryHypervisor()),
)
describe.skipIf(qemuMissing)('with QEMU', () => {
  const accelerator = async () => 'tcg' as const
  consoleConformance(
    'guests in QEMU',
    starter((folders) => new QemuHypervisor({ folders, accelerator, log })),
  )
})
