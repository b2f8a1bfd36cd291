import { readFile } from 'node:fs/promises'

/**
 * Names one process beyond the reuse of its number: a pid alone may belong to somebody else tomorrow, the
 * start time (clock ticks since boot) tells two owners of a pid apart, and the boot id two machines' lives.
 */
export interface ProcessIdentity {
  readonly pid: number
  readonly startTime: string
  readonly bootId: string
}

export type ProcessFate = 'running' | 'exited' | 'pid-reused' | 'rebooted'

/** The id the kernel drew at this boot. */
export async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
}

/** State letter and start time of a process, or undefined when there is none. */
export async function processStat(pid: number): Promise<{ state: string; startTime: string } | undefined> {
  let text: string
  try {
    text = await readFile(`/proc/${pid}/stat`, 'utf8')
  } catch (err) {
    const code = (err as NodeJS.ErrnoException).code
    // ESRCH: the process went between open and read.
    if (code === 'ENOENT' || code === 'ESRCH') return undefined
    throw err
  }
  return parseStat(text)
}

/** Parses one line of /proc/PID/stat. The command name (field 2) may itself contain spaces and parentheses. */
export function parseStat(text: string): { state: string; startTime: string } | undefined {
  const fields = text
    .slice(text.lastIndexOf(')') + 1)
    .trim()
    .split(/\s+/)
  const state = fields[0]
  const startTime = fields[19]
  if (!state || !startTime || !/^\d+$/.test(startTime)) return undefined
  return { state, startTime }
}

/** The identity of a process that runs now, or undefined when it is gone already. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const stat = await processStat(pid)
  if (!stat || isDead(stat.state)) return undefined
  return { pid, startTime: stat.startTime, bootId: await bootId() }
}

/** What became of the process that once had this identity. */
export async function fateOf(identity: ProcessIdentity): Promise<ProcessFate> {
  if ((await bootId()) !== identity.bootId) return 'rebooted'
  const stat = await processStat(identity.pid)
  if (!stat) return 'exited'
  if (stat.startTime !== identity.startTime) return 'pid-reused'
  return isDead(stat.state) ? 'exited' : 'running'
}

/** Sends a signal only if the pid still belongs to the process meant; tells whether it did. */
export async function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): Promise<boolean> {
  if ((await fateOf(identity)) !== 'running') return false
  try {
    process.kill(identity.pid, signal)
    return true
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw err
  }
}

// A zombie has released its memory, sockets and files; only its parent has not looked yet.
function isDead(state: string): boolean {
  return state === 'Z' || state === 'X'
}
