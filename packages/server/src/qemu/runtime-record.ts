import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import type { ProcessPaths } from './arguments.ts'
import { writeFileDurably } from './durable-file.ts'
import { identify, type ProcessIdentity } from './linux-process.ts'

const socketPath = z.string().min(1)

const runtimeRecord = z.object({
  version: z.literal(1),
  name: z.string(),
  uuid: z.string(),
  /** Absent between the decision to start and the first sign of life. */
  process: z
    .object({ pid: z.number().int().positive(), startTime: z.string().regex(/^\d+$/), bootId: z.string().min(1) })
    .optional(),
  /** Of the whole command line, program included: tells our process from another with the same pid. */
  argvHash: z.string(),
  /** For restoring machine state, which needs exactly the same machine. */
  argv: z.array(z.string()),
  /** The versioned type. */
  machine: z.string(),
  accel: z.enum(['kvm', 'tcg']),
  sandbox: z.boolean(),
  serialLogLimitBytes: z.number().int().positive(),
  startedAt: z.iso.datetime(),
  sockets: z.object({
    qmp: socketPath,
    storage: socketPath,
    agent: socketPath.optional(),
    serial: socketPath.optional(),
    vnc: socketPath.optional(),
  }),
  pidFile: z.string(),
  logs: z.object({ stderr: z.string(), serial: z.string().optional() }),
})

/** What a server needs to know about a QEMU that another server started. Lies as `runtime.json` in its folder. */
export type RuntimeRecord = z.output<typeof runtimeRecord>

export const runtimeRecordFile = 'runtime.json'

export function processPaths(dir: string): ProcessPaths & { stderr: string; record: string } {
  return {
    qmp: join(dir, 'qmp'),
    storage: join(dir, 'storage'),
    agent: join(dir, 'qga'),
    serial: join(dir, 'serial'),
    vnc: join(dir, 'vnc'),
    pidFile: join(dir, 'qemu.pid'),
    serialLog: join(dir, 'serial.log'),
    stderr: join(dir, 'qemu.log'),
    record: join(dir, runtimeRecordFile),
  }
}

export function hashArgv(argv: readonly string[]): string {
  return createHash('sha256').update(argv.join('\0')).digest('hex')
}

export async function writeRuntimeRecord(dir: string, record: RuntimeRecord): Promise<void> {
  await writeFileDurably(processPaths(dir).record, `${JSON.stringify(record)}\n`)
}

/**
 * Reads the record of a folder; undefined when no process was ever started there. A server that died between
 * starting QEMU and noting its pid left a record without process: then QEMU's own pid file is asked, and believed
 * only if that process has our command line.
 */
export async function readRuntimeRecord(dir: string): Promise<RuntimeRecord | undefined> {
  const text = await readIfThere(processPaths(dir).record)
  if (text === undefined) return undefined
  const record = runtimeRecord.parse(JSON.parse(text))
  if (record.process) return record
  const found = await findByPidFile(record)
  return found ? { ...record, process: found } : record
}

async function findByPidFile(record: RuntimeRecord): Promise<ProcessIdentity | undefined> {
  const pid = Number.parseInt((await readIfThere(record.pidFile)) ?? '', 10)
  if (!(pid > 0)) return undefined
  const commandLine = await readIfThere(`/proc/${pid}/cmdline`)
  // The kernel ends every argument with a zero.
  if (commandLine === undefined || hashArgv(commandLine.split('\0').slice(0, -1)) !== record.argvHash) return undefined
  return await identify(pid)
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (err) {
    const { code } = err as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ESRCH') return undefined
    throw err
  }
}
