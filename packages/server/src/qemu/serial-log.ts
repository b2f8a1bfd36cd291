import { copyFile, open, stat, truncate } from 'node:fs/promises'

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

/** The end of a console log, which may be written and cut short meanwhile. Empty where there is none. */
export async function readSerialTail(path: string, limitBytes: number): Promise<Buffer> {
  let file: Awaited<ReturnType<typeof open>>
  try {
    file = await open(path)
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw err
  }
  try {
    const { size } = await file.stat()
    const length = Math.min(size, limitBytes)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
