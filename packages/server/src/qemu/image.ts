import { type FileHandle, open, readFile } from 'node:fs/promises'

const mib = 1024 * 1024

/** What a disk image says about itself in its first bytes. */
export interface ImageInfo {
  readonly format: 'raw' | 'qcow2'
  readonly virtualSizeBytes: number
  /** As written in the header: a path, a URL or a JSON description. Never to be opened unasked. */
  readonly backingFile?: string
  readonly backingFormat?: string
  /** Contents lie in another file; its name where the header gives one. */
  readonly dataFile?: string
  readonly encrypted?: boolean
}

/** An image that cannot be used, with what to do about it. */
export class ImageError extends Error {
  override readonly name = 'ImageError'
  readonly path: string

  constructor(path: string, problem: string, options?: ErrorOptions) {
    super(`image ${path}: ${problem}`, options)
    this.path = path
  }
}

// Formats we do not open. They are told from raw by their first bytes, so that a user who hands one over hears so
// instead of getting a disk full of it.
const otherFormats: readonly (readonly [magic: string, name: string])[] = [
  ['KDMV', 'VMDK'],
  ['COWD', 'VMDK'],
  ['# Disk DescriptorFile', 'VMDK'],
  ['vhdxfile', 'VHDX'],
  ['conectix', 'VHD'],
  ['QED\0', 'QED'],
  ['LUKS\xba\xbe', 'LUKS'],
  ['<<< Oracle VM VirtualBox', 'VDI'],
  ['<<< Sun VirtualBox', 'VDI'],
]

/** Reads an image's format and size from at most its first 2 MiB, without running or following anything. */
export async function probeImage(path: string): Promise<ImageInfo> {
  const file = await open(path, 'r')
  try {
    const head = await readAt(file, 0, 4096)
    if (isQcow2(head)) {
      // Everything of interest lies in the first cluster, which is 2 MiB at most.
      return readQcow2Header(path, await readAt(file, 0, 2 * mib))
    }
    const text = head.toString('latin1')
    const other = otherFormats.find(([magic]) => text.startsWith(magic))
    if (other)
      throw new ImageError(
        path,
        `is a ${other[1]} image; convert it first: qemu-img convert -O qcow2 <image> <new image>`,
      )
    return { format: 'raw', virtualSizeBytes: await contentSize(file) }
  } finally {
    await file.close()
  }
}

/**
 * Refuses an image that points to other files: opening it could show the guest any file of this machine. Returns
 * what it is otherwise.
 */
export async function refuseReferences(path: string): Promise<ImageInfo> {
  const info = await probeImage(path)
  if (info.dataFile !== undefined)
    throw new ImageError(path, 'keeps its data in another file; flatten it first: qemu-img convert -O qcow2')
  if (info.backingFile !== undefined)
    throw new ImageError(
      path,
      `stands on a backing file (${JSON.stringify(info.backingFile.slice(0, 200))}); flatten it first: qemu-img convert -O qcow2`,
    )
  return info
}

function isQcow2(head: Buffer): boolean {
  return head.length >= 4 && head.readUInt32BE(0) === 0x514649fb
}

const extensions = { end: 0, backingFormat: 0xe2792aca, dataFile: 0x44415441 } as const
const incompatibleDataFile = 1n << 2n

/** Reads a qcow2 header from the start of an image. Throws `ImageError` for anything it cannot vouch for. */
export function readQcow2Header(path: string, head: Buffer): ImageInfo {
  const broken = (problem: string) => new ImageError(path, `its qcow2 header is damaged: ${problem}`)
  if (head.length < 72 || !isQcow2(head)) throw broken('too short')
  const version = head.readUInt32BE(4)
  if (version !== 2 && version !== 3) throw broken(`version ${version}`)
  if (version === 3 && head.length < 104) throw broken('too short')
  const backingOffset = head.readBigUInt64BE(8)
  const backingLength = head.readUInt32BE(16)
  const clusterBits = head.readUInt32BE(20)
  const size = head.readBigUInt64BE(24)
  const encryption = head.readUInt32BE(32)
  const incompatible = version === 3 ? head.readBigUInt64BE(72) : 0n
  const headerLength = version === 3 ? head.readUInt32BE(100) : 72
  if (clusterBits < 9 || clusterBits > 21) throw broken(`clusters of 2^${clusterBits} bytes`)
  const clusterBytes = 2 ** clusterBits
  if (headerLength < (version === 3 ? 104 : 72) || headerLength > clusterBytes)
    throw broken(`a header of ${headerLength} bytes`)
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw broken(`a size of ${size} bytes`)

  const found = readExtensions(head, headerLength, Math.min(clusterBytes, head.length))
  if (!found) throw broken('its extensions do not end')
  const info: { -readonly [K in keyof ImageInfo]: ImageInfo[K] } = { format: 'qcow2', virtualSizeBytes: Number(size) }
  if (encryption !== 0) info.encrypted = true
  if (incompatible & incompatibleDataFile) info.dataFile = found.get(extensions.dataFile) ?? ''
  if (backingOffset !== 0n) {
    const end = backingOffset + BigInt(backingLength)
    if (backingLength === 0 || backingLength > 1023 || end > BigInt(Math.min(clusterBytes, head.length)))
      throw broken('the name of its backing file lies outside')
    info.backingFile = head.toString('utf8', Number(backingOffset), Number(end))
    const format = found.get(extensions.backingFormat)
    if (format !== undefined) info.backingFormat = format
  }
  return info
}

function readExtensions(head: Buffer, start: number, end: number): Map<number, string> | undefined {
  const found = new Map<number, string>()
  for (let at = start; at + 8 <= end; ) {
    const type = head.readUInt32BE(at)
    const length = head.readUInt32BE(at + 4)
    if (type === extensions.end) return found
    if (at + 8 + length > end) return undefined
    found.set(type, head.toString('utf8', at + 8, at + 8 + length))
    at += 8 + Math.ceil(length / 8) * 8
  }
  // Version 2 images from before extensions end with the header, at a cluster that is full of zeros or of nothing.
  return found
}

async function contentSize(file: FileHandle): Promise<number> {
  const stat = await file.stat()
  if (!stat.isBlockDevice()) return stat.size
  // A device has no size of its own as a file. Linux packs its numbers as 12 bits of major between two parts of minor.
  const major = Math.floor(stat.rdev / 256) % 4096
  const minor = (stat.rdev % 256) + Math.floor(stat.rdev / 2 ** 20) * 256
  return Number(await readFile(`/sys/dev/block/${major}:${minor}/size`, 'utf8')) * 512
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}
