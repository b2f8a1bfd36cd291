// A writer of small CD images (ECMA-119), with Rock Ridge names for Linux and Joliet names for Windows.
// Sectors: 16 primary descriptor · 17 Joliet descriptor · 18 end · 19… path tables · folders · files.

const sectorBytes = 2048

export interface IsoFile {
  /** Folders divided by `/`, such as `openstack/latest/user_data`. */
  readonly path: string
  readonly content: string | Uint8Array
}

interface FolderNode {
  readonly kind: 'folder'
  readonly name: string
  readonly isoName: string
  readonly parent: FolderNode | undefined
  readonly children: (FolderNode | FileNode)[]
  number: number
  sector: number
  bytes: number
  jolietSector: number
  jolietBytes: number
}

interface FileNode {
  readonly kind: 'file'
  readonly name: string
  readonly isoName: string
  readonly content: Buffer
  sector: number
}

type View = 'iso' | 'joliet'

/** Builds an image with this volume label. The same input gives the same bytes. */
export function buildIso(label: string, files: readonly IsoFile[], date = new Date(Date.UTC(2020, 0, 1))): Buffer {
  if (!/^[A-Za-z0-9_-]{1,16}$/.test(label))
    throw new Error(`volume label ${JSON.stringify(label)} must be 1 to 16 letters, digits, _ or -`)
  const root = buildTree(files)
  const folders = breadthFirst(root)
  const fileNodes = folders.flatMap(({ children }) => children.filter((node) => node.kind === 'file'))

  const tables = (['iso', 'joliet'] as const).map((view) => ({ view, bytes: pathTable(folders, view, 'LE').length }))
  let sector = 19
  const tableSectors = tables.map(({ view, bytes }) => {
    const at = { view, bytes, little: sector, big: sector + sectorsOf(bytes) }
    sector += 2 * sectorsOf(bytes)
    return at
  })
  for (const folder of folders) {
    folder.bytes = folderRecords(folder, 'iso', date).length
    folder.jolietBytes = folderRecords(folder, 'joliet', date).length
    folder.sector = sector
    folder.jolietSector = sector + sectorsOf(folder.bytes)
    sector = folder.jolietSector + sectorsOf(folder.jolietBytes)
  }
  for (const file of fileNodes) {
    file.sector = sector
    sector += sectorsOf(file.content.length)
  }

  const image = Buffer.alloc(sector * sectorBytes)
  const put = (at: number, data: Buffer) => data.copy(image, at * sectorBytes)
  for (const [index, { view, bytes, little, big }] of tableSectors.entries()) {
    put(16 + index, descriptor(view, label, root, sector, { bytes, little, big }, date))
    put(little, pathTable(folders, view, 'LE'))
    put(big, pathTable(folders, view, 'BE'))
  }
  put(18, Buffer.from([255, ...Buffer.from('CD001'), 1]))
  for (const folder of folders) {
    put(folder.sector, folderRecords(folder, 'iso', date))
    put(folder.jolietSector, folderRecords(folder, 'joliet', date))
  }
  for (const file of fileNodes) put(file.sector, file.content)
  return image
}

function buildTree(files: readonly IsoFile[]): FolderNode {
  const root = newFolder('', '', undefined)
  for (const { path, content } of files) {
    const names = path.split('/')
    let folder = root
    for (const [index, name] of names.entries()) {
      // Joliet has room for 64 characters, a directory record for 255 bytes in all.
      if (!/^[^\p{Cc}/\\:*?";]{1,64}$/u.test(name) || name === '.' || name === '..' || Buffer.byteLength(name) > 120)
        throw new Error(`${JSON.stringify(path)} cannot be a file name on a CD`)
      const existing = folder.children.find((child) => child.name === name)
      if (index === names.length - 1) {
        if (existing) throw new Error(`${JSON.stringify(path)} is given twice`)
        folder.children.push({
          kind: 'file',
          name,
          isoName: `${isoName(name, folder)};1`,
          content: Buffer.from(content),
          sector: 0,
        })
      } else if (existing?.kind === 'file') {
        throw new Error(`${JSON.stringify(path)} needs a folder where there is a file`)
      } else if (existing) {
        folder = existing
      } else {
        const made = newFolder(name, isoName(name, folder).replace('.', ''), folder)
        folder.children.push(made)
        folder = made
      }
    }
  }
  return root
}

function newFolder(name: string, short: string, parent: FolderNode | undefined): FolderNode {
  return {
    kind: 'folder',
    name,
    isoName: short,
    parent,
    children: [],
    number: 0,
    sector: 0,
    bytes: 0,
    jolietSector: 0,
    jolietBytes: 0,
  }
}

/** A name of the strictest level, eight and three characters, unlike the others in the folder. */
function isoName(name: string, folder: FolderNode): string {
  const clean = (text: string) => text.toUpperCase().replace(/[^A-Z0-9_]/g, '_')
  const dot = name.lastIndexOf('.')
  const stem = clean(dot > 0 ? name.slice(0, dot) : name)
  const extension = dot > 0 ? clean(name.slice(dot + 1)).slice(0, 3) : ''
  const taken = new Set(folder.children.map((child) => child.isoName.replace(';1', '')))
  for (let count = 0; ; count++) {
    const suffix = count === 0 ? '' : String(count)
    const candidate = `${stem.slice(0, 8 - suffix.length)}${suffix}.${extension}`
    if (!taken.has(candidate) && !taken.has(candidate.replace('.', ''))) return candidate
  }
}

/** Folders in the order of the path table, which also numbers them: by depth, then parent, then name. */
function breadthFirst(root: FolderNode): FolderNode[] {
  const folders = [root]
  for (let at = 0; at < folders.length; at++) {
    const folder = folders[at]
    if (!folder) break
    folder.number = at + 1
    folder.children.sort((a, b) => (a.isoName < b.isoName ? -1 : 1))
    folders.push(...folder.children.filter((child) => child.kind === 'folder'))
  }
  return folders
}

function identifier(node: FolderNode | FileNode, view: View): Buffer {
  if (view === 'iso') return Buffer.from(node.isoName, 'latin1')
  return Buffer.from(node.kind === 'file' ? `${node.name};1` : node.name, 'utf16le').swap16()
}

function pathTable(folders: readonly FolderNode[], view: View, endian: 'LE' | 'BE'): Buffer {
  const entries = folders.map((folder) => {
    const name = folder.parent ? identifier(folder, view) : Buffer.alloc(1)
    const entry = Buffer.alloc(8 + name.length + (name.length % 2))
    const at = view === 'iso' ? folder.sector : folder.jolietSector
    const parent = folder.parent?.number ?? 1
    entry.writeUInt8(name.length, 0)
    if (endian === 'LE') {
      entry.writeUInt32LE(at, 2)
      entry.writeUInt16LE(parent, 6)
    } else {
      entry.writeUInt32BE(at, 2)
      entry.writeUInt16BE(parent, 6)
    }
    name.copy(entry, 8)
    return entry
  })
  return Buffer.concat(entries)
}

function folderRecords(folder: FolderNode, view: View, date: Date): Buffer {
  const parent = folder.parent ?? folder
  const dot = (of: FolderNode, byte: number, susp: Buffer) =>
    record(Buffer.from([byte]), place(of, view), true, date, susp)
  const self =
    view === 'iso' ? Buffer.concat([...(folder.parent ? [] : [suspStart, suspName]), posix(true)]) : Buffer.alloc(0)
  const records = [
    dot(folder, 0, self),
    dot(parent, 1, view === 'iso' ? posix(true) : Buffer.alloc(0)),
    ...sorted(folder.children, view).map((child) => {
      const isFolder = child.kind === 'folder'
      const at = isFolder ? place(child, view) : { sector: child.sector, bytes: child.content.length }
      const susp = view === 'iso' ? Buffer.concat([posix(isFolder), rockRidgeName(child.name)]) : Buffer.alloc(0)
      return record(identifier(child, view), at, isFolder, date, susp)
    }),
  ]
  // A record may not cross the end of a sector.
  const parts: Buffer[] = []
  let used = 0
  for (const entry of records) {
    const left = sectorBytes - (used % sectorBytes)
    if (entry.length > left) {
      parts.push(Buffer.alloc(left))
      used += left
    }
    parts.push(entry)
    used += entry.length
  }
  parts.push(Buffer.alloc(sectorsOf(used) * sectorBytes - used))
  return Buffer.concat(parts)
}

function sorted<T extends FolderNode | FileNode>(nodes: readonly T[], view: View): T[] {
  return nodes.toSorted((a, b) => Buffer.compare(identifier(a, view), identifier(b, view)))
}

function place(folder: FolderNode, view: View): { sector: number; bytes: number } {
  return view === 'iso'
    ? { sector: folder.sector, bytes: folder.bytes }
    : { sector: folder.jolietSector, bytes: folder.jolietBytes }
}

function record(
  name: Buffer,
  at: { sector: number; bytes: number },
  folder: boolean,
  date: Date,
  susp: Buffer,
): Buffer {
  const nameEnd = 33 + name.length + ((name.length + 1) % 2)
  const entry = Buffer.alloc(nameEnd + susp.length + (susp.length % 2))
  entry.writeUInt8(entry.length, 0)
  both32(entry, 2, at.sector)
  both32(entry, 10, at.bytes)
  shortDate(date).copy(entry, 18)
  entry.writeUInt8(folder ? 2 : 0, 25)
  both16(entry, 28, 1)
  entry.writeUInt8(name.length, 32)
  name.copy(entry, 33)
  susp.copy(entry, nameEnd)
  return entry
}

// System Use Sharing Protocol: says that the fields below are meant.
const suspStart = Buffer.from([0x53, 0x50, 7, 1, 0xbe, 0xef, 0])
const suspName = Buffer.concat([Buffer.from([0x45, 0x52, 18, 1, 10, 0, 0, 1]), Buffer.from('RRIP_1991A')])

function posix(folder: boolean): Buffer {
  const entry = Buffer.alloc(36)
  entry.write('PX')
  entry.writeUInt8(36, 2)
  entry.writeUInt8(1, 3)
  both32(entry, 4, folder ? 0o040555 : 0o100444)
  both32(entry, 12, folder ? 2 : 1)
  return entry
}

function rockRidgeName(name: string): Buffer {
  const bytes = Buffer.from(name)
  return Buffer.concat([Buffer.from([0x4e, 0x4d, 5 + bytes.length, 1, 0]), bytes])
}

function descriptor(
  view: View,
  label: string,
  root: FolderNode,
  sectors: number,
  table: { bytes: number; little: number; big: number },
  date: Date,
): Buffer {
  const joliet = view === 'joliet'
  const text = (value: string, length: number) =>
    joliet
      ? Buffer.from(value.padEnd(length / 2, ' '), 'utf16le').swap16()
      : Buffer.from(value.padEnd(length, ' '), 'latin1')
  const data = Buffer.alloc(sectorBytes)
  data.writeUInt8(joliet ? 2 : 1, 0)
  data.write('CD001', 1)
  data.writeUInt8(1, 6)
  text('LINUX', 32).copy(data, 8)
  text(label, 32).copy(data, 40)
  both32(data, 80, sectors)
  if (joliet) data.write('%/E', 88) // UCS-2 level 3
  both16(data, 120, 1)
  both16(data, 124, 1)
  both16(data, 128, sectorBytes)
  both32(data, 132, table.bytes)
  data.writeUInt32LE(table.little, 140)
  data.writeUInt32BE(table.big, 148)
  record(Buffer.alloc(1), place(root, view), true, date, Buffer.alloc(0)).copy(data, 156)
  text('', 623 - 1).copy(data, 190) // set, publisher, preparer, application, three file names
  for (const at of [813, 830]) longDate(date).copy(data, at)
  for (const at of [847, 864]) Buffer.from('0'.repeat(16)).copy(data, at)
  data.writeUInt8(1, 881)
  return data
}

function shortDate(date: Date): Buffer {
  return Buffer.from([
    date.getUTCFullYear() - 1900,
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
    0,
  ])
}

function longDate(date: Date): Buffer {
  const digits = date.toISOString().replace(/\D/g, '').slice(0, 14)
  return Buffer.concat([Buffer.from(`${digits}00`), Buffer.alloc(1)])
}

function both32(buffer: Buffer, at: number, value: number): void {
  buffer.writeUInt32LE(value, at)
  buffer.writeUInt32BE(value, at + 4)
}

function both16(buffer: Buffer, at: number, value: number): void {
  buffer.writeUInt16LE(value, at)
  buffer.writeUInt16BE(value, at + 2)
}

function sectorsOf(bytes: number): number {
  return Math.ceil(bytes / sectorBytes)
}
