import { hash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import type { UserInfo } from '../registry/admission.ts'
import { writePrivate } from './private-file.ts'

const tokenFile = z.array(
  z.object({
    token: z.string().min(16),
    username: z.string().min(1),
    uid: z.string().optional(),
    groups: z.array(z.string()).default([]),
  }),
)
type TokenFile = z.output<typeof tokenFile>

export const adminUser = 'admin'
export const controllerUser = 'system:controller'
const initialUsers = [
  { username: adminUser, groups: ['system:masters'] },
  { username: controllerUser, groups: ['system:masters'] },
]

/** The static bearer tokens of the server: who holds one is who it says. */
export class Tokens {
  readonly #users = new Map<string, UserInfo>()
  readonly #tokens = new Map<string, string>()

  constructor(entries: TokenFile) {
    for (const { token, username, uid, groups } of entries) {
      this.#tokens.set(username, token)
      const user = { username, groups: [...groups, 'system:authenticated'] }
      this.#users.set(digest(token), uid === undefined ? user : { ...user, uid })
    }
  }

  /** The user of a token. Looked up by digest, so the time it takes says nothing about the token. */
  userOf(token: string): UserInfo | undefined {
    return this.#users.get(digest(token))
  }

  tokenOf(username: string): string {
    const token = this.#tokens.get(username)
    if (token === undefined)
      throw new Error(`tokens.json has no token for ${username}; remove the file to get new ones`)
    return token
  }
}

/** Reads `tokens.json`, or makes it with tokens for the administrator and the controllers. */
export async function loadTokens(directory: string): Promise<Tokens> {
  const path = join(directory, 'tokens.json')
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    const created = initialUsers.map((user) => ({ token: randomBytes(32).toString('base64url'), ...user }))
    await writePrivate(path, `${JSON.stringify(created, undefined, 2)}\n`)
    return new Tokens(created)
  }
  try {
    return new Tokens(tokenFile.parse(JSON.parse(text)))
  } catch (error) {
    throw new Error(`${path} is not a list of {token, username, groups}; repair or remove it`, { cause: error })
  }
}

function digest(token: string): string {
  return hash('sha256', token, 'base64')
}
