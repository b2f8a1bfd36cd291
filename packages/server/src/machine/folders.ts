import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { syncFolder, writeFileDurably } from '../qemu/durable-file.ts'

const publishedVolume = z.object({
  name: z.string(),
  driver: z.string(),
  volumeId: z.string(),
  targetPath: z.string(),
})
/** A volume that a driver may have published for a machine, and that has to be unpublished. */
export type PublishedVolume = z.output<typeof publishedVolume>

const owner = z.object({
  uid: z.string(),
  namespace: z.string(),
  name: z.string(),
  volumes: z.array(publishedVolume),
})
export type FolderOwner = z.output<typeof owner>

const ownerFile = 'instance.json'

/**
 * One folder per machine: sockets, process record, published volumes, lease. It says whose it is, so that what an
 * instance left behind can be found and released even when the instance itself is gone.
 */
export class MachineFolders {
  readonly root: string

  constructor(dataDir: string) {
    // Short, because socket paths inside it may have 107 bytes only.
    this.root = dataDir
  }

  pathOf(uid: string): string {
    return join(this.root, uid.replaceAll('-', '').slice(0, 12))
  }

  /** Says, durably, whose the folder is and what has to be unpublished. To be called before anything is published. */
  async claim(folderOwner: FolderOwner): Promise<string> {
    const path = this.pathOf(folderOwner.uid)
    await mkdir(path, { recursive: true, mode: 0o700 })
    await writeFileDurably(join(path, ownerFile), `${JSON.stringify(folderOwner)}\n`)
    await syncFolder(this.root)
    return path
  }

  async ownerOf(uid: string): Promise<FolderOwner | undefined> {
    return this.#read(this.pathOf(uid))
  }

  async list(): Promise<FolderOwner[]> {
    let names: string[]
    try {
      names = await readdir(this.root)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
    const owners = await Promise.all(names.map((name) => this.#read(join(this.root, name))))
    return owners.flatMap((one) => one ?? [])
  }

  async remove(uid: string): Promise<void> {
    await rm(this.pathOf(uid), { recursive: true, force: true })
    await syncFolder(this.root)
  }

  async #read(path: string): Promise<FolderOwner | undefined> {
    let text: string
    try {
      text = await readFile(join(path, ownerFile), 'utf8')
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // Not one of ours, or made a moment before its first file: nothing is published there.
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
      throw error
    }
    return owner.parse(JSON.parse(text))
  }
}
