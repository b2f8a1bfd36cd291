/** Kernel modules: found in an unpacked kernel package, put into the order in which they need each other. */
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { moduleDependencies, moduleName } from './elf.ts'

const run = promisify(execFile)

export interface Module {
  data: Buffer
  depends: string[]
}
export type ModuleSet = Map<string, Module>

/**
 * What the guest can use. A module the kernel has built in, or does not have, is left out: bookworm's cloud kernel,
 * for one, has no ahci, so its guest sees no SATA disk.
 */
const WANTED = [
  ...['virtio_pci', 'virtio_blk', 'virtio_console', 'evdev', 'button'],
  ...['virtio_net', 'virtio_rng', 'virtio_balloon', 'virtio_scsi', 'sd_mod', 'sr_mod', 'ahci', 'isofs'],
]

/** The wanted modules with all they depend on, unpacked. */
export async function moduleSet(tree: string, kernel: string): Promise<ModuleSet> {
  const files = new Map<string, string>()
  for (const base of ['lib/modules', 'usr/lib/modules']) {
    const dir = join(tree, base, kernel)
    const found = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => [])
    for (const f of found)
      if (f.isFile() && /\.ko(\.\w+)?$/.test(f.name)) files.set(moduleName(f.name), join(f.parentPath, f.name))
  }
  if (files.size === 0) throw new Error(`the package of kernel ${kernel} holds no modules`)

  const set: ModuleSet = new Map()
  const queue = [...WANTED]
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    const file = files.get(name)
    if (!file || set.has(name)) continue
    const data = await unpacked(file, tree)
    const depends = moduleDependencies(data)
    set.set(name, { data, depends })
    queue.push(...depends)
  }
  for (const needed of ['virtio_blk', 'virtio_pci'])
    if (!set.has(needed)) throw new Error(`kernel ${kernel} has no module ${needed}`)
  return set
}

/** Bookworm's modules are plain, later ones are packed; busybox is at hand for that. */
async function unpacked(file: string, tree: string): Promise<Buffer> {
  if (file.endsWith('.ko')) return await readFile(file)
  if (!file.endsWith('.ko.xz')) throw new Error(`${file}: unknown packing of a kernel module`)
  const busybox = join(tree, 'usr/bin/busybox')
  const { stdout } = await run(busybox, ['xzcat', file], { encoding: 'buffer', maxBuffer: 64 << 20 })
  return stdout
}

/** `names` and what they need, each after its own needs. Names not in the set are left out. */
export function loadOrder(set: ModuleSet, names: string[]): string[] {
  const order: string[] = []
  const visit = (name: string) => {
    const module = set.get(name)
    if (!module || order.includes(name)) return
    for (const need of module.depends) visit(need)
    order.push(name)
  }
  for (const name of names) visit(name)
  return order
}
