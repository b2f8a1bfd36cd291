/** Fills the guest's root file system: own files, programs with their libraries, kernel modules. */
import { execFile } from 'node:child_process'
import { chmod, copyFile, cp, mkdir, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { dependenciesOf } from './elf.ts'
import { loadOrder, type ModuleSet } from './modules.ts'

const run = promisify(execFile)

const DIRECTORIES = [
  ...['bin', 'sbin', 'usr/bin', 'usr/sbin', 'lib/modules', 'lib64', 'etc', 'root', 'home', 'mnt', 'opt', 'srv'],
  ...['dev', 'proc', 'sys', 'run', 'tmp', 'var/lib', 'var/log', 'var/tmp'],
]
/** Programs taken from packages, and where the guest has them. */
const PROGRAMS = { 'qemu-ga': 'usr/sbin', mke2fs: 'sbin', perl: 'usr/bin' }
/** Applets that an own program or script stands in for. */
const NOT_APPLETS = new Set(['busybox', 'mke2fs', 'init', 'poweroff', 'reboot', 'halt'])

export interface RootParts {
  root: string
  /** All packages, unpacked over each other. */
  tree: string
  modules: ModuleSet
  ownFiles: string
}

/** Writes the whole tree of the root file system below `root`. */
export async function fillRoot({ root, tree, modules, ownFiles }: RootParts): Promise<void> {
  await rm(root, { recursive: true, force: true })
  for (const d of DIRECTORIES) await mkdir(join(root, d), { recursive: true })
  await symlink('../run', join(root, 'var/run'))
  await cp(ownFiles, root, { recursive: true })
  // Git keeps no more than one bit of a mode, an archive of the sources perhaps not even that.
  for (const d of ['etc/init.d', 'etc/acpi/PWRF', 'etc/qemu', 'etc/udhcpc', 'sbin', 'usr/bin'])
    for (const f of await readdir(join(root, d))) await chmod(join(root, d, f), 0o755)

  const files = await index(tree)
  await busybox(root, files)
  await programs(root, files)
  const boot = loadOrder(modules, ['virtio_pci', 'virtio_blk', 'virtio_console', 'evdev', 'button'])
  const all = loadOrder(modules, [...modules.keys()])
  // The initramfs has loaded what a disk needs.
  const early = loadOrder(modules, ['virtio_pci', 'virtio_blk'])
  const order = (names: string[]) => `${names.join('\n')}\n`
  for (const [name, { data }] of modules) await writeFile(join(root, 'lib/modules', `${name}.ko`), data)
  await writeFile(join(root, 'lib/modules/boot.order'), order(boot.filter((m) => !early.includes(m))))
  await writeFile(join(root, 'lib/modules/late.order'), order(all.filter((m) => !boot.includes(m))))
  await writeFile(join(root, 'etc/passwd'), 'root::0:0:root:/root:/bin/sh\n')
  await writeFile(join(root, 'etc/group'), 'root:x:0:\n')
  await writeFile(join(root, 'etc/hostname'), 'guest\n')
}

/** Every file of the packages by its last name; several paths when a name occurs more than once. */
async function index(tree: string): Promise<(name: string, where?: RegExp) => string> {
  const byName = new Map<string, string[]>()
  for (const f of await readdir(tree, { recursive: true, withFileTypes: true }))
    if (!f.isDirectory()) byName.set(f.name, [...(byName.get(f.name) ?? []), join(f.parentPath, f.name)])
  return (name, where = /./) => {
    const found = byName.get(name)?.find((path) => where.test(path.slice(tree.length)))
    if (!found) throw new Error(`none of the packages holds ${name}; does a package's library come from elsewhere?`)
    return found
  }
}

type Find = Awaited<ReturnType<typeof index>>

async function busybox(root: string, find: Find): Promise<void> {
  const from = find('busybox', /bin\/busybox$/)
  await copyFile(from, join(root, 'bin/busybox'))
  const { stdout } = await run(from, ['--list'])
  for (const applet of stdout.split('\n').filter((a) => a !== '' && !NOT_APPLETS.has(a)))
    await symlink('busybox', join(root, 'bin', applet))
  for (const applet of ['init', 'poweroff', 'reboot', 'halt'])
    await symlink('../bin/busybox', join(root, 'sbin', applet))
}

async function programs(root: string, find: Find): Promise<void> {
  const queue: string[] = []
  for (const [name, dir] of Object.entries(PROGRAMS)) {
    const from = find(name, /bin\//)
    await copyFile(from, join(root, dir, name))
    queue.push(from)
  }
  const libraries = join(root, 'lib/x86_64-linux-gnu')
  await mkdir(libraries, { recursive: true })
  const done = new Set<string>()
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const { needed, loader } = dependenciesOf(await readFile(file))
    if (loader && !done.has(loader)) {
      done.add(loader)
      await mkdir(dirname(join(root, loader)), { recursive: true })
      await copyFile(await realpath(find(basename(loader))), join(root, loader))
    }
    for (const library of needed.filter((l) => !done.has(l) && !l.startsWith('ld-linux'))) {
      done.add(library)
      const from = await realpath(find(library))
      await copyFile(from, join(libraries, library))
      queue.push(from)
    }
  }
  // All of perl's library that the sequence writer asks for.
  const perlLibrary = join(root, 'usr/lib/x86_64-linux-gnu/perl-base')
  await mkdir(perlLibrary, { recursive: true })
  await copyFile(find('strict.pm', /perl-base\//), join(perlLibrary, 'strict.pm'))
}
