import type { Layer, VolumeRow } from './catalogue.ts'
import type { LayerFiles } from './layer-file.ts'

/** Options of one `blockdev-add`. */
export interface BlockNode {
  driver: 'qcow2'
  'node-name': string
  'read-only': boolean
  discard: 'unmap' | 'ignore'
  cache: { direct: boolean }
  backing: string | null
  file: {
    driver: 'file'
    'node-name': string
    filename: string
    aio: 'native' | 'threads'
    cache: { direct: boolean }
  }
}

/**
 * A layer's node in a QEMU. The volume is part of the name since two volumes of one machine may share layers.
 * At most 25 characters; with the file node's two more that is below QEMU's limit of 31.
 */
export function nodeName(volume: Pick<VolumeRow, 'tag'>, layer: string): string {
  return `${volume.tag}-${layer}`
}

/** Whether a node is one of this volume's. */
export function isNodeOf(volume: Pick<VolumeRow, 'tag'>, name: string): boolean {
  return name.startsWith(`${volume.tag}-`)
}

/** How QEMU opens one layer, over `backing` or over nothing. */
export function blockNode(
  volume: Pick<VolumeRow, 'tag'>,
  layer: Pick<Layer, 'id' | 'file'>,
  { backing, writable }: { backing: string | null; writable: boolean },
  { files, directIo }: { files: LayerFiles; directIo: boolean },
): BlockNode {
  const name = nodeName(volume, layer.id)
  const cache = { direct: directIo }
  return {
    driver: 'qcow2',
    'node-name': name,
    'read-only': !writable,
    discard: writable ? 'unmap' : 'ignore',
    cache,
    backing,
    file: {
      driver: 'file',
      'node-name': `${name}-f`,
      filename: files.path(layer.file),
      // Linux' native interface works only around the page cache.
      aio: directIo ? 'native' : 'threads',
      cache,
    },
  }
}
