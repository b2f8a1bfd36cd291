import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Flushes the entries of a folder, so that a file made, renamed or removed in it stays so after a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Replaces a file as a whole: after a crash at any point there is either the old content or the new one. */
export async function writeFileDurably(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const temporary = `${path}.${process.pid}.new`
  const file = await open(temporary, 'w', mode)
  try {
    await file.writeFile(content)
    await file.sync()
  } catch (err) {
    await rm(temporary, { force: true })
    throw err
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  await syncFolder(dirname(path))
}

/** Removes a file and makes sure it stays removed. A file that is not there is fine. */
export async function removeFileDurably(path: string): Promise<void> {
  await rm(path, { force: true })
  await syncFolder(dirname(path))
}
