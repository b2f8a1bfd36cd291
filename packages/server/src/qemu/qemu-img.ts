import { execFile } from 'node:child_process'
import { access } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
const gib = 1024 ** 3

export interface QemuImgOptions {
  /** Default 60 s. */
  readonly timeoutMs?: number
  /** Address space, because a crafted image may ask for any amount of memory. Default 2 GiB. */
  readonly memoryBytes?: number
  readonly signal?: AbortSignal
  /** Default `qemu-img` from the path. */
  readonly program?: string
}

/** qemu-img refused or did not end in time; `stderr` is what it said. */
export class QemuImgError extends Error {
  override readonly name = 'QemuImgError'
  readonly command: string
  readonly stderr: string

  constructor(command: string, problem: string, stderr: string, options?: ErrorOptions) {
    super(`qemu-img ${command}: ${problem}`, options)
    this.command = command
    this.stderr = stderr
  }
}

let prlimit: Promise<string | undefined> | undefined

/** Runs qemu-img with limits on time and memory, never through a shell; returns what it printed. */
export async function runQemuImg(args: readonly string[], options: QemuImgOptions = {}): Promise<string> {
  const { timeoutMs = 60_000, memoryBytes = 2 * gib, signal, program = 'qemu-img' } = options
  prlimit ??= findPrlimit()
  const limiter = await prlimit
  // Processor time is limited too, in case the kill does not reach it because this process was killed first.
  const limits = [`--as=${memoryBytes}`, `--cpu=${Math.ceil(timeoutMs / 1000) + 1}`, '--core=0', '--']
  const [file, argv] = limiter ? [limiter, [...limits, program, ...args]] : [program, [...args]]
  const command = args[0] ?? ''
  try {
    const { stdout } = await run(file, argv, {
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      maxBuffer: 16 * 1024 * 1024,
      cwd: '/',
      ...(signal ? { signal } : {}),
    })
    return stdout
  } catch (err) {
    const { stderr = '', killed, code } = err as { stderr?: string; killed?: boolean; code?: unknown }
    const text = stderr.trim().slice(-1000)
    const problem = killed ? `did not end within ${timeoutMs} ms` : text || `failed (${String(code)})`
    throw new QemuImgError(command, problem, text, { cause: err })
  }
}

async function findPrlimit(): Promise<string | undefined> {
  for (const path of ['/usr/bin/prlimit', '/bin/prlimit']) {
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path
  }
  return undefined
}
