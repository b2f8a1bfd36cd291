/** A bootable disk image, put together from files: MBR, SYSLINUX on a FAT partition, ext4 root. No root, no mounts. */
import { execFile } from 'node:child_process'
import { open, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const MIB = 1 << 20
const SECTOR = 512
const FAT_START = MIB

export interface DiskParts {
  kernel: string
  initramfs: string
  /** The tree of the root file system. */
  root: string
  rootMib: number
  commandLine: string
  /** Unpacked syslinux, syslinux-common and mtools. */
  tools: string
}

/** Writes the raw image `image`, using files beside it while at work. */
export async function writeDisk(image: string, parts: DiskParts): Promise<void> {
  const fat = `${image}.fat`
  const fatMib = await writeFat(fat, parts)
  const rootStart = FAT_START + fatMib * MIB
  await rm(image, { force: true })
  await writeFile(image, '')
  await truncate(image, rootStart + parts.rootMib * MIB)

  const disk = await open(image, 'r+')
  try {
    await disk.write(await masterBootRecord(parts.tools, fatMib, parts.rootMib), 0, SECTOR, 0)
    const boot = await readFile(fat)
    await disk.write(boot, 0, boot.length, FAT_START)
  } finally {
    await disk.close()
  }
  await run('/sbin/mke2fs', [
    ...['-q', '-F', '-t', 'ext4', '-L', 'stillpoint-root', '-J', 'size=4', '-d', parts.root],
    // Nothing is left to be initialised in the guest: background writes there would disturb measurements.
    ...['-E', `offset=${rootStart},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0`],
    ...[image, `${parts.rootMib * 1024}k`],
  ])
  await rm(fat)
}

async function writeFat(fat: string, { kernel, initramfs, commandLine, tools }: DiskParts): Promise<number> {
  const config = `${fat}.cfg`
  await writeFile(
    config,
    `DEFAULT linux\nPROMPT 0\nTIMEOUT 0\nLABEL linux\nKERNEL /vmlinuz\nINITRD /initrd\nAPPEND ${commandLine}\n`,
  )
  const content = (await readFile(kernel)).length + (await readFile(initramfs)).length
  const mib = Math.ceil(content / MIB) + 2
  await rm(fat, { force: true })
  await writeFile(fat, '')
  await truncate(fat, mib * MIB)
  const sectors = (mib * MIB) / SECTOR
  // syslinux calls mtools by name; -s and -h are the geometry SeaBIOS gives a disk of this size.
  const env = { ...process.env, PATH: `${join(tools, 'usr/bin')}:${process.env.PATH}`, MTOOLS_SKIP_CHECK: '1' }
  const start = String(FAT_START / SECTOR)
  await run('mformat', ['-i', fat, '-H', start, '-T', String(sectors), '-h', '16', '-s', '63', '::'], { env })
  for (const [from, to] of [
    [kernel, 'vmlinuz'],
    [initramfs, 'initrd'],
    [config, 'syslinux.cfg'],
  ] as const)
    await run('mcopy', ['-i', fat, from, `::/${to}`], { env })
  await run('syslinux', ['--install', fat], { env })
  await rm(config)
  return mib
}

async function masterBootRecord(tools: string, fatMib: number, rootMib: number): Promise<Buffer> {
  const mbr = Buffer.alloc(SECTOR)
  const code = await readFile(join(tools, 'usr/lib/syslinux/mbr/mbr.bin'))
  if (code.length > 440) throw new Error(`boot code of ${code.length} bytes does not fit into an MBR`)
  code.copy(mbr)
  mbr.writeUInt32LE(0x53544c50, 440)
  partition(mbr, 0, { active: true, type: 0x0e, start: FAT_START / SECTOR, sectors: (fatMib * MIB) / SECTOR })
  partition(mbr, 1, {
    active: false,
    type: 0x83,
    start: (FAT_START + fatMib * MIB) / SECTOR,
    sectors: (rootMib * MIB) / SECTOR,
  })
  mbr.writeUInt16LE(0xaa55, 510)
  return mbr
}

function partition(
  mbr: Buffer,
  index: number,
  p: { active: boolean; type: number; start: number; sectors: number },
): void {
  const at = 446 + index * 16
  mbr.writeUInt8(p.active ? 0x80 : 0, at)
  mbr.writeUInt8(p.type, at + 4)
  // Cylinders, heads and sectors at their maximum: "use the linear address".
  for (const chs of [at + 1, at + 5]) mbr.set([0xfe, 0xff, 0xff], chs)
  mbr.writeUInt32LE(p.start, at + 8)
  mbr.writeUInt32LE(p.sectors, at + 12)
}
