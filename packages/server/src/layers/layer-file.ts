import { execFile } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { chmod, open, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { supportsDirectIo } from '../qemu/direct-io.ts'
import { syncFolder } from '../qemu/durable-file.ts'

const run = promisify(execFile)
const timeoutMs = 60_000
const unfinished = '.new'

/** What the store does to layer files on disk. All of it may be repeated after a crash. */
export class LayerFiles {
  readonly folder: string
  readonly #qemuImg: string
  constructor(folder: string, qemuImg: string) {
    this.folder = folder
    this.#qemuImg = qemuImg
  }

  path(file: string): string {
    return join(this.folder, file)
  }

  /** Makes an empty layer, over another or blank. The name of the lower one in its header is for people only. */
  async create(file: string, sizeBytes: number, below?: string): Promise<void> {
    // Under another name first: a program that outlives a crash of ours must not put a file where one was given up.
    const path = `${this.path(file)}${unfinished}`
    await rm(path, { force: true })
    // `-u`: the layer below may be open in a QEMU, and our catalogue knows its size and format anyway.
    const backing = below === undefined ? [] : ['-u', '-b', basename(below), '-F', 'qcow2']
    await this.#img('create', '-q', '-f', 'qcow2', '-o', 'extended_l2=on', ...backing, path, String(sizeBytes))
    await chmod(path, 0o600)
    await rename(path, this.path(file))
    await this.flush(file)
    await syncFolder(this.folder)
  }

  /** Removes what attempts that crashed left half-made. */
  async removeUnfinished(): Promise<void> {
    for (const name of await readdir(this.folder))
      if (name.endsWith(unfinished)) await rm(this.path(name), { force: true })
  }

  /** Brings what the host still caches of a layer to the disk. */
  async flush(file: string): Promise<void> {
    const handle = await open(this.path(file), 'r')
    try {
      await handle.datasync()
    } finally {
      await handle.close()
    }
  }

  /** From now on nobody writes this layer by mistake. */
  freeze(file: string): void {
    chmodSync(this.path(file), 0o400)
  }

  async remove(files: readonly string[]): Promise<void> {
    for (const file of files) await rm(this.path(file), { force: true })
    if (files.length > 0) await syncFolder(this.folder)
  }

  /** Grows a layer nobody has open. */
  async resize(file: string, sizeBytes: number): Promise<void> {
    await this.#img('resize', '-q', this.#alone(file), String(sizeBytes))
    await this.flush(file)
  }

  /** Whether somebody has the layer open for writing. QEMU and its tools lock what they write. */
  async openForWriting(file: string): Promise<boolean> {
    try {
      await this.#img('info', this.#alone(file))
      return false
    } catch (error) {
      if (/lock/i.test(error instanceof Error ? error.message : '')) return true
      throw error
    }
  }

  /** Whether a layer nobody has open holds nothing of its own, so that everything is in the layers below it. */
  async isEmpty(file: string): Promise<boolean> {
    const extents = JSON.parse(await this.#img('map', '--output=json', this.#alone(file))) as {
      present: boolean
    }[]
    return extents.every(({ present }) => !present)
  }

  /** The file without the layers below it: what its header says about them is never followed. */
  #alone(file: string): string {
    const options = { driver: 'qcow2', backing: null, file: { driver: 'file', filename: this.path(file) } }
    return `json:${JSON.stringify(options)}`
  }

  async #img(...args: string[]): Promise<string> {
    try {
      const { stdout } = await run(this.#qemuImg, args, { timeout: timeoutMs, maxBuffer: 256 * 1024 * 1024 })
      return stdout
    } catch (error) {
      const { stderr, killed } = error as { stderr?: string; killed?: boolean }
      const why = killed ? `did not end within ${timeoutMs} ms` : (stderr?.trim() ?? '')
      throw new Error(`${basename(this.#qemuImg)} ${args[0]}: ${why || 'failed'}`, { cause: error })
    }
  }
}

/** Whether files in this folder can be opened around the host's page cache. Asked once: it depends on the file system. */
export async function takesDirectIo(folder: string): Promise<boolean> {
  const probe = join(folder, `direct-io${unfinished}`)
  try {
    await writeFile(probe, '', { mode: 0o600 })
    return await supportsDirectIo(probe)
  } finally {
    await rm(probe, { force: true })
  }
}
