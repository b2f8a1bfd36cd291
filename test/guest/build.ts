/**
 * Builds the small guest that tests, demo and benchmarks boot: `node test/guest/build.ts [--force]`.
 *
 * A real kernel, a real guest agent, real file systems, and a boot of a few seconds even without KVM. Made of Debian
 * packages only, as any user: nothing is mounted, loop-attached or installed.
 *
 *   1. `apt-get download` the cloud kernel, busybox, the guest agent, mke2fs, perl-base and the libraries these need;
 *      `dpkg-deb -x` them.
 *   2. root/    the guest's own files (init scripts, the sequence writer), plus programs, libraries by DT_NEEDED, and
 *               kernel modules by the `depends=` lines in them.
 *   3. initramfs: busybox, the modules for a disk, initramfs/init.
 *   4. disk.ts: SYSLINUX on FAT and an ext4 of the tree (`mke2fs -d`), then a compressed qcow2 that stands alone.
 *
 * Result: .cache/guest/guest.qcow2 and guest.json. Built anew only when a file in this folder changes; newer Debian
 * packages alone do not trigger it, `--force` takes them in. Files belong to the building user: the guest is root only.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { cpio } from './cpio.ts'
import { writeDisk } from './disk.ts'
import { loadOrder, type ModuleSet, moduleSet } from './modules.ts'
import { Apt } from './packages.ts'
import { fillRoot } from './root-tree.ts'

const run = promisify(execFile)
const here = import.meta.dirname
const cache = resolve(here, '../../.cache/guest')
const ROOT_MIB = 384
const COMMAND_LINE = 'console=ttyS0 quiet panic=-1 edd=off nokaslr'

/** Where the guest is, and what it was made of. */
export const guestImage = join(cache, 'guest.qcow2')
const guestInfo = join(cache, 'guest.json')

export interface GuestInfo {
  key: string
  kernel: string
  packages: string[]
  virtualBytes: number
  fileBytes: number
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

/** A hash over every file of this folder that goes into the image or decides what does. */
async function inputsKey(): Promise<string> {
  const hash = createHash('sha256')
  const files = (await readdir(here, { recursive: true, withFileTypes: true }))
    .filter((f) => f.isFile() && !/boot-check|\.test\.ts$/.test(f.name))
    .map((f) => join(f.parentPath, f.name))
    .sort()
  for (const file of files)
    hash
      .update(`${file.slice(here.length)}\0`)
      .update(await readFile(file))
      .update('\0')
  return hash.digest('hex')
}

/** Builds the image unless it is there and of the same inputs. Answers what it is, and whether it was built now. */
export async function buildGuest(options: { force?: boolean } = {}): Promise<GuestInfo & { built: boolean }> {
  const key = await inputsKey()
  if (!options.force && (await exists(guestInfo)) && (await exists(guestImage))) {
    const info = JSON.parse(await readFile(guestInfo, 'utf8')) as GuestInfo
    if (info.key === key) return { ...info, built: false }
  }
  if (process.arch !== 'x64') throw new Error(`the guest is built from amd64 packages; this machine is ${process.arch}`)

  // A folder of this process's own: two builds at once must not share files.
  const work = join(cache, `work.${process.pid}`)
  await rm(work, { recursive: true, force: true })
  await mkdir(work, { recursive: true })
  try {
    const info = await buildIn(work, key)
    await writeFile(guestInfo, `${JSON.stringify(info, null, 2)}\n`)
    return { ...info, built: true }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function buildIn(work: string, key: string): Promise<GuestInfo> {
  const apt = new Apt(join(work, 'apt'))
  const kernelPackage = await apt.dependency('linux-image-cloud-amd64', /^linux-image-\d/)
  const programs = await apt.withLibraries(['busybox-static', 'qemu-guest-agent', 'e2fsprogs', 'perl-base'])
  const tree = join(work, 'packages')
  const packages = await apt.unpack([kernelPackage, ...programs, 'syslinux', 'syslinux-common', 'mtools'], tree)

  const boot = (await readdir(join(tree, 'boot'))).find((f) => f.startsWith('vmlinuz-'))
  if (!boot) throw new Error(`${kernelPackage} holds no /boot/vmlinuz-*`)
  const kernel = boot.slice('vmlinuz-'.length)
  const modules = await moduleSet(tree, kernel)

  const root = join(work, 'root')
  await fillRoot({ root, tree, modules, ownFiles: join(here, 'root') })
  const initramfs = join(work, 'initrd')
  await writeFile(initramfs, await initramfsOf(tree, modules))

  const raw = join(work, 'disk.raw')
  await writeDisk(raw, {
    kernel: join(tree, 'boot', boot),
    initramfs,
    root,
    rootMib: ROOT_MIB,
    commandLine: COMMAND_LINE,
    tools: tree,
  })
  const image = join(work, 'guest.qcow2')
  // zstd unpacks several times faster than the default, which a boot notices.
  await run('qemu-img', ['convert', '-q', '-c', '-O', 'qcow2', '-o', 'compression_type=zstd', raw, image])
  const info = {
    key,
    kernel,
    packages,
    virtualBytes: (await stat(raw)).size,
    fileBytes: (await stat(image)).size,
  }
  await mkdir(dirname(guestImage), { recursive: true })
  await rename(image, guestImage)
  return info
}

async function initramfsOf(tree: string, modules: ModuleSet): Promise<Buffer> {
  const virtio = loadOrder(modules, ['virtio_pci', 'virtio_blk'])
  const other = loadOrder(modules, ['ahci', 'virtio_scsi', 'sd_mod']).filter((name) => !virtio.includes(name))
  const busybox = await readFile(join(tree, 'bin/busybox')).catch(() => readFile(join(tree, 'usr/bin/busybox')))
  const lines = (names: string[]) => Buffer.from(names.map((n) => `${n}\n`).join(''))
  return cpio(
    [
      { path: '/init', mode: 0o755, data: await readFile(join(here, 'initramfs/init')) },
      { path: '/bin/busybox', mode: 0o755, data: busybox },
      { path: '/m/virtio.order', mode: 0o644, data: lines(virtio) },
      { path: '/m/other.order', mode: 0o644, data: lines(other) },
      ...[...virtio, ...other].map((name) => ({
        path: `/m/${name}.ko`,
        mode: 0o644,
        data: modules.get(name)?.data ?? Buffer.alloc(0),
      })),
    ],
    ['/proc', '/sys', '/dev', '/new'],
  )
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { force: { type: 'boolean', default: false } } })
  const started = performance.now()
  const info = await buildGuest(values)
  if (info.built) {
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    console.log(`guest image built in ${seconds} s: Linux ${info.kernel}, ${(info.fileBytes / 2 ** 20).toFixed(1)} MiB`)
  }
}
