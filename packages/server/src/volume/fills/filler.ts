import { mkdir, open, readdir, readFile, realpath, rm, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ConfigMap, Secret } from '@stillpoint/api/core/config'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import * as z from 'zod'
import { describeError } from '../../controller/describe-error.ts'
import { refOf } from '../../kube/client.ts'
import { writeFileDurably } from '../../qemu/durable-file.ts'
import { ImageError, refuseReferences } from '../../qemu/image.ts'
import type { Area } from '../area.ts'
import { podPhaseAnnotation, progressAnnotation } from '../keys.ts'
import { createVolumeRequest, type ProvisioningRecord, recordedOn } from '../provisioning-record.ts'
import { convertImage } from './convert.ts'
import { packingOf, unpack } from './decompress.ts'
import { download, verifyChecksum } from './download.ts'
import { RefusedError } from './fill-error.ts'
import type { FillRequest } from './fill-request.ts'
import { fillTarget } from './target.ts'

/** Beside the image while a volume is written: whose half-written volume to throw away after a crash. */
const journal = z.object({ driver: z.string(), volumeId: z.string(), targetPath: z.string() })
type Journal = z.output<typeof journal>

const progressEveryMs = 1_000
/** qcow2 keeps tables beside the data, and images are rounded up: so much may a file exceed the disk inside it. */
const slackBytes = 64 * 2 ** 20

interface Work {
  abort: AbortController
  done: Promise<unknown>
}

/** Writes images into the volumes of claims that are not bound yet; one at a time per claim. */
export class Filler {
  readonly #area: Area
  readonly #importDirs: readonly string[]
  readonly #work = new Map<string, Work>()
  readonly #reporting = new Map<string, Promise<void>>()

  constructor(area: Area, importDirs: readonly string[]) {
    this.#area = area
    this.#importDirs = importDirs
  }

  isBusy(claim: PersistentVolumeClaim): boolean {
    return this.#work.has(uidOf(claim))
  }

  /** Runs work for a claim, alone, until it ends or the filling is abandoned. */
  async exclusively<T>(
    claim: PersistentVolumeClaim,
    work: (folder: string, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const uid = uidOf(claim)
    if (this.#work.has(uid)) throw new Error(`the volume of PVC ${claim.metadata.name} is being filled already`)
    const abort = new AbortController()
    const folder = this.#folder(uid)
    const task = (async () => {
      await this.#discard(uid)
      await mkdir(folder, { recursive: true, mode: 0o700 })
      return work(folder, abort.signal)
    })()
    const ended = Promise.withResolvers<void>()
    this.#work.set(uid, { abort, done: ended.promise })
    try {
      return await task
    } catch (error) {
      // What was fetched takes space and what was written is no use. If this fails it is done before the next attempt.
      await this.#discard(uid).catch((left) =>
        this.#area.log.warn({ claim: claim.metadata.name, error: describeError(left) }, 'failed fill not cleared away'),
      )
      throw error
    } finally {
      this.#work.delete(uid)
      ended.resolve()
    }
  }

  /** Imports what a claim asks for. */
  async import(claim: PersistentVolumeClaim, request: Extract<FillRequest, { kind: 'http' }>): Promise<void> {
    await this.exclusively(claim, async (folder, signal) => {
      const record = recordOf(claim)
      // Fetching and writing are about as long; the first half of the way is the first.
      const report = this.#progress(claim)
      const image =
        new URL(request.url).protocol === 'file:'
          ? await this.#localFile(request.url)
          : await this.#fetch(claim, request, { folder, signal, maxBytes: maxBytesFor(record), report })
      if (request.checksum !== undefined) await verifyChecksum(image, request.checksum, signal)
      await this.write(claim, image, folder, signal, (percent) => report(50 + percent / 2))
    })
  }

  /** Makes an empty disk. Only where a driver gives a file system is there anything to make. */
  async makeBlank(claim: PersistentVolumeClaim): Promise<void> {
    const record = recordOf(claim)
    await this.exclusively(claim, async (folder) => {
      if (record.volumeMode === 'Filesystem')
        await this.#intoVolume(record, folder, async (targetPath) => {
          const target = await fillTarget(targetPath, record.capacityBytes)
          if (target.format !== 'raw') return
          const file = await open(target.path, 'r+')
          await file.sync().finally(() => file.close())
        })
      await this.#complete(claim, folder)
    })
  }

  /** Checks an image and copies it into the volume of the claim; then the claim may be bound. */
  async write(
    claim: PersistentVolumeClaim,
    path: string,
    folder: string,
    signal: AbortSignal,
    onProgress: (percent: number) => void = nothing,
  ): Promise<void> {
    const record = recordOf(claim)
    const checked = await this.check(path, record, folder, signal)
    await this.#intoVolume(record, folder, async (targetPath) => {
      const target = await fillTarget(targetPath, record.capacityBytes)
      await convertImage(checked, target, { signal, onProgress })
    })
    await this.#complete(claim, folder)
  }

  /** Unpacks an image where needed and refuses what may not be written into a volume. */
  async check(path: string, record: ProvisioningRecord, folder: string, signal: AbortSignal) {
    const packing = await packingOf(path)
    let plain = path
    if (packing) {
      plain = join(folder, 'unpacked')
      await unpack(packing, path, plain, { maxBytes: maxBytesFor(record), signal })
    }
    try {
      const { format, virtualSizeBytes, encrypted } = await refuseReferences(plain)
      if (encrypted) throw new RefusedError('the image is encrypted; convert it to a plain one first')
      if (virtualSizeBytes === 0) throw new RefusedError('the image is empty')
      if (virtualSizeBytes > record.capacityBytes)
        throw new RefusedError(
          `Virtual image size ${virtualSizeBytes} is larger than the reported available storage ${record.capacityBytes}. A larger PVC is required.`,
        )
      return { path: plain, format }
    } catch (error) {
      // The path is ours and means nothing to the user.
      if (error instanceof ImageError) throw new RefusedError(error.message.replace(/^image \S+: /, 'the image '))
      throw error
    }
  }

  /** Ends what is being written for a claim, and gives the volume back to be deleted. */
  async abandon(claimUid: string): Promise<void> {
    const work = this.#work.get(claimUid)
    work?.abort.abort(new Error('the claim is being deleted'))
    await work?.done
    await this.#discard(claimUid, false)
  }

  /** Gives back what was left of claims that are gone. */
  async sweep(): Promise<void> {
    await mkdir(this.#root, { recursive: true, mode: 0o700 })
    for (const uid of await readdir(this.#root)) if (!this.#area.inventory.claimByUid(uid)) await this.abandon(uid)
  }

  async close(): Promise<void> {
    const all = [...this.#work.values()]
    for (const { abort } of all) abort.abort(new Error('the server is stopping'))
    await Promise.all(all.map(({ done }) => done))
  }

  get #root(): string {
    return join(this.#area.dataDir, 'fills')
  }

  #folder(uid: string): string {
    return join(this.#root, uid)
  }

  // The volume is never bound before this is written; after a crash right before, all is done once more.
  async #complete(claim: PersistentVolumeClaim, folder: string): Promise<void> {
    // A report still under way must not overtake the last one.
    await this.#reporting.get(uidOf(claim))
    await this.annotate(claim, { [podPhaseAnnotation]: 'Succeeded', [progressAnnotation]: '100.0%' })
    await rm(folder, { recursive: true, force: true })
  }

  async annotate(claim: PersistentVolumeClaim, annotations: Record<string, string | null>): Promise<void> {
    const { client, inventory } = this.#area
    const patch = { metadata: { uid: claim.metadata.uid, annotations } }
    inventory.claims.note(await client.patch(PersistentVolumeClaim, refOf(claim), patch))
  }

  async #intoVolume(
    record: ProvisioningRecord,
    folder: string,
    write: (targetPath: string) => Promise<void>,
  ): Promise<void> {
    const driver = this.#area.drivers.get(record.driver)
    const { volumeId, volumeContext } = await driver.createVolume(createVolumeRequest(record))
    const targetPath = join(folder, 'volume')
    const marker = `${targetPath}.filling`
    const entry: Journal = { driver: record.driver, volumeId, targetPath }
    await writeFileDurably(join(folder, 'journal.json'), JSON.stringify(entry))
    await driver.nodePublish({ volumeId, targetPath, volumeMode: record.volumeMode, volumeContext })
    await writeFileDurably(marker, '')
    await write(targetPath)
    await rm(marker, { force: true })
    await driver.nodeUnpublish({ volumeId, targetPath })
  }

  /** Throws away what an earlier attempt has left: a volume that is written twice is not the image. */
  async #discard(uid: string, deleteVolume = true): Promise<void> {
    const folder = this.#folder(uid)
    const left = await readJournal(join(folder, 'journal.json'))
    if (left && this.#area.drivers.has(left.driver)) {
      const driver = this.#area.drivers.get(left.driver)
      await rm(`${left.targetPath}.filling`, { force: true })
      await driver.nodeUnpublish(left)
      if (deleteVolume) await driver.deleteVolume(left.volumeId)
    }
    await rm(folder, { recursive: true, force: true })
  }

  async #fetch(
    claim: PersistentVolumeClaim,
    request: Extract<FillRequest, { kind: 'http' }>,
    {
      folder,
      signal,
      maxBytes,
      report,
    }: { folder: string; signal: AbortSignal; maxBytes: number; report(percent: number): void },
  ): Promise<string> {
    const to = join(folder, 'image')
    const { secretName, certConfigMap } = request
    await download(to, {
      url: request.url,
      headers: request.headers,
      insecure: request.insecure,
      maxBytes,
      signal,
      onProgress: (percent) => report(percent / 2),
      ...(secretName === undefined ? {} : { credentials: await this.#credentials(claim, secretName) }),
      ...(certConfigMap === undefined ? {} : { ca: await this.#authorities(claim, certConfigMap) }),
    })
    return to
  }

  async #credentials({ metadata }: PersistentVolumeClaim, name: string): Promise<{ user: string; password: string }> {
    const secret = await this.#area.client.find(Secret, { namespace: metadata.namespace, name })
    const { accessKeyId, secretKey } = secret?.data ?? {}
    if (accessKeyId === undefined || secretKey === undefined)
      throw new Error(`Secret ${name} with the keys accessKeyId and secretKey is needed and not there`)
    const text = (value: string): string => Buffer.from(value, 'base64').toString()
    return { user: text(accessKeyId), password: text(secretKey) }
  }

  async #authorities({ metadata }: PersistentVolumeClaim, name: string): Promise<string> {
    const config = await this.#area.client.find(ConfigMap, { namespace: metadata.namespace, name })
    if (!config) throw new Error(`ConfigMap ${name} with the certificates of the server is not there`)
    return Object.values(config.data ?? {}).join('\n')
  }

  /**
   * The file a `file://` address names, if it lies where files may be imported from. A path is looked up in those
   * folders first, so that a manifest may say `file:///disk.qcow2` whatever machine it is used on.
   */
  async #localFile(url: string): Promise<string> {
    const allowed = await Promise.all(this.#importDirs.map((dir) => realpath(dir)))
    const refuse = (why: string): RefusedError =>
      new RefusedError(
        `${url} ${why}; files are imported from ${allowed.length === 0 ? 'nowhere: start the server with --import-dir <dir>' : allowed.join(', ')} only`,
      )
    const asked = fileURLToPath(url)
    for (const candidate of [...allowed.map((dir) => join(dir, asked)), asked]) {
      // Absent or not readable: the same answer as for one that is elsewhere, so that nobody can search the machine.
      const path = await realpath(candidate).catch(() => undefined)
      if (path === undefined || !allowed.some((dir) => path.startsWith(dir + sep))) continue
      if (!(await stat(path)).isFile()) throw refuse('is not a file')
      return path
    }
    throw refuse('cannot be imported')
  }

  #progress(claim: PersistentVolumeClaim): (percent: number) => void {
    let lastAt = 0
    return (percent) => {
      const at = Date.now()
      if (at - lastAt < progressEveryMs) return
      lastAt = at
      const uid = uidOf(claim)
      const reporting = this.annotate(claim, { [progressAnnotation]: `${Math.min(percent, 99.99).toFixed(2)}%` })
        .catch((error) => this.#area.log.debug({ claim: claim.metadata.name, err: error }, 'progress not recorded'))
        .finally(() => {
          if (this.#reporting.get(uid) === reporting) this.#reporting.delete(uid)
        })
      this.#reporting.set(uid, reporting)
    }
  }
}

function maxBytesFor({ capacityBytes }: ProvisioningRecord): number {
  return Math.ceil(capacityBytes * 1.1) + slackBytes
}

/** The call that makes the volume of a claim whose filling has begun. */
export function recordOf(claim: PersistentVolumeClaim): ProvisioningRecord {
  const record = recordedOn(claim)
  if (!record) throw new Error(`PVC ${claim.metadata.name} has no provisioning record`)
  return record
}

async function readJournal(path: string): Promise<Journal | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return journal.parse(JSON.parse(text))
}

const nothing = (): void => {}
