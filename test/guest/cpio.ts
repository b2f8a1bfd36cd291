/** Writes an initramfs: a cpio archive in the "newc" form, the one the kernel unpacks. */

export interface CpioFile {
  /** Absolute path in the initramfs. Directories above it are added by themselves. */
  path: string
  mode: number
  data: Buffer
}

const DIRECTORY = 0o040755
const REGULAR = 0o100000
const CONSOLE_DEVICE = 0o020600

/** `directories`: empty ones wanted as mount points. A /dev/console is always put in, since init's output needs it. */
export function cpio(files: CpioFile[], directories: string[]): Buffer {
  const parts: Buffer[] = []
  const made = new Set<string>()
  let inode = 0

  const pad = (length: number) => Buffer.alloc((4 - (length % 4)) % 4)
  function entry(path: string, mode: number, data: Buffer = Buffer.alloc(0), device: [number, number] = [0, 0]) {
    const name = Buffer.from(`${path.replace(/^\//, '')}\0`)
    inode += 1
    const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, device[0], device[1], name.length, 0]
    const header = Buffer.from(`070701${fields.map((f) => f.toString(16).toUpperCase().padStart(8, '0')).join('')}`)
    parts.push(header, name, pad(header.length + name.length), data, pad(data.length))
  }
  function directory(path: string) {
    if (path === '' || made.has(path)) return
    directory(path.slice(0, path.lastIndexOf('/')))
    made.add(path)
    entry(path, DIRECTORY)
  }

  for (const path of directories) directory(path)
  directory('/dev')
  entry('/dev/console', CONSOLE_DEVICE, Buffer.alloc(0), [5, 1])
  for (const file of files) {
    directory(file.path.slice(0, file.path.lastIndexOf('/')))
    entry(file.path, REGULAR | file.mode, file.data)
  }
  entry('TRAILER!!!', 0)
  return Buffer.concat(parts)
}
