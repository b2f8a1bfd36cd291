// The layout of an empty qcow2 image of version 3 (docs/interop/qcow2.txt of QEMU):
// cluster 0 header, extensions, backing file name · 1 refcount table · 2 refcount block · 3… L1 table.

const clusterBits = 16
const clusterBytes = 2 ** clusterBits
/** With subclusters an L2 entry has 16 bytes: half as many fit into a table. */
const bytesPerL2Table = (clusterBytes / 16) * clusterBytes
const maxL1Bytes = 32 * 1024 * 1024
const headerBytes = 112
const extendedL2 = 1n << 4n

const featureTypes = { incompatible: 0, compatible: 1, autoclear: 2 } as const
const featureNames: readonly (readonly [type: number, bit: number, name: string])[] = [
  [featureTypes.incompatible, 0, 'dirty bit'],
  [featureTypes.incompatible, 1, 'corrupt bit'],
  [featureTypes.incompatible, 2, 'external data file'],
  [featureTypes.incompatible, 3, 'compression type'],
  [featureTypes.incompatible, 4, 'extended L2 entries'],
  [featureTypes.compatible, 0, 'lazy refcounts'],
  [featureTypes.autoclear, 0, 'bitmaps'],
  [featureTypes.autoclear, 1, 'raw external data'],
]

export interface NewOverlay {
  readonly backingPath: string
  readonly backingFormat: 'raw' | 'qcow2'
  readonly sizeBytes: number
}

/** The bytes of a new overlay; what is between the parts is zero. */
export function newOverlayBytes({ backingPath, backingFormat, sizeBytes }: NewOverlay): {
  parts: { offset: number; data: Buffer }[]
  length: number
} {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes % 512 !== 0)
    throw new Error(`an overlay of ${sizeBytes} bytes is not possible: the size must be a multiple of 512`)
  const name = Buffer.from(backingPath)
  if (name.length === 0 || name.length > 1023 || name.includes(0))
    throw new Error(`the backing file's path must have 1 to 1023 bytes, not ${name.length}`)
  const l1Entries = Math.ceil(sizeBytes / bytesPerL2Table)
  if (l1Entries * 8 > maxL1Bytes) throw new Error(`an overlay of ${sizeBytes} bytes is larger than qcow2 allows`)
  const l1Clusters = Math.ceil((l1Entries * 8) / clusterBytes)

  const extensions = [
    extension(0xe2792aca, Buffer.from(backingFormat)),
    extension(0x6803f857, Buffer.concat(featureNames.map(featureName))),
    extension(0, Buffer.alloc(0)),
  ]
  const nameOffset = headerBytes + extensions.reduce((sum, { length }) => sum + length, 0)
  const header = Buffer.alloc(headerBytes)
  header.writeUInt32BE(0x514649fb, 0)
  header.writeUInt32BE(3, 4)
  header.writeBigUInt64BE(BigInt(nameOffset), 8)
  header.writeUInt32BE(name.length, 16)
  header.writeUInt32BE(clusterBits, 20)
  header.writeBigUInt64BE(BigInt(sizeBytes), 24)
  header.writeUInt32BE(l1Entries, 36)
  header.writeBigUInt64BE(BigInt(3 * clusterBytes), 40)
  header.writeBigUInt64BE(BigInt(clusterBytes), 48)
  header.writeUInt32BE(1, 56)
  header.writeBigUInt64BE(extendedL2, 72)
  header.writeUInt32BE(4, 96) // a refcount has 2^4 bits
  header.writeUInt32BE(headerBytes, 100)

  const refcountTable = Buffer.alloc(8)
  refcountTable.writeBigUInt64BE(BigInt(2 * clusterBytes))
  const refcounts = Buffer.alloc(2 * (3 + l1Clusters))
  for (let at = 0; at < refcounts.length; at += 2) refcounts.writeUInt16BE(1, at)
  return {
    parts: [
      { offset: 0, data: Buffer.concat([header, ...extensions, name]) },
      { offset: clusterBytes, data: refcountTable },
      { offset: 2 * clusterBytes, data: refcounts },
    ],
    length: 3 * clusterBytes + l1Entries * 8,
  }
}

function extension(type: number, data: Buffer): Buffer {
  const padded = Buffer.alloc(8 + Math.ceil(data.length / 8) * 8)
  padded.writeUInt32BE(type, 0)
  padded.writeUInt32BE(data.length, 4)
  data.copy(padded, 8)
  return padded
}

function featureName([type, bit, name]: readonly [number, number, string]): Buffer {
  const entry = Buffer.alloc(48)
  entry.writeUInt8(type, 0)
  entry.writeUInt8(bit, 1)
  entry.write(name, 2)
  return entry
}
