import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Account, accountFor } from './account.ts'
import { nodeName } from './block-nodes.ts'
import { Catalogue, type GroupRow, type Journalled, type Layer, type SnapshotRow, type VolumeRow } from './catalogue.ts'
import type { Log, StoreContext } from './context.ts'
import { cutVolumes, settleCut } from './cut.ts'
import { KeyedLock } from './keyed-lock.ts'
import { LayerFiles, takesDirectIo } from './layer-file.ts'
import { Monitors } from './monitors.ts'
import { type Openness, openness, refreshDescription } from './publications.ts'
import { explain, Refusal } from './refusal.ts'
import { dooming, removeLayers } from './removal.ts'
import { dropSpare, ensureSpare, removeStrayNodes, undoSpare } from './spares.ts'

export interface StoreOptions {
  dataDir: string
  log: Log
  qemuImg?: string
  newId?: (bytes: number) => string
  nowMicros?: () => number
  checkpoint?: (step: string) => void
}

export type Source = { snapshotId: string } | { volumeId: string }

export interface VolumeRequest {
  name: string
  /** At least this; undefined when the caller leaves it to the source, or to us. */
  requiredBytes?: number
  /** At most this. */
  limitBytes?: number
  source?: Source
}

export interface Group {
  group: GroupRow
  snapshots: SnapshotRow[]
}

const defaultSizeBytes = 1024 ** 3
// Disks are made of sectors; a round size spares everyone the odd rest.
const granuleBytes = 1024 ** 2
const maxSizeBytes = 1024 ** 5

/** Clones ask for the layers below only, so that a snapshot's name is never taken by them. */
const unnamed = null

/**
 * Volumes and snapshots as chains of qcow2 layers in one folder. Everything is journalled: intent, act, record. Killed
 * at any point, it opens again and nothing recorded is lost; what was begun is ended or taken back.
 */
export class Store {
  readonly context: StoreContext
  readonly #finish: () => void

  private constructor(context: StoreContext, finish: () => void) {
    this.context = context
    this.#finish = finish
  }

  /** Opens or founds a store. The folder is this process's alone until `close`. */
  static async open(options: StoreOptions): Promise<Store> {
    const { dataDir, log } = options
    const folder = join(dataDir, 'layers')
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await chmod(folder, 0o700)
    const catalogue = new Catalogue(join(dataDir, 'catalogue.sqlite'))
    const monitors = new Monitors(log)
    const pending: (() => void)[] = []
    const finish = () => {
      for (const work of pending.splice(0)) {
        try {
          work()
        } catch (error) {
          log.warn({ error: explain(error) }, 'not tidied up after a cut; the next start will')
        }
      }
    }
    try {
      const store = new Store(
        {
          catalogue,
          files: new LayerFiles(folder, options.qemuImg ?? 'qemu-img'),
          monitors,
          locks: new KeyedLock(),
          log,
          directIo: await takesDirectIo(folder),
          newId: options.newId ?? ((bytes) => randomBytes(bytes).toString('hex')),
          nowMicros: options.nowMicros ?? (() => Math.round((performance.timeOrigin + performance.now()) * 1000)),
          checkpoint: options.checkpoint ?? (() => {}),
          later: (work) => {
            pending.push(work)
            setImmediate(finish)
          },
        },
        finish,
      )
      await store.#recover()
      return store
    } catch (error) {
      await monitors.close()
      catalogue.close()
      throw error
    }
  }

  async close(): Promise<void> {
    await this.context.monitors.close()
    this.#finish()
    this.context.catalogue.close()
  }

  async createVolume(request: VolumeRequest): Promise<VolumeRow> {
    const { name, source } = request
    const keys = [`volume-name:${name}`]
    if (source && 'volumeId' in source) keys.push(`volume:${source.volumeId}`)
    return this.context.locks.hold(keys, async () => {
      const existing = this.context.catalogue.volumeNamed(name)
      if (existing) return whatWasAsked(existing, request)
      const below = await this.#layerToStandOn(request)
      return this.#makeVolume(request, below)
    })
  }

  /** Frozen layer, and what it is a copy of, for a volume with a source. */
  async #layerToStandOn({ source, ...request }: VolumeRequest): Promise<{ layer: string; size: number } | undefined> {
    const { catalogue } = this.context
    if (!source) return undefined
    if ('snapshotId' in source) {
      const snapshot = catalogue.snapshot(source.snapshotId)
      if (!snapshot) throw new Refusal('NOT_FOUND', `there is no snapshot ${source.snapshotId}`)
      sizeFor(request, snapshot.size)
      return { layer: snapshot.layer, size: snapshot.size }
    }
    const volume = this.#volume(source.volumeId)
    sizeFor(request, volume.size)
    await this.settle(volume.id)
    await cutVolumes(this.context, { volumes: [volume], name: unnamed, group: null })
    return { layer: volume.top, size: volume.size }
  }

  async #makeVolume(request: VolumeRequest, below: { layer: string; size: number } | undefined): Promise<VolumeRow> {
    const { catalogue, files, checkpoint, newId } = this.context
    const size = sizeFor(request, below?.size)
    const id = `vol-${newId(10)}`
    const layer = `l${newId(7)}`
    const { source } = request
    const volume: Omit<VolumeRow, 'seq'> = {
      id,
      name: request.name,
      tag: `v${newId(4)}`,
      size,
      top: layer,
      sourceKind: source ? ('snapshotId' in source ? 'snapshot' : 'volume') : null,
      sourceId: source ? ('snapshotId' in source ? source.snapshotId : source.volumeId) : null,
    }
    const file = `${layer}.qcow2`
    const intent = catalogue.change(() => {
      // Looked at again within the change: a snapshot may have been deleted while the source was being cut.
      if (source && 'snapshotId' in source && !catalogue.snapshot(source.snapshotId))
        throw new Refusal('NOT_FOUND', `there is no snapshot ${source.snapshotId}`)
      catalogue.addLayer({ id: layer, file, parent: below?.layer ?? null, size, state: 'planned', spareOf: null })
      return catalogue.begin({ kind: 'create', volume })
    })
    checkpoint('create: journalled')
    try {
      await files.create(file, size, below && catalogue.layer(below.layer).file)
      checkpoint('create: made')
    } catch (error) {
      checkpoint('create: failed')
      await this.#undoCreate(intent)
      throw error
    }
    catalogue.change(() => {
      catalogue.setLayer(layer, { state: 'top' })
      catalogue.addVolume(volume)
      catalogue.end(intent)
    })
    checkpoint('create: recorded')
    return this.#volume(id)
  }

  /** Deletes a volume that is not published. One that is not there is fine. Its snapshots stay. */
  async deleteVolume(id: string): Promise<void> {
    await this.context.locks.hold([`volume:${id}`], async () => {
      const { catalogue } = this.context
      const volume = catalogue.volume(id)
      if (!volume) return
      const publication = catalogue.publication(id)
      if (publication)
        throw new Refusal(
          'FAILED_PRECONDITION',
          `volume ${id} is published at ${publication.target}; unpublish it first`,
        )
      await this.settle(id)
      const removal = catalogue.change(() => {
        const { top } = this.#volume(id)
        const spare = catalogue.spareOf(id)
        catalogue.dropVolume(id)
        return dooming(this.context, [...(spare ? [spare.id] : []), top])
      })
      await removeLayers(this.context, removal)
    })
  }

  /** Grows a volume, also while it is open. */
  async expandVolume(id: string, requiredBytes: number, limitBytes?: number): Promise<VolumeRow> {
    return this.context.locks.hold([`volume:${id}`], async () => {
      const { catalogue, checkpoint } = this.context
      await this.settle(id)
      const volume = this.#volume(id)
      if (requiredBytes <= volume.size) {
        if (limitBytes !== undefined && limitBytes < volume.size)
          throw new Refusal('OUT_OF_RANGE', `volume ${id} has ${volume.size} bytes already; a volume never shrinks`)
        return volume
      }
      const size = sizeFor({ name: volume.name, requiredBytes, ...(limitBytes !== undefined && { limitBytes }) })
      const open = await this.#usable(volume)
      const monitor = open.state === 'open' ? open.monitor : undefined
      await dropSpare(this.context, volume, monitor)
      const intent = catalogue.change(() =>
        catalogue.begin({ kind: 'expand', volume: id, size, monitor: monitor?.socket ?? null }),
      )
      checkpoint('expand: journalled')
      await this.#settleExpand(intent)
      return this.#volume(id)
    })
  }

  /** Cuts one volume. Repeated with the same name it answers the snapshot that was made. */
  async createSnapshot(name: string, volumeId: string): Promise<SnapshotRow> {
    const { locks, catalogue } = this.context
    return locks.hold([`snapshot-name:${name}`, `volume:${volumeId}`], async () => {
      await this.settle(volumeId)
      const existing = catalogue.snapshotNamed(name)
      if (existing && existing.sourceVolume !== volumeId)
        throw new Refusal('ALREADY_EXISTS', `snapshot ${name} is one of volume ${existing.sourceVolume}`)
      if (existing) return existing
      await cutVolumes(this.context, { volumes: [this.#volume(volumeId)], name, group: null })
      const made = catalogue.snapshotNamed(name)
      if (!made) throw new Error(`snapshot ${name} was cut and is not in the catalogue`)
      return made
    })
  }

  /** Cuts several volumes at one instant. Repeated with the same name and volumes it answers the group that was made. */
  async createGroup(name: string, volumeIds: readonly string[]): Promise<Group> {
    const { locks, catalogue, newId } = this.context
    const wanted = [...new Set(volumeIds)].sort()
    return locks.hold([`group-name:${name}`, ...wanted.map((id) => `volume:${id}`)], async () => {
      for (const id of wanted) await this.settle(id)
      const existing = catalogue.groupNamed(name)
      if (existing) {
        if (existing.volumes.join() !== wanted.join())
          throw new Refusal('ALREADY_EXISTS', `group snapshot ${name} is one of ${existing.volumes.join(', ')}`)
        const snapshots = catalogue.snapshots({ group: existing.id })
        if (snapshots.length < wanted.length)
          throw new Refusal('FAILED_PRECONDITION', `group snapshot ${name} exists, but members of it were deleted`)
        return { group: existing, snapshots }
      }
      const volumes = wanted.map((id) => this.#volume(id))
      await cutVolumes(this.context, { volumes, name, group: `group-${newId(10)}` })
      const made = catalogue.groupNamed(name)
      if (!made) throw new Error(`group ${name} was cut and is not in the catalogue`)
      return { group: made, snapshots: catalogue.snapshots({ group: made.id }) }
    })
  }

  /** Deletes a snapshot, in any order with volumes and other snapshots. One that is not there is fine. */
  async deleteSnapshot(id: string): Promise<void> {
    const removal = this.context.catalogue.change(() => this.#dropSnapshots([id]))
    await removeLayers(this.context, removal)
  }

  /** Deletes a group with all its members. */
  async deleteGroup(id: string): Promise<void> {
    const { catalogue } = this.context
    const removal = catalogue.change(() => {
      const removed = this.#dropSnapshots(catalogue.snapshots({ group: id }).map((snapshot) => snapshot.id))
      catalogue.dropGroup(id)
      return removed
    })
    await removeLayers(this.context, removal)
  }

  group(id: string): Group | undefined {
    const group = this.context.catalogue.group(id)
    return group && { group, snapshots: this.context.catalogue.snapshots({ group: id }) }
  }

  #dropSnapshots(ids: readonly string[]) {
    const { catalogue } = this.context
    const layers: string[] = []
    for (const id of ids) {
      const snapshot = catalogue.snapshot(id)
      if (!snapshot) continue
      layers.push(snapshot.layer)
      catalogue.dropSnapshot(id)
      // A group whose last member goes is over.
      const { groupId } = snapshot
      if (groupId !== null && catalogue.snapshots({ group: groupId }).length === 0) catalogue.dropGroup(groupId)
    }
    return dooming(this.context, layers)
  }

  /** Frozen layers that could be merged into the only one standing on them, to save space and length of chains. */
  mergeableLayers(): { layer: string; into: string }[] {
    return this.context.catalogue.mergeableLayers()
  }

  /** Who holds how many bytes on disk. */
  account(): Promise<Account> {
    return accountFor(this.context)
  }

  /** Makes the next cut of a volume that is open quick. Answers how it found the volume. The caller holds nothing. */
  async prepareNextCut(volumeId: string): Promise<Openness['state'] | 'gone'> {
    return this.context.locks.hold([`volume:${volumeId}`], async () => {
      await this.settle(volumeId)
      const volume = this.context.catalogue.volume(volumeId)
      if (!volume) return 'gone'
      const open = await openness(this.context, volume)
      if (open.state !== 'open') return open.state
      await removeStrayNodes(this.context, volume, open.monitor)
      await ensureSpare(this.context, volume, open.monitor)
      return open.state
    })
  }

  /** Ends what an earlier call began on this volume and could not end. The caller holds the volume. */
  async settle(volumeId: string): Promise<void> {
    for (const intent of this.context.catalogue.intents()) {
      if (intent.kind === 'cut' && intent.members.some(({ volume }) => volume === volumeId))
        await settleCut(this.context, intent)
      if (intent.kind === 'expand' && intent.volume === volumeId) await this.#settleExpand(intent)
    }
  }

  #volume(id: string): VolumeRow {
    const volume = this.context.catalogue.volume(id)
    if (!volume) throw new Refusal('NOT_FOUND', `there is no volume ${id}`)
    return volume
  }

  async #usable(volume: VolumeRow): Promise<Openness> {
    const open = await openness(this.context, volume)
    if (open.state === 'filling')
      throw new Refusal('FAILED_PRECONDITION', `volume ${volume.id} is being filled (${open.marker} exists)`)
    if (open.state === 'unclear') throw new Refusal('UNAVAILABLE', `volume ${volume.id}: ${open.reason}`)
    return open
  }

  async #settleExpand(intent: ExpandIntent): Promise<void> {
    const { catalogue, files, checkpoint } = this.context
    const { size } = intent
    const volume = catalogue.volume(intent.volume)
    if (volume) {
      const open = await this.#usable(volume)
      if (open.state === 'open') await open.monitor.resize(nodeName(volume, volume.top), size)
      else await files.resize(catalogue.layer(volume.top).file, size)
    }
    checkpoint('expand: done')
    catalogue.change(() => {
      if (volume) {
        catalogue.setVolume(volume.id, { size })
        catalogue.setLayer(volume.top, { size })
      }
      catalogue.end(intent)
    })
    checkpoint('expand: recorded')
    if (volume) refreshDescription(this.context, volume.id)
  }

  async #undoCreate(intent: Extract<Journalled, { kind: 'create' }>): Promise<void> {
    const removal = this.context.catalogue.change(() => {
      this.context.catalogue.end(intent)
      return dooming(this.context, [intent.volume.top])
    })
    await removeLayers(this.context, removal)
  }

  async #recover(): Promise<void> {
    const { catalogue, log } = this.context
    for (const intent of catalogue.intents()) {
      try {
        if (intent.kind === 'create') await this.#undoCreate(intent)
        else if (intent.kind === 'spare') await undoSpare(this.context, intent)
        else if (intent.kind === 'remove') await removeLayers(this.context, intent)
        else if (intent.kind === 'cut') await settleCut(this.context, intent)
        else if (intent.kind === 'expand') await this.#settleExpand(intent)
        else intent satisfies never
      } catch (error) {
        // A QEMU that does not answer now. The volume stays locked to cuts until it can be told what happened.
        if (!(error instanceof Refusal)) throw error
        log.warn({ intent, error: explain(error) }, 'interrupted work cannot be settled yet')
      }
    }
    await this.context.files.removeUnfinished()
    await this.#lookAtFiles(catalogue.layers())
    for (const { volume } of catalogue.publications()) this.#describeAgain(volume)
  }

  /** Reports what does not fit together. Nothing is removed on suspicion. */
  async #lookAtFiles(layers: readonly Layer[]): Promise<void> {
    const { files, log } = this.context
    const known = new Set(layers.map(({ file }) => file))
    for (const file of await readdir(files.folder))
      if (!known.has(file)) log.warn({ file }, 'file in the store is none of its layers')
    for (const { id, file, state } of layers) {
      try {
        if (state === 'frozen' && ((await stat(files.path(file))).mode & 0o222) !== 0) files.freeze(file)
      } catch (error) {
        log.error({ layer: id, file, error: explain(error) }, 'layer cannot be read')
      }
    }
  }

  #describeAgain(volume: string): void {
    try {
      refreshDescription(this.context, volume)
    } catch (error) {
      this.context.log.warn({ volume, error: explain(error) }, 'published volume cannot be described anew')
    }
  }
}

type ExpandIntent = Extract<Journalled, { kind: 'expand' }>

/** The size a new volume gets. Over a source it is at least the source's. */
function sizeFor({ requiredBytes, limitBytes }: Omit<VolumeRequest, 'source'>, sourceBytes?: number): number {
  if (limitBytes !== undefined && requiredBytes !== undefined && limitBytes < requiredBytes)
    throw new Refusal('INVALID_ARGUMENT', `capacity: limit ${limitBytes} is below the required ${requiredBytes} bytes`)
  const wanted = requiredBytes ?? sourceBytes ?? Math.min(defaultSizeBytes, limitBytes ?? defaultSizeBytes)
  const size = Math.max(Math.ceil(wanted / granuleBytes) * granuleBytes, granuleBytes, sourceBytes ?? 0)
  if (limitBytes !== undefined && size > limitBytes)
    throw new Refusal('OUT_OF_RANGE', `capacity: ${size} bytes are needed, the limit is ${limitBytes}`)
  if (size > maxSizeBytes)
    throw new Refusal('OUT_OF_RANGE', `capacity: ${size} bytes; at most ${maxSizeBytes} are possible`)
  return size
}

function whatWasAsked(existing: VolumeRow, { requiredBytes, limitBytes, source }: VolumeRequest): VolumeRow {
  const wanted = source ? ('snapshotId' in source ? source.snapshotId : source.volumeId) : null
  const differs = (what: string) =>
    new Refusal('ALREADY_EXISTS', `volume ${existing.name} exists as ${existing.id} with another ${what}`)
  if (existing.sourceId !== wanted) throw differs('source')
  if (existing.size < (requiredBytes ?? 0) || existing.size > (limitBytes ?? existing.size)) throw differs('capacity')
  return existing
}
