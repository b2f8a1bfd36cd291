import { readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { writeFileDurably } from '../../qemu/durable-file.ts'
import type { BlockdevOptions, BlockSource } from '../../qemu/spec.ts'
import type { MachineDisk } from './hypervisor.ts'

const layeredVolume = z.object({
  format: z.literal('stillpoint.dev/layered-volume/v1'),
  nodes: z.array(z.looseObject({ driver: z.string(), 'node-name': z.string() })).min(1),
  top: z.string(),
  monitorFile: z.string(),
})

export interface OpenedVolume {
  source: BlockSource
  /** Where the volume's driver learns by which monitor it is open. */
  monitorFile?: string
}

// A description of a chain of hundreds of layers has some hundred kilobytes; a disk is longer.
const descriptionLimitBytes = 4 * 1024 * 1024

/** How the thing at a published path is opened, found out by looking at it. */
export async function openVolume(disk: MachineDisk): Promise<OpenedVolume> {
  const { path } = disk
  const found = await stat(path).catch((error) => {
    throw new Error(`disk ${disk.name}: nothing is published at ${path}`, { cause: error })
  })
  if (found.isBlockDevice()) return { source: { kind: 'device', path, aio: disk.io } }
  if (found.isDirectory()) return { source: rawFile(join(path, 'disk.img'), disk) }
  if (!found.isFile()) throw new Error(`disk ${disk.name}: ${path} is neither a block device, a folder nor a file`)
  const text = found.size <= descriptionLimitBytes ? await readFile(path) : undefined
  // A raw disk may begin with anything, but hardly with a whole JSON text.
  const description = text?.[0] === 0x7b ? parseJson(text) : undefined
  if (description === undefined) return { source: rawFile(path, disk) }
  const parsed = layeredVolume.safeParse(description)
  if (!parsed.success)
    throw new Error(`disk ${disk.name}: ${path} describes a volume in a form that is not known here`, {
      cause: parsed.error,
    })
  const { nodes, top, monitorFile } = parsed.data
  return { source: { kind: 'layered', nodes: nodes as BlockdevOptions[], top }, monitorFile }
}

/** Says by which monitor a layered volume is open. To be called before it is opened, or it could be cut as closed. */
export async function announceMonitor(monitorFile: string, qmpSocket: string): Promise<void> {
  await writeFileDurably(monitorFile, `${JSON.stringify({ qmpSocket })}\n`)
}

/** The process that had the volume open is gone. */
export async function withdrawMonitor(monitorFile: string): Promise<void> {
  await rm(monitorFile, { force: true })
}

function rawFile(path: string, { cache, io }: MachineDisk): BlockSource {
  return {
    kind: 'file',
    format: 'raw',
    path,
    cache: cache === 'none' ? 'direct' : (cache ?? 'auto'),
    ...(io ? { aio: io } : {}),
  }
}

function parseJson(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString('utf8'))
  } catch {
    return undefined // no description after all
  }
}
