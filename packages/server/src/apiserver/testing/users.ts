import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestServer } from './server.ts'

/** Adds users with static tokens, each the user's name and `-token-0123456789`, and starts the server again. */
export async function addUsers(api: TestServer, users: Record<string, readonly string[]>): Promise<void> {
  const path = join(api.dataDir, 'pki', 'tokens.json')
  const entries = JSON.parse(await readFile(path, 'utf8')) as object[]
  const added = Object.entries(users).map(([username, groups]) => ({ token: tokenOf(username), username, groups }))
  await writeFile(path, JSON.stringify([...entries, ...added]))
  await api.restart()
}

export function tokenOf(username: string): string {
  return `${username}-token-0123456789`
}
