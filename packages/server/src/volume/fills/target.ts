import { open, readFile, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'

/** Where the bytes of a published volume go. */
export interface FillTarget {
  path: string
  format: 'raw' | 'qcow2'
  /** A new volume of this kind reads as zeros, so zeros need not be written. */
  zeroed: boolean
}

const description = z.looseObject({
  format: z.literal('stillpoint.dev/layered-volume/v1'),
  topPath: z.string().startsWith('/'),
})
/** A description is far smaller; a raw image is hardly ever. */
const descriptionLimit = 4 * 1024 * 1024

/** Finds out by looking what a driver has put at the target path. A directory gets a `disk.img` of the given size. */
export async function fillTarget(targetPath: string, capacityBytes: number): Promise<FillTarget> {
  const found = await stat(targetPath)
  if (found.isBlockDevice()) return { path: targetPath, format: 'raw', zeroed: false }
  if (found.isDirectory()) {
    const path = join(targetPath, 'disk.img')
    const file = await open(path, 'a', 0o600)
    await file.close()
    await truncate(path, capacityBytes)
    return { path, format: 'raw', zeroed: false }
  }
  const described = found.size <= descriptionLimit ? parseDescription(await readFile(targetPath, 'utf8')) : undefined
  if (described) return { path: described.topPath, format: 'qcow2', zeroed: true }
  return { path: targetPath, format: 'raw', zeroed: false }
}

function parseDescription(text: string): { topPath: string } | undefined {
  if (!text.startsWith('{')) return undefined
  try {
    return description.parse(JSON.parse(text))
  } catch {
    // A raw image that happens to begin with a brace.
    return undefined
  }
}
