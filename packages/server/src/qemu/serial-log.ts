import { copyFile, stat, truncate } from 'node:fs/promises'

/**
 * Keeps a console log from filling the disk: when it has grown beyond the limit, it becomes `<path>.1` and starts
 * anew. QEMU writes by appending, so it may be cut while open; bytes written during the copy may get lost.
 * Returns whether it did anything.
 */
export async function rotateSerialLog(path: string, limitBytes: number): Promise<boolean> {
  try {
    if ((await stat(path)).size <= limitBytes) return false
    await copyFile(path, `${path}.1`)
    await truncate(path, 0)
    return true
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw err
  }
}
