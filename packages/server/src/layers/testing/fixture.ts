import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { nodeName } from '../block-nodes.ts'
import type { Log } from '../context.ts'
import type { Store } from '../store.ts'

const run = promisify(execFile)

export const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} }

export async function temporaryFolder(): Promise<{ dir: string; remove(): Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'lay-'))
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) }
}

/** Everything of a chain as one option string, built from the catalogue and not from the headers. */
export function openOptions({ context }: Store, layer: string): string {
  let below: object | null = null
  for (const { id, file } of context.catalogue.chain(layer).reverse())
    below = {
      driver: 'qcow2',
      'node-name': nodeName({ tag: 'v' }, id),
      backing: below,
      file: { driver: 'file', filename: context.files.path(file) },
    }
  return `json:${JSON.stringify(below)}`
}

/** Writes one marker byte over a block of a layer that is not open. */
export async function writeMarker(store: Store, layer: string, block: number, marker: number): Promise<void> {
  await run('qemu-io', ['-c', `write -P ${marker} ${block * 65536} 65536`, openOptions(store, layer)])
}

/** The marker bytes in the first blocks of a chain. */
export async function readMarkers(store: Store, layer: string, blocks: number): Promise<number[]> {
  const raw = join(tmpdir(), `markers-${randomUUID()}`)
  try {
    const input = openOptions(store, layer)
    await run('qemu-img', ['dd', '-O', 'raw', 'bs=65536', `count=${blocks}`, `if=${input}`, `of=${raw}`])
    const bytes = await readFile(raw)
    return Array.from({ length: blocks }, (_, block) => bytes[block * 65536] ?? -1)
  } finally {
    await rm(raw, { force: true })
  }
}

/** What is wrong between catalogue and disk; empty when every file is a layer and every layer a file. */
export async function mismatches({ context }: Store): Promise<string[]> {
  const files = new Set(await readdir(context.files.folder))
  const known = new Set(context.catalogue.layers().map(({ file }) => file))
  return [
    ...[...files].filter((file) => !known.has(file)).map((file) => `leaked file ${file}`),
    ...[...known].filter((file) => !files.has(file)).map((file) => `missing file ${file}`),
  ]
}
