import { existsSync, type FSWatcher, readFileSync, renameSync, statSync, watch, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { type BlockNode, blockNode, nodeName } from './block-nodes.ts'
import type { Publication, VolumeRow } from './catalogue.ts'
import type { StoreContext } from './context.ts'
import type { Monitor } from './monitors.ts'
import { explain, Refusal } from './refusal.ts'

export const publicationFormat = 'stillpoint.dev/layered-volume/v1'

/** What is found at the target path of a published volume. */
export interface PublishedVolume {
  format: typeof publicationFormat
  volumeId: string
  sizeBytes: number
  /** Options for `blockdev-add`, in this order: each one stands on the one before. */
  nodes: BlockNode[]
  /** The node to give to a device. */
  top: string
  topPath: string
  /** Where whoever opens the nodes in a QEMU writes `{"qmpSocket": "/path"}`. */
  monitorFile: string
  /** Exists while somebody fills the volume by other means than a QEMU: it cannot be cut then. */
  fillingFile: string
}

/** Whether and how a volume is in use right now. */
export type Openness =
  | { state: 'closed' }
  | { state: 'filling'; marker: string }
  | { state: 'open'; monitor: Monitor }
  | { state: 'unclear'; reason: string }

// A QEMU makes its sockets first of all, well within a second even on a busy machine.
const startingMs = 10_000

export const monitorFile = (target: string) => `${target}.monitor`
export const fillingFile = (target: string) => `${target}.filling`

/** Describes a volume as a QEMU opens it. */
export function describe(context: StoreContext, volume: VolumeRow, { target, readonly }: Publication): PublishedVolume {
  const nodes: BlockNode[] = []
  let backing: string | null = null
  for (const layer of context.catalogue.chain(volume.top).reverse()) {
    nodes.push(blockNode(volume, layer, { backing, writable: layer.id === volume.top && !readonly }, context))
    backing = nodeName(volume, layer.id)
  }
  return {
    format: publicationFormat,
    volumeId: volume.id,
    sizeBytes: volume.size,
    nodes,
    top: nodeName(volume, volume.top),
    topPath: context.files.path(context.catalogue.layer(volume.top).file),
    monitorFile: monitorFile(target),
    fillingFile: fillingFile(target),
  }
}

/**
 * Writes the description anew if the volume is published. A crash before it is made good at the next start.
 * Synchronous since it happens inside a freeze: a hop to the thread pool and back takes longer than a small file.
 */
export function refreshDescription(context: StoreContext, volumeId: string): void {
  const volume = context.catalogue.volume(volumeId)
  if (volume) writeDescription(context, volume)
}

/**
 * Tells whoever opens a closed volume from now on that another layer will be its top, and answers whether somebody
 * has opened the present one all the same. Who opens a volume reads the description once more afterwards; so of the
 * two, at least one sees the other.
 */
export async function announceTop(context: StoreContext, volume: VolumeRow, top: string): Promise<'free' | 'taken'> {
  const publication = context.catalogue.publication(volume.id)
  if (!publication || publication.readonly) return 'free'
  writeDescription(context, { ...volume, top })
  return (await context.files.openForWriting(context.catalogue.layer(volume.top).file)) ? 'taken' : 'free'
}

function writeDescription(context: StoreContext, volume: VolumeRow): void {
  const publication = context.catalogue.publication(volume.id)
  if (!publication) return
  const temporary = `${publication.target}.new`
  writeFileSync(temporary, `${JSON.stringify(describe(context, volume, publication), null, 2)}\n`, { mode: 0o600 })
  renameSync(temporary, publication.target)
}

/** Removes the description and what others left beside it. */
export async function removeDescription(target: string): Promise<void> {
  for (const path of [target, `${target}.new`, monitorFile(target), fillingFile(target)])
    await rm(path, { force: true })
}

/** Finds out whether a volume is open, by the marks beside its description and by asking the QEMU they name. */
export async function openness(context: StoreContext, volume: VolumeRow): Promise<Openness> {
  const publication = context.catalogue.publication(volume.id)
  // Nobody writes through a read-only publication, so nothing is in flight that a cut would have to wait for.
  if (!publication || publication.readonly) return { state: 'closed' }
  const marker = fillingFile(publication.target)
  if (existsSync(marker)) return { state: 'filling', marker }
  try {
    const announcement = monitorFile(publication.target)
    const socket = readMonitorFile(announcement)
    const monitor = socket === undefined ? undefined : await context.monitors.reach(socket)
    if (socket !== undefined && !monitor && justAnnounced(announcement, socket))
      return { state: 'unclear', reason: `a QEMU is starting: nothing listens at ${socket} yet` }
    if (!monitor) return await closedUnlessLocked(context, volume)
    const top = nodeName(volume, volume.top)
    // The list is kept up to date with our own doings; somebody else's are seen only by looking again.
    const node = monitor.nodes.get(top) ?? (await monitor.look()).get(top)
    if (!node) return { state: 'unclear', reason: `the QEMU behind ${socket} has not opened its node ${top}` }
    if (node.readOnly) return { state: 'unclear', reason: `the QEMU behind ${socket} has ${top} open read-only` }
    return { state: 'open', monitor }
  } catch (error) {
    return { state: 'unclear', reason: explain(error) }
  }
}

/**
 * Whether the monitor was announced a moment ago and its QEMU has not made the socket since. It may have read already
 * which layers to open. A socket that is newer than the announcement and refuses belongs to a QEMU that has ended.
 */
function justAnnounced(announcement: string, socket: string): boolean {
  const announcedMs = statSync(announcement, { throwIfNoEntry: false })?.mtimeMs
  const listeningMs = statSync(socket, { throwIfNoEntry: false })?.mtimeMs
  if (announcedMs === undefined || Date.now() - announcedMs > startingMs) return false
  return listeningMs === undefined || listeningMs < announcedMs
}

async function closedUnlessLocked(context: StoreContext, volume: VolumeRow): Promise<Openness> {
  const { file } = context.catalogue.layer(volume.top)
  if (!(await context.files.openForWriting(file))) return { state: 'closed' }
  return { state: 'unclear', reason: `somebody writes ${file}, and no monitor tells who` }
}

function readMonitorFile(path: string): string | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  let socket: unknown
  try {
    socket = (JSON.parse(text) as { qmpSocket?: unknown } | null)?.qmpSocket
  } catch (error) {
    // Perhaps it is being written just now.
    throw new Refusal('UNAVAILABLE', `${path} is no JSON`, { cause: error })
  }
  if (typeof socket !== 'string') throw new Refusal('UNAVAILABLE', `${path} has no string "qmpSocket"`)
  return socket
}

/** Tells when somebody leaves the address of a monitor beside a published volume. */
export class MonitorFileWatch {
  readonly #folders = new Map<string, { watcher: FSWatcher; targets: Set<string> }>()
  readonly #appeared: (target: string) => void
  readonly #failed: (folder: string, error: unknown) => void
  constructor(appeared: (target: string) => void, failed: (folder: string, error: unknown) => void) {
    this.#appeared = appeared
    this.#failed = failed
  }

  /** A watch that cannot be had only costs the preparation ahead of time: a cut looks for itself. */
  add(target: string): void {
    const folder = dirname(target)
    const known = this.#folders.get(folder)
    if (known) {
      known.targets.add(target)
      return
    }
    try {
      const watcher = watch(folder, { persistent: false }, (_, name) => this.#changed(folder, name))
      watcher.on('error', (error) => {
        this.#drop(folder)
        this.#failed(folder, error)
      })
      this.#folders.set(folder, { watcher, targets: new Set([target]) })
    } catch (error) {
      this.#failed(folder, error)
    }
  }

  remove(target: string): void {
    const known = this.#folders.get(dirname(target))
    known?.targets.delete(target)
    if (known?.targets.size === 0) this.#drop(dirname(target))
  }

  close(): void {
    for (const folder of [...this.#folders.keys()]) this.#drop(folder)
  }

  #drop(folder: string): void {
    this.#folders.get(folder)?.watcher.close()
    this.#folders.delete(folder)
  }

  #changed(folder: string, name: string | null): void {
    for (const target of this.#folders.get(folder)?.targets ?? [])
      if (name === null || name === basename(monitorFile(target))) this.#appeared(target)
  }
}
