/** Reads what the guest builder must know of ELF files: which libraries a program needs, which modules a module needs. */

const PT_LOAD = 1
const PT_DYNAMIC = 2
const PT_INTERP = 3
const DT_NULL = 0n
const DT_NEEDED = 1n
const DT_STRTAB = 5n

interface Segment {
  type: number
  offset: number
  address: bigint
  size: number
}

function segments(elf: Buffer): Segment[] {
  if (elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1)
    throw new Error('not a 64-bit little-endian ELF file')
  const start = Number(elf.readBigUInt64LE(32))
  const entrySize = elf.readUInt16LE(54)
  const count = elf.readUInt16LE(56)
  return Array.from({ length: count }, (_, i) => {
    const at = start + i * entrySize
    return {
      type: elf.readUInt32LE(at),
      offset: Number(elf.readBigUInt64LE(at + 8)),
      address: elf.readBigUInt64LE(at + 16),
      size: Number(elf.readBigUInt64LE(at + 32)),
    }
  })
}

function stringAt(bytes: Buffer, offset: number): string {
  return bytes.toString('latin1', offset, bytes.indexOf(0, offset))
}

/** The libraries (DT_NEEDED) and the loader (PT_INTERP, an absolute path) of a program or library. */
export function dependenciesOf(elf: Buffer): { needed: string[]; loader?: string } {
  const all = segments(elf)
  const interp = all.find((s) => s.type === PT_INTERP)
  const loader = interp ? { loader: stringAt(elf, interp.offset) } : {}
  const dynamic = all.find((s) => s.type === PT_DYNAMIC)
  if (!dynamic) return { needed: [], ...loader }

  const nameOffsets: number[] = []
  let tableAddress = 0n
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 16) {
    const tag = elf.readBigUInt64LE(at)
    const value = elf.readBigUInt64LE(at + 8)
    if (tag === DT_NULL) break
    if (tag === DT_NEEDED) nameOffsets.push(Number(value))
    if (tag === DT_STRTAB) tableAddress = value
  }
  const home = all.find(
    (s) => s.type === PT_LOAD && tableAddress >= s.address && tableAddress < s.address + BigInt(s.size),
  )
  if (!home) throw new Error('ELF file without a string table in any segment')
  const table = home.offset + Number(tableAddress - home.address)
  return { needed: nameOffsets.map((o) => stringAt(elf, table + o)), ...loader }
}

/** The `depends=` line in a kernel module's .modinfo: names of the modules to load before it. */
export function moduleDependencies(module: Buffer): string[] {
  const key = Buffer.from('\0depends=')
  const at = module.indexOf(key)
  if (at < 0) return []
  return stringAt(module, at + key.length)
    .split(',')
    .filter((name) => name !== '')
    .map(moduleName)
}

/** The kernel takes - and _ in a module's name for the same letter. */
export function moduleName(file: string): string {
  return file.replace(/\.ko(\.\w+)?$/, '').replaceAll('-', '_')
}
