import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Who holds a data directory: written beside its lock, for people and for `stillpoint down`. */
export interface Owner {
  pid: number
  url: string
}

export function dataDirOf(given: string | undefined): string {
  return resolve(given ?? process.env.STILLPOINT_DATA_DIR ?? join(homedir(), '.local/share/stillpoint'))
}

/** The data directory is in use by another process. */
export class DataDirInUseError extends Error {
  constructor(dir: string, owner: Owner | undefined) {
    const who = owner ? `process ${owner.pid}, serving ${owner.url}` : 'another process'
    super(
      `data directory ${dir} is in use by ${who}; stop it with 'stillpoint down --data-dir ${dir}' or use another one`,
    )
    this.name = 'DataDirInUseError'
  }
}

/**
 * Takes the data directory for this process. The lock is the kernel's (a lock on an SQLite file), so it is free
 * again the moment its holder is gone, however it went.
 */
export function lockDataDir(dir: string): { announce(owner: Owner): void; release(): void } {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const database = new DatabaseSync(join(dir, 'lock.sqlite'))
  try {
    database.exec('PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS held (x); COMMIT')
    // The exclusive mode keeps the lock only once something has been written under it.
    database.exec('BEGIN EXCLUSIVE; DELETE FROM held; INSERT INTO held VALUES (1); COMMIT')
  } catch (error) {
    database.close()
    if (error instanceof Error && error.message.includes('locked')) throw new DataDirInUseError(dir, ownerOf(dir))
    throw new Error(`data directory ${dir} cannot be used`, { cause: error })
  }
  const file = join(dir, 'server.json')
  rmSync(file, { force: true })
  return {
    announce: (owner) => writeFileSync(file, `${JSON.stringify(owner)}\n`, { mode: 0o600 }),
    release: () => {
      rmSync(file, { force: true })
      database.close()
    },
  }
}

/** What the holder of a data directory has announced, if anything readable. */
export function ownerOf(dir: string): Owner | undefined {
  try {
    const owner = JSON.parse(readFileSync(join(dir, 'server.json'), 'utf8')) as Partial<Owner>
    return typeof owner.pid === 'number' && typeof owner.url === 'string'
      ? { pid: owner.pid, url: owner.url }
      : undefined
  } catch {
    return undefined
  }
}

/** Whether some process holds the lock of a data directory right now. */
export function isHeld(dir: string): boolean {
  try {
    lockDataDir(dir).release()
    return false
  } catch (error) {
    if (error instanceof DataDirInUseError) return true
    throw error
  }
}
