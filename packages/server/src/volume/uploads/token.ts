import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { writeFileDurably } from '../../qemu/durable-file.ts'

/** What a token lets its holder do: write into one claim. */
export interface UploadGrant {
  namespace: string
  name: string
  uid: string
}

const payload = z.object({ namespace: z.string(), name: z.string(), uid: z.string(), exp: z.number() })
const lifetimeMs = 5 * 60_000

/** Signs and checks upload tokens (JSON Web Tokens, HS256). The key survives restarts, as do tokens handed out. */
export class UploadTokens {
  readonly #key: Buffer

  constructor(key: Buffer) {
    this.#key = key
  }

  static async load(dataDir: string): Promise<UploadTokens> {
    const path = join(dataDir, 'upload-token.key')
    try {
      return new UploadTokens(await readFile(path))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    const key = randomBytes(32)
    await writeFileDurably(path, key)
    return new UploadTokens(key)
  }

  issue({ namespace, name, uid }: UploadGrant, now: Date): string {
    const exp = Math.floor((now.getTime() + lifetimeMs) / 1_000)
    const body = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ namespace, name, uid, exp })}`
    return `${body}.${this.#sign(body).toString('base64url')}`
  }

  /** What a token grants; undefined when it is not ours, not whole, or too old. */
  read(token: string, now: Date): UploadGrant | undefined {
    const [head, claims, signature, ...more] = token.split('.')
    if (head === undefined || claims === undefined || signature === undefined || more.length > 0) return undefined
    const given = Buffer.from(signature, 'base64url')
    const wanted = this.#sign(`${head}.${claims}`)
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return undefined
    try {
      const { exp, ...grant } = payload.parse(JSON.parse(Buffer.from(claims, 'base64url').toString()))
      return exp * 1_000 > now.getTime() ? grant : undefined
    } catch {
      // Signed by us, yet not a grant: the key was used for something else once.
      return undefined
    }
  }

  #sign(body: string): Buffer {
    return createHmac('sha256', this.#key).update(body).digest()
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
