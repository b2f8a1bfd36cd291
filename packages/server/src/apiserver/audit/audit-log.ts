import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { auditEvent, type Entry } from './audit-event.ts'

const fileName = 'audit.log'
const flushEveryMs = 100
/** So few at a time that requests hardly wait for their lines to be made. */
const batch = 50

export interface AuditLogOptions {
  directory: string
  log: Logger
  /** Of one file, before it is put aside; a batch more at most. */
  fileBytes?: number
  /** Files put aside; the oldest goes. */
  keptFiles?: number
  /** Entries that wait for the disk; further ones are lost, and the log says how many. */
  waiting?: number
}

/**
 * Writes down who asked for what, a JSON object a line. Whoever records does not wait: lines are made and written later,
 * in order; those of the last moment before a crash may be missing. A disk that fails or is full stops no request.
 */
export class AuditLog {
  readonly #options: Required<AuditLogOptions>
  readonly #waiting: Entry[] = []
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined
  #file: { handle: FileHandle; bytes: number } | undefined
  #lost = 0
  #failing = false
  #closed = false

  constructor(options: AuditLogOptions) {
    this.#options = { fileBytes: 16 * 1024 * 1024, keptFiles: 7, waiting: 5_000, ...options }
  }

  record(entry: Entry): void {
    if (this.#closed) return
    if (this.#waiting.length >= this.#options.waiting) {
      this.#lost++
      return
    }
    this.#waiting.push(entry)
    this.#timer ??= setTimeout(() => void this.flush(), flushEveryMs)
  }

  /** Resolves when everything recorded so far is written, or lost. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    while (this.#writing || this.#waiting.length > 0) {
      this.#writing ??= this.#drain().finally(() => {
        this.#writing = undefined
      })
      await this.#writing
    }
  }

  /** What comes later, of connections that end with the process, is not written. */
  async close(): Promise<void> {
    this.#closed = true
    await this.flush()
    await this.#closeFile()
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const entries = this.#waiting.splice(0, batch)
      const lines = entries.flatMap((entry) => auditEvent(entry) ?? []).map((event) => `${JSON.stringify(event)}\n`)
      try {
        if (lines.length > 0) await this.#append(Buffer.from(lines.join('')))
        else await new Promise(setImmediate)
        this.#failing = false
      } catch (error) {
        this.#lost += lines.length
        // Once, and not for every batch until somebody has made space.
        if (!this.#failing) this.#options.log.error({ err: error, lines: lines.length }, 'audit log cannot be written')
        this.#failing = true
        await this.#closeFile()
      }
    }
    if (this.#lost > 0 && !this.#failing) {
      this.#options.log.warn({ lines: this.#lost }, 'lines of the audit log were lost')
      this.#lost = 0
    }
  }

  async #append(bytes: Buffer): Promise<void> {
    if (this.#file && this.#file.bytes >= this.#options.fileBytes) await this.#putAside()
    this.#file ??= await openForLines(this.#options.directory)
    await this.#file.handle.appendFile(bytes)
    this.#file.bytes += bytes.length
  }

  async #putAside(): Promise<void> {
    const { directory, keptFiles } = this.#options
    await this.#closeFile()
    const stamp = new Date().toISOString().replaceAll(':', '-')
    await rename(join(directory, fileName), join(directory, `audit-${stamp}.log`))
    const aside = (await readdir(directory)).filter((name) => /^audit-.*\.log$/.test(name)).sort()
    for (const name of aside.slice(0, Math.max(0, aside.length - keptFiles))) await rm(join(directory, name))
  }

  async #closeFile(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.handle.close().catch((error: unknown) => {
      this.#options.log.warn({ err: error }, 'audit log was not closed')
    })
  }
}

/** The file, at the start of a line: a crash may have left half of one. */
async function openForLines(directory: string): Promise<{ handle: FileHandle; bytes: number }> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const handle = await open(join(directory, fileName), 'a+', 0o600)
  try {
    const { size } = await handle.stat()
    const last = Buffer.alloc(1)
    if (size > 0) await handle.read(last, 0, 1, size - 1)
    if (size > 0 && last.toString() !== '\n') await handle.appendFile('\n')
    return { handle, bytes: size }
  } catch (error) {
    await handle.close()
    throw error
  }
}
