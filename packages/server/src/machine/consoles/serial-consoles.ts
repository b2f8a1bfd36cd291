import type { Duplex } from 'node:stream'
import type { SerialPort } from '../hypervisor/hypervisor.ts'
import { SharedLine } from './shared-line.ts'

interface Entry {
  line: Promise<SharedLine>
  opened?: SharedLine
  users: number
  leaving?: NodeJS.Timeout
}

/** A guest may still be reading what was typed last; when we hang up, QEMU forgets it. */
const defaultLingerMs = 500

/** The serial lines somebody looks at, by machine. A line nobody looks at is soon let go of, and free for others. */
export class SerialConsoles {
  readonly #entries = new Map<string, Entry>()
  readonly #lingerMs: number

  constructor(lingerMs = defaultLingerMs) {
    this.#lingerMs = lingerMs
  }

  /** A viewer of a machine's line, beside those there are. It leaves by being destroyed. */
  async join(id: string, port: SerialPort, replayBytes: number): Promise<Duplex> {
    const entry = this.#entries.get(id) ?? this.#open(id, port)
    entry.users++
    clearTimeout(entry.leaving)
    try {
      entry.opened = await entry.line
      const viewer = entry.opened.join(replayBytes)
      viewer.once('close', () => this.#leave(id, entry))
      return viewer
    } catch (error) {
      this.#leave(id, entry)
      throw error
    }
  }

  /** Lets go of all lines. */
  close(): void {
    for (const [id, entry] of this.#entries) this.#end(id, entry)
  }

  #open(id: string, port: SerialPort): Entry {
    const entry: Entry = { line: SharedLine.open(port, () => this.#forget(id, entry)), users: 0 }
    this.#entries.set(id, entry)
    return entry
  }

  #leave(id: string, entry: Entry): void {
    entry.users--
    if (entry.users > 0) return
    if (entry.opened) entry.leaving = setTimeout(() => this.#end(id, entry), this.#lingerMs)
    else this.#forget(id, entry)
  }

  #end(id: string, entry: Entry): void {
    clearTimeout(entry.leaving)
    this.#forget(id, entry)
    entry.opened?.close()
  }

  #forget(id: string, entry: Entry): void {
    if (this.#entries.get(id) === entry) this.#entries.delete(id)
  }
}
