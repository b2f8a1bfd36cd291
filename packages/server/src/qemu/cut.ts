import { open } from 'node:fs/promises'
import { supportsDirectIo } from './direct-io.ts'
import type { QmpExecutor } from './qmp.ts'
import { checked, checkedPath } from './spec.ts'

// Before the cut:  device ─► node          overlay (added, backing: null, nobody uses it)
// After it:        device ─► overlay ─► node (from now on read only)

/** One node as `query-named-block-nodes {flat: true}` tells it; the part we read. */
export interface BlockNodeInfo {
  readonly name: string
  /** Of the file that holds this layer; undefined where it is none. */
  readonly path: string | undefined
  readonly readOnly: boolean
  readonly direct: boolean
  readonly virtualSizeBytes: number
  /** A layer lies below it in the graph, whatever its header names. Not so for an overlay that was added and not used. */
  readonly hasBacking: boolean
}

/** All block nodes of a QEMU. Flat: otherwise the answer grows with the square of the chain's length. */
export async function listBlockNodes(qmp: QmpExecutor): Promise<Map<string, BlockNodeInfo>> {
  const nodes = await qmp.execute<
    {
      'node-name': string
      file: string
      ro: boolean
      cache: { direct: boolean }
      // The depth beside it is always 0 in a flat answer.
      backing_file?: string
      image: { 'virtual-size': number }
    }[]
  >('query-named-block-nodes', { flat: true })
  return new Map(
    nodes.map((node) => [
      node['node-name'],
      {
        name: node['node-name'],
        path: pathOf(node.file),
        readOnly: node.ro,
        direct: node.cache.direct,
        virtualSizeBytes: node.image['virtual-size'],
        hasBacking: node.backing_file !== undefined,
      },
    ]),
  )
}

/** QEMU names a node by its path, or, when its options say more, by all of them as JSON. */
function pathOf(file: string): string | undefined {
  if (!file.startsWith('json:')) return file.startsWith('/') ? file : undefined
  let options: unknown = JSON.parse(file.slice('json:'.length))
  while (typeof options === 'object' && options !== null) {
    if ('filename' in options && typeof options.filename === 'string') return options.filename
    options = 'file' in options ? options.file : undefined
  }
  return undefined
}

export interface OverlayToPrepare {
  /** The disk's active layer. */
  readonly node: string
  /** Name of the node to add. */
  readonly overlay: string
  /** Of the overlay's file, made by `createOverlay`. */
  readonly path: string
}

/**
 * Opens an overlay in QEMU, ready for `cutAll`. Everything slow about a cut happens here, outside of any freeze. An
 * overlay that was prepared already is left as it is.
 */
export async function prepareOverlay(qmp: QmpExecutor, { node, overlay, path }: OverlayToPrepare): Promise<void> {
  checked('overlay', overlay, 'nodeName')
  checkedPath('path', path)
  const before = await listBlockNodes(qmp)
  const active = before.get(node)
  if (!active) throw new Error(`block node ${node} is not open in this QEMU`)
  if (!before.has(overlay)) {
    const direct = await supportsDirectIo(path)
    await qmp.execute('blockdev-add', {
      driver: 'qcow2',
      'node-name': overlay,
      // The layer below is locked by its present user; it becomes the backing file by the cut.
      backing: null,
      discard: 'unmap',
      cache: { direct },
      file: { driver: 'file', filename: path, discard: 'unmap', cache: { direct }, aio: direct ? 'native' : 'threads' },
    })
  }
  const added = (await listBlockNodes(qmp)).get(overlay)
  // QEMU itself would take it, and the guest's disk would change its size.
  if (added?.virtualSizeBytes !== active.virtualSizeBytes) {
    await qmp.execute('blockdev-del', { 'node-name': overlay })
    throw new Error(
      `overlay ${path} has ${added?.virtualSizeBytes} bytes, the disk ${node} ${active.virtualSizeBytes}: they must be equal`,
    )
  }
}

/** Closes an overlay that was prepared and not used. */
export async function dropPrepared(qmp: QmpExecutor, overlay: string): Promise<void> {
  if ((await listBlockNodes(qmp)).has(overlay)) await qmp.execute('blockdev-del', { 'node-name': overlay })
}

/**
 * Writes out what the host's page cache holds of these layers. The cut flushes them while the guest waits: with
 * caching on that took up to 0.3 s, after this a few milliseconds. To be called right before the freeze.
 */
export async function flushBeforeCut(qmp: QmpExecutor, nodes: readonly string[]): Promise<void> {
  const known = await listBlockNodes(qmp)
  await Promise.all(
    nodes.map(async (name) => {
      const node = known.get(name)
      if (!node || node.direct || node.path === undefined) return
      const file = await open(node.path, 'r')
      try {
        await file.datasync()
      } finally {
        await file.close()
      }
    }),
  )
}

export interface CutResult {
  readonly startedAt: Date
  readonly endedAt: Date
}

/** Cuts all disks at one instant, or none: one transaction, during which no write is on its way. */
export async function cutAll(
  qmp: QmpExecutor,
  cuts: readonly { readonly node: string; readonly overlay: string }[],
  { timeoutMs = 10_000 }: { timeoutMs?: number } = {},
): Promise<CutResult> {
  const actions = cuts.map(({ node, overlay }) => ({ type: 'blockdev-snapshot', data: { node, overlay } }))
  const startedAt = new Date()
  await qmp.execute('transaction', { actions }, { timeoutMs })
  return { startedAt, endedAt: new Date() }
}

/**
 * Whether the cut that was to put this overlay on its disk has happened: then a layer lies below it. Answers what a
 * server that crashed during a cut, or got no reply, has to know before it repeats it.
 */
export async function isCut(qmp: QmpExecutor, overlay: string): Promise<boolean> {
  return (await listBlockNodes(qmp)).get(overlay)?.hasBacking ?? false
}
