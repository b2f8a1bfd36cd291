import { existsSync } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { nodeName } from './block-nodes.ts'
import type { VolumeRow } from './catalogue.ts'
import {
  fillingFile,
  MonitorFileWatch,
  monitorFile,
  openness,
  refreshDescription,
  removeDescription,
} from './publications.ts'
import { explain, Refusal } from './refusal.ts'
import { dropSpare } from './spares.ts'
import type { Store } from './store.ts'

// Between the monitor's file and a QEMU that answers and has opened the volume lie up to a few seconds of start-up.
const retryDelaysMs = [50, 100, 200, 400, 800, 1_500, 3_000, 5_000, 10_000]

/** Puts volumes where a virtual machine can open them, and has the next cut ready as soon as one has. */
export class NodePublisher {
  readonly #store: Store
  readonly #watch: MonitorFileWatch
  readonly #stopped = new AbortController()
  readonly #preparing = new Map<string, Promise<void>>()

  constructor(store: Store) {
    this.#store = store
    const { log, catalogue } = store.context
    this.#watch = new MonitorFileWatch(
      (target) => {
        const publication = catalogue.publications().find((one) => one.target === target)
        if (publication) this.prepareSoon(publication.volume)
      },
      (folder, error) => log.warn({ folder, error: explain(error) }, 'folder of published volumes is not watched'),
    )
    for (const { volume, target } of catalogue.publications()) {
      this.#watch.add(target)
      this.prepareSoon(volume)
    }
  }

  async publish(volumeId: string, target: string, readonly: boolean): Promise<void> {
    const { context } = this.#store
    await context.locks.hold([`volume:${volumeId}`], async () => {
      await this.#store.settle(volumeId)
      if (!context.catalogue.volume(volumeId)) throw new Refusal('NOT_FOUND', `there is no volume ${volumeId}`)
      const existing = context.catalogue.publication(volumeId)
      if (existing && existing.target !== target)
        throw new Refusal(
          'FAILED_PRECONDITION',
          `volume ${volumeId} is published at ${existing.target} already; one machine at a time can have it`,
        )
      if (existing && existing.readonly !== readonly)
        throw new Refusal(
          'ALREADY_EXISTS',
          `volume ${volumeId} is published there ${readonly ? 'writable' : 'read-only'}`,
        )
      if (!existing) {
        await whyNotTarget(target)
        context.catalogue.change(() => context.catalogue.publish({ volume: volumeId, target, readonly }))
        context.checkpoint('publish: recorded')
      }
      refreshDescription(context, volumeId)
    })
    this.#watch.add(target)
  }

  /** Takes a publication back. Refused while a QEMU still has the volume plugged in. */
  async unpublish(volumeId: string, target: string): Promise<void> {
    const { context } = this.#store
    await context.locks.hold([`volume:${volumeId}`], async () => {
      const volume = context.catalogue.volume(volumeId)
      if (!volume) throw new Refusal('NOT_FOUND', `there is no volume ${volumeId}`)
      await this.#store.settle(volumeId)
      const publication = context.catalogue.publication(volumeId)
      if (publication && publication.target !== target) return
      if (publication) {
        await this.#letGo(volume)
        context.checkpoint('unpublish: let go')
        this.#watch.remove(target)
        await removeDescription(target)
        context.catalogue.change(() => context.catalogue.unpublish(volumeId))
        context.checkpoint('unpublish: recorded')
      }
    })
  }

  /** Gets the next cut ready in the background, trying for a while if a QEMU is only starting. */
  prepareSoon(volumeId: string, afterMs = 0): void {
    if (this.#preparing.has(volumeId) || this.#stopped.signal.aborted) return
    const work = this.#prepare(volumeId, afterMs).finally(() => this.#preparing.delete(volumeId))
    this.#preparing.set(volumeId, work)
  }

  /** Waits until what was begun in the background has ended. */
  async idle(): Promise<void> {
    await Promise.all(this.#preparing.values())
  }

  async close(): Promise<void> {
    this.#stopped.abort()
    this.#watch.close()
    await this.idle()
  }

  async #prepare(volumeId: string, afterMs: number): Promise<void> {
    const { log } = this.#store.context
    for (const delayMs of [afterMs, ...retryDelaysMs]) {
      await abortableDelay(delayMs, this.#stopped.signal)
      if (this.#stopped.signal.aborted) return
      try {
        const state = await this.#store.prepareNextCut(volumeId)
        if (state !== 'unclear' && !(state === 'closed' && this.#monitorExpected(volumeId))) return
      } catch (error) {
        // Not lost: the cut itself prepares what is missing.
        log.warn({ volume: volumeId, error: explain(error) }, 'next cut not prepared, will retry')
      }
    }
    log.debug({ volume: volumeId }, 'next cut not prepared ahead of time')
  }

  #monitorExpected(volumeId: string): boolean {
    const publication = this.#store.context.catalogue.publication(volumeId)
    return publication !== undefined && existsSync(monitorFile(publication.target))
  }

  async #letGo(volume: VolumeRow): Promise<void> {
    const { context } = this.#store
    const open = await openness(context, volume)
    if (open.state === 'filling')
      throw new Refusal(
        'FAILED_PRECONDITION',
        `volume ${volume.id} is being filled; end that and remove ${open.marker} first`,
      )
    if (open.state !== 'open') {
      // Its QEMU, if any, has closed the volume: the spare is nothing but a file.
      const publication = context.catalogue.publication(volume.id)
      if (open.state === 'unclear' && publication && !publication.readonly && (await this.#locked(volume)))
        throw new Refusal('FAILED_PRECONDITION', `volume ${volume.id} is still written: ${open.reason}`)
      await dropSpare(context, volume)
      return
    }
    const { monitor } = open
    await dropSpare(context, volume, monitor)
    // From the top down: each node holds the one below it. QEMU refuses the first if a device still uses it.
    for (const layer of context.catalogue.chain(volume.top)) {
      const name = nodeName(volume, layer.id)
      if (!monitor.nodes.has(name)) continue
      try {
        await monitor.remove(name)
      } catch (error) {
        throw new Refusal(
          'FAILED_PRECONDITION',
          `volume ${volume.id} is still in use by the QEMU behind ${monitor.socket}; unplug it or stop the machine first`,
          { cause: error },
        )
      }
    }
  }

  #locked(volume: VolumeRow): Promise<boolean> {
    const { catalogue, files } = this.#store.context
    return files.openForWriting(catalogue.layer(volume.top).file)
  }
}

async function whyNotTarget(target: string): Promise<void> {
  if (!target.startsWith('/')) throw new Refusal('INVALID_ARGUMENT', `target path ${target} is not absolute`)
  const found = await lstat(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found && !found.isFile())
    throw new Refusal('INVALID_ARGUMENT', `target path ${target} exists and is no file; name one that does not exist`)
  if (found && (await lstat(fillingFile(target)).catch(() => undefined)))
    throw new Refusal('FAILED_PRECONDITION', `${fillingFile(target)} is left from an import; remove it first`)
}

function abortableDelay(ms: number, signal: AbortSignal): Promise<void> {
  if (ms === 0 || signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
