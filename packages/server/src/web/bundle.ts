import { hash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, gzip, constants as zlib } from 'node:zlib'

/** Where Vite puts the web console. */
export const builtBundle = join(import.meta.dirname, '../../../console/dist')

const cacheLimitBytes = 64 * 1024 * 1024
const compressedFromBytes = 1_024

export const encodings = ['br', 'gzip'] as const
export type Encoding = (typeof encodings)[number]

/** Content types by extension. What is not here is not served. */
const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.gif': 'image/gif',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.ttf': 'font/ttf',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
}
const packedAlready = /^(?:image\/(?!svg)|font\/woff)/

const packers: Readonly<Record<Encoding, (bytes: Buffer) => Promise<Buffer>>> = {
  // The best two grades take seconds for a large script, and somebody is waiting for it.
  br: (bytes) => promisify(brotliCompress)(bytes, { params: { [zlib.BROTLI_PARAM_QUALITY]: 6 } }),
  gzip: promisify(gzip),
}

/** One file of the bundle, in memory. */
export interface BundleFile {
  type: string
  /** By content, without quotes. */
  tag: string
  bytes: Buffer
  /** The bytes in an encoding, made when first asked for; undefined where that is not worth it. */
  packed(encoding: Encoding): Promise<Buffer> | undefined
}

interface Kept {
  file: BundleFile
  /** When the file was written; it is read again when it is not the same any more. */
  mtimeMs: number
  packed: Map<Encoding, Promise<Buffer>>
  sizeBytes: number
}

/** The built files of the console, read and compressed once; what has not been asked for the longest makes room. */
export class Bundle {
  readonly #dir: string
  readonly #limitBytes: number
  readonly #kept = new Map<string, Kept>()

  constructor(dir: string, limitBytes = cacheLimitBytes) {
    this.#dir = dir
    this.#limitBytes = limitBytes
  }

  /** The file of a name such as `assets/main-3f2c.js`, which must be known to lead nowhere else; undefined without it. */
  async file(name: string): Promise<BundleFile | undefined> {
    const type = types[extname(name)]
    if (type === undefined) return undefined
    const path = join(this.#dir, name)
    try {
      const found = await stat(path)
      if (!found.isFile()) return undefined
      const kept = this.#kept.get(name)
      this.#kept.delete(name)
      const current = kept?.mtimeMs === found.mtimeMs ? kept : this.#keep(type, await readFile(path), found.mtimeMs)
      this.#kept.set(name, current)
      this.#makeRoom()
      return current.file
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return undefined
      throw error
    }
  }

  get sizeBytes(): number {
    return this.#kept.values().reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  }

  #keep(type: string, bytes: Buffer, mtimeMs: number): Kept {
    const worthIt = bytes.length >= compressedFromBytes && !packedAlready.test(type)
    const packed = new Map<Encoding, Promise<Buffer>>()
    const pack = (encoding: Encoding): Promise<Buffer> => {
      const made = packed.get(encoding) ?? packers[encoding](bytes)
      if (!packed.has(encoding)) {
        packed.set(encoding, made)
        void made.then(
          ({ length }) => {
            kept.sizeBytes += length
            this.#makeRoom()
          },
          () => packed.delete(encoding),
        )
      }
      return made
    }
    const tag = hash('sha256', bytes, 'base64url').slice(0, 22)
    const file = { type, tag, bytes, packed: (encoding: Encoding) => (worthIt ? pack(encoding) : undefined) }
    const kept: Kept = { file, mtimeMs, packed, sizeBytes: bytes.length }
    return kept
  }

  #makeRoom(): void {
    let size = this.sizeBytes
    for (const [name, { sizeBytes }] of this.#kept) {
      if (size <= this.#limitBytes) return
      this.#kept.delete(name)
      size -= sizeBytes
    }
  }
}
