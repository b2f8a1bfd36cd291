import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { removeFileDurably, writeFileDurably } from './durable-file.ts'
import type { ProcessIdentity } from './linux-process.ts'

// Kept free of heavy imports: the freeze guard, which runs all the time, reads leases too.

/**
 * The promise to thaw a guest, written before it is frozen and removed only when it is known to be thawed. Lies as
 * `freeze.json` in the folder of the VM, beside `runtime.json`.
 */
export interface FreezeLease {
  readonly vm: string
  /** Who asked for the freeze, where that was said. */
  readonly holder?: string | undefined
  readonly agentSocket: string
  readonly qmpSocket?: string | undefined
  readonly frozenAt: Date
  /** A server that lives thaws at this time at the latest; a guard of a dead one does so at once. */
  readonly deadline: Date
  /** QEMU's process: when it is gone, so is the frozen guest. */
  readonly process?: ProcessIdentity | undefined
}

export interface FoundLease {
  readonly folder: string
  readonly lease: FreezeLease
}

export const freezeLeaseFile = 'freeze.json'

/** The leases in the folders of one runtime directory. */
export class FreezeLeases {
  readonly #runtimeDir: string

  constructor(runtimeDir: string) {
    this.#runtimeDir = runtimeDir
  }

  /** Writes a lease and returns when it is on disk. To be awaited before the freeze is sent. */
  async grant(folder: string, lease: FreezeLease): Promise<void> {
    const { process: identity, frozenAt, deadline, ...rest } = lease
    const file = { ...rest, frozenAt: frozenAt.toISOString(), deadline: deadline.toISOString(), ...identity }
    await writeFileDurably(join(this.#runtimeDir, folder, freezeLeaseFile), `${JSON.stringify(file)}\n`)
  }

  /** Removes a lease. Only after the guest reported `thawed`, was reset, or is gone. */
  async release(folder: string): Promise<void> {
    await removeFileDurably(join(this.#runtimeDir, folder, freezeLeaseFile))
  }

  async read(folder: string): Promise<FreezeLease | undefined> {
    const path = join(this.#runtimeDir, folder)
    const text = await readIfThere(join(path, freezeLeaseFile))
    if (text === undefined) return undefined
    const runtime = (await readIfThere(join(path, 'runtime.json'))) ?? ''
    return parseLease(folder, path, text, runtime)
  }

  async list(): Promise<FoundLease[]> {
    const entries = await readdir(this.#runtimeDir, { withFileTypes: true }).catch((err: NodeJS.ErrnoException) => {
      if (err.code === 'ENOENT') return []
      throw err
    })
    const found: FoundLease[] = []
    for (const entry of entries) {
      if (!entry.isDirectory()) continue
      const lease = await this.read(entry.name)
      if (lease) found.push({ folder: entry.name, lease })
    }
    return found
  }
}

/**
 * Reads a lease, taking from the runtime record beside it what it lacks. One that cannot be read still is a lease:
 * a thaw too many does no harm, one too few stops a guest.
 */
export function parseLease(folder: string, path: string, text: string, runtimeText: string): FreezeLease {
  const lease = parseRecord(text)
  const runtime = parseRecord(runtimeText)
  const sockets = isRecord(runtime.sockets) ? runtime.sockets : {}
  const recorded = readIdentity(isRecord(runtime.process) ? runtime.process : {})
  const qmpSocket = textOf(lease.qmpSocket) ?? textOf(sockets.qmp)
  const holder = textOf(lease.holder)
  return {
    vm: textOf(lease.vm) ?? folder,
    ...(holder === undefined ? {} : { holder }),
    agentSocket: textOf(lease.agentSocket) ?? textOf(sockets.agent) ?? join(path, 'qga'),
    ...(qmpSocket === undefined ? {} : { qmpSocket }),
    frozenAt: dateOf(lease.frozenAt),
    deadline: dateOf(lease.deadline ?? lease.thawAt),
    process: readIdentity(lease) ?? recorded,
  }
}

function readIdentity(fields: Record<string, unknown>): ProcessIdentity | undefined {
  const { pid } = fields
  const startTime = textOf(fields.startTime)
  const bootId = textOf(fields.bootId)
  return typeof pid === 'number' && Number.isSafeInteger(pid) && pid > 0 && startTime && bootId
    ? { pid, startTime, bootId }
    : undefined
}

function parseRecord(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : {}
  } catch {
    return {}
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function dateOf(value: unknown): Date {
  const date = new Date(typeof value === 'string' ? value : 0)
  return Number.isNaN(date.getTime()) ? new Date(0) : date
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (err) {
    const { code } = err as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw err
  }
}
