import { constants, open } from 'node:fs/promises'

/** Whether the file system of this file lets it be opened past the page cache. Some (older tmpfs, FUSE) refuse. */
export async function supportsDirectIo(path: string): Promise<boolean> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_DIRECT)
    await file.close()
    return true
  } catch (err) {
    const { code } = err as NodeJS.ErrnoException
    if (code === 'EINVAL' || code === 'EOPNOTSUPP') return false
    throw err
  }
}
