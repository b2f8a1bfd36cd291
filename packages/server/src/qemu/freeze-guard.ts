import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { writeFileDurably } from './durable-file.ts'
import { fateOf, identify, type ProcessIdentity, signalProcess } from './linux-process.ts'

// Linux does not thaw a guest by itself, and the server that froze it may be killed in the middle. So a second, very
// small process watches over the server and does nothing else.
//
//   server                                    guard (own session, survives the server)
//   ──────                                    ────────────────────────────────────────
//   starts it, stdin is a pipe ─────────────► prints "ready", waits for the end of its stdin
//   writes guard.json {pid, startTime, …}
//   ends the guard of the server before
//   … freezes and thaws under leases …
//   dies in any way: the kernel closes the ─► end of stdin: for every lease in the runtime folder
//   pipe and the agents' sockets                connect to the agent, sync, thaw, ask the status,
//                                               again until `thawed` or until the VM is gone,
//                                               remove the lease; none left: exit
//   a new server starts a new guard, writes
//   guard.json, ends the old guard ─────────► ends at once; or sees guard.json name another and ends
//   and thaws by itself what still has a lease
//
// An agent's socket serves one client at a time: a second one waits unseen, and what it has sent is carried out
// later. Three rules make that harmless. The guard works only when its server is dead, so their sockets never
// compete. A new server attaches to agents only after `startFreezeGuard` has returned, hence after the old guard's
// end. And a guard that waits has sent nothing but a sync; a thaw follows only upon its answer, so that a late thaw
// can never break a freeze of the next server.

export interface FreezeGuardOptions {
  /** Default: the Node that runs this. */
  readonly program?: string
  /** For the guard to start. Default 10 s. */
  readonly timeoutMs?: number
}

export interface FreezeGuard {
  readonly pid: number
  /**
   * Ends the watch in order. A guard that finds leases all the same goes on with them by itself; returns whether it
   * has ended.
   */
  close(): Promise<{ ended: boolean }>
}

export const guardFile = 'guard.json'

/** Starts this server's guard and ends the one of the server before. To be awaited before any agent is attached. */
export async function startFreezeGuard(runtimeDir: string, options: FreezeGuardOptions = {}): Promise<FreezeGuard> {
  await mkdir(runtimeDir, { recursive: true, mode: 0o700 })
  const previous = await readGuard(runtimeDir)
  let current = await startOne(runtimeDir, options)
  if (previous) await endGuard(previous)

  let closing = false
  const keepAlive = async () => {
    for (let pauseMs = 1000; !closing; pauseMs = Math.min(pauseMs * 2, 60_000)) {
      if (current.child.exitCode === null && current.child.signalCode === null) await once(current.child, 'exit')
      if (closing) return
      // Killed by hand or for lack of memory: without it the server goes on, only less safely.
      process.emitWarning(
        `the freeze guard ended (${current.child.signalCode ?? current.child.exitCode}), starting another`,
      )
      await delay(pauseMs, undefined, { ref: false })
      if (closing) return
      current = await startOne(runtimeDir, options).catch((err: unknown) => {
        process.emitWarning(`cannot start the freeze guard: ${err instanceof Error ? err.message : String(err)}`)
        return current
      })
    }
  }
  void keepAlive()

  return {
    get pid() {
      return current.identity.pid
    },
    async close() {
      closing = true
      const { child } = current
      const ended = child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : once(child, 'exit')
      child.stdin?.end()
      const timer = new AbortController()
      const late = delay(2000, 'late' as const, { signal: timer.signal }).catch(() => undefined)
      const outcome = await Promise.race([ended, late])
      timer.abort()
      return { ended: outcome !== 'late' }
    },
  }
}

interface Started {
  readonly child: ChildProcess
  readonly identity: ProcessIdentity
}

async function startOne(runtimeDir: string, options: FreezeGuardOptions): Promise<Started> {
  const timeoutMs = options.timeoutMs ?? 10_000
  const logPath = join(runtimeDir, 'guard.log')
  const log = await open(logPath, 'w', 0o600)
  let child: ChildProcess
  try {
    child = spawn(
      options.program ?? process.execPath,
      [
        // It holds a few sockets and file names; the limits keep it small over months.
        '--max-old-space-size=32',
        '--max-semi-space-size=1',
        fileURLToPath(new URL('./freeze-guard-main.ts', import.meta.url)),
        runtimeDir,
      ],
      // With its code cached it needs no TypeScript compiler, which would be half of its memory.
      {
        detached: true,
        stdio: ['pipe', 'pipe', log.fd],
        cwd: '/',
        env: { PATH: process.env.PATH ?? '', NODE_COMPILE_CACHE: join(runtimeDir, 'guard-cache') },
      },
    )
  } finally {
    await log.close()
  }
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {})
  child.once('error', (err) => failed.reject(new Error('cannot run the freeze guard', { cause: err })))
  child.once('exit', (code, signal) =>
    failed.reject(new Error(`the freeze guard ended (${signal ?? code}), see ${logPath}`)),
  )
  // A write after its end is told by 'exit' well enough.
  child.stdin?.on('error', () => {})
  const ready = Promise.withResolvers<void>()
  child.stdout?.once('data', () => ready.resolve())
  const timer = setTimeout(
    () => failed.reject(new Error(`the freeze guard did not start within ${timeoutMs} ms`)),
    timeoutMs,
  )
  try {
    await Promise.race([ready.promise, failed.promise])
    const identity = child.pid === undefined ? undefined : await identify(child.pid)
    if (!identity) return await failed.promise
    await writeFileDurably(join(runtimeDir, guardFile), `${JSON.stringify(identity)}\n`)
    child.stdout?.destroy()
    // The guard must not keep its server from ending: its end is what the guard waits for.
    child.unref()
    if (child.stdin && 'unref' in child.stdin && typeof child.stdin.unref === 'function') child.stdin.unref()
    return { child, identity }
  } catch (err) {
    child.kill('SIGKILL')
    throw err
  } finally {
    clearTimeout(timer)
  }
}

async function endGuard(guard: ProcessIdentity): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await signalProcess(guard, signal)
    for (let waitedMs = 0; waitedMs < 2000; waitedMs += 10) {
      if ((await fateOf(guard)) !== 'running') return
      await delay(10)
    }
  }
  throw new Error(`the freeze guard of an earlier server (process ${guard.pid}) does not end`)
}

/** The guard that a runtime folder names, whether it lives or not. */
export async function readGuard(runtimeDir: string): Promise<ProcessIdentity | undefined> {
  const text = await readFile(join(runtimeDir, guardFile), 'utf8').catch((err: NodeJS.ErrnoException) => {
    if (err.code === 'ENOENT') return ''
    throw err
  })
  try {
    const { pid, startTime, bootId } = JSON.parse(text) as Partial<ProcessIdentity>
    if (typeof pid === 'number' && typeof startTime === 'string' && typeof bootId === 'string')
      return { pid, startTime, bootId }
  } catch {
    // Never written, or not by us: then there is no guard to end.
  }
  return undefined
}
