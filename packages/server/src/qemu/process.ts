import { type ChildProcess, spawn } from 'node:child_process'
import { chmod, mkdir, open, readFile, rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { buildArguments, type ProcessPaths } from './arguments.ts'
import { supportsDirectIo } from './direct-io.ts'
import { refuseReferences } from './image.ts'
import { fateOf, identify, type ProcessFate, type ProcessIdentity, signalProcess } from './linux-process.ts'
import { resolveMachineType } from './machine-type.ts'
import { QmpConnection } from './qmp.ts'
import { hashArgv, processPaths, type RuntimeRecord, writeRuntimeRecord } from './runtime-record.ts'
import { rotateSerialLog } from './serial-log.ts'
import type { QemuSpec } from './spec.ts'
import { whyNotSocketPath } from './unix-socket.ts'

//   record without pid ─► QEMU started, CPUs stopped ─► monitor answers ─► record with pid ─► cont
//   A crash at any arrow leaves either nothing, or a stopped guest that `readRuntimeRecord` finds by its pid file.

export interface LaunchOptions {
  /** Default `qemu-system-x86_64` from the path. */
  readonly program?: string
  /** For QEMU to open its disks and answer. Default 30 s. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** The console log is rotated beyond this size. Default 16 MiB. */
  readonly serialLogLimitBytes?: number
}

/** QEMU did not start, or its end came at a bad time. `log` holds the last lines it wrote. */
export class QemuError extends Error {
  override readonly name = 'QemuError'
  readonly log: string

  constructor(message: string, log = '', options?: ErrorOptions) {
    super(log === '' ? message : `${message}: ${log}`, options)
    this.log = log
  }
}

/** The process a record names is not there any more. */
export class QemuGoneError extends Error {
  override readonly name = 'QemuGoneError'
  readonly fate: Exclude<ProcessFate, 'running'> | 'never-started'

  constructor(name: string, fate: Exclude<ProcessFate, 'running'> | 'never-started') {
    super(`QEMU of ${name} is gone: ${fate}`)
    this.fate = fate
  }
}

export interface QemuExit {
  /** Known only to the server that started the process. */
  readonly code: number | undefined
  readonly signal: string | undefined
  /** What QEMU last said about an end; without it the end was a crash. */
  readonly shutdown: { readonly guest: boolean; readonly reason: string } | undefined
}

export const terminationWays = ['already-gone', 'guest', 'quit', 'SIGTERM', 'SIGKILL'] as const

export interface Termination {
  /** What ended it: `guest` obeyed within its time, or the firmest means that was needed. */
  readonly how: (typeof terminationWays)[number]
  readonly durationMs: number
}

export interface TerminateOptions {
  /** Time for the guest to end by itself. 0 does not ask it. */
  readonly graceMs: number
  /** How to ask; default the power button. Repeated every 5 s, for a guest that boots does not listen. */
  readonly ask?: () => Promise<void>
  readonly quitMs?: number
  readonly termMs?: number
}

/** Starts a QEMU that outlives this process, and returns when its monitor answers. */
export async function launch(spec: QemuSpec, dir: string, options: LaunchOptions = {}): Promise<RunningQemu> {
  const program = options.program ?? 'qemu-system-x86_64'
  const paths = processPaths(dir)
  const why = whyNotSocketPath(paths.serialLog)
  if (why) throw new QemuError(why)
  const machine = await resolveMachineType(spec.machine, program)
  const directIo = await prepareFiles(spec)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await chmod(dir, 0o700)

  const start = async (sandbox: QemuSpec['sandbox']) => {
    const args = buildArguments({ ...spec, sandbox: sandbox ?? 'on' }, machine, paths, directIo)
    const record = newRecord(spec, [program, ...args], machine, sandbox !== 'off', paths, options)
    return await startOnce(dir, record, options)
  }
  let qemu: RunningQemu
  try {
    qemu = await start(spec.sandbox)
  } catch (err) {
    // Built without seccomp, or a kernel that does not offer it. Noted in the record; anything else is a failure.
    const withoutSandbox = err instanceof QemuError && /-sandbox|seccomp/i.test(err.log)
    if (spec.sandbox === 'off' || !withoutSandbox) throw err
    qemu = await start('off')
  }
  if (!spec.startPaused && !spec.incoming) await qemu.qmp.execute('cont')
  return qemu
}

/**
 * Takes over a QEMU that an earlier server started. Throws `QemuGoneError` when that very process is not running,
 * `QmpError` when it runs and its monitor does not answer.
 */
export async function adopt(record: RuntimeRecord, options: { timeoutMs?: number } = {}): Promise<RunningQemu> {
  const { process: identity } = record
  if (!identity) throw new QemuGoneError(record.name, 'never-started')
  const fate = await fateOf(identity)
  if (fate !== 'running') throw new QemuGoneError(record.name, fate)
  const qmp = await QmpConnection.connect(record.sockets.qmp, { timeoutMs: options.timeoutMs ?? 10_000 })
  return new RunningQemu(record, identity, qmp, undefined)
}

/** One QEMU process and the first of its monitors; the second one (`record.sockets.storage`) is left to the volumes. */
export class RunningQemu {
  readonly record: RuntimeRecord
  readonly identity: ProcessIdentity
  readonly qmp: QmpConnection
  readonly #exited: PromiseWithResolvers<QemuExit> = Promise.withResolvers()
  readonly #logTimer: NodeJS.Timeout | undefined
  #shutdown: QemuExit['shutdown']
  #hasExited = false
  #detached = false
  #monitorClosed = false
  readonly #child: ChildProcess | undefined

  constructor(record: RuntimeRecord, identity: ProcessIdentity, qmp: QmpConnection, child: ChildProcess | undefined) {
    this.record = record
    this.identity = identity
    this.qmp = qmp
    this.#child = child
    void qmp.closed.then(() => {
      this.#monitorClosed = true
    })
    qmp.onEvent(({ event, data }) => {
      // A guest that ended is followed by our own quit, which must not hide it; one that runs again has not ended.
      if (event === 'SHUTDOWN' && !this.#shutdown?.guest) this.#shutdown = readShutdown(data)
      if (event === 'RESUME') this.#shutdown = undefined
    })
    if (child) this.#watchChild(child)
    else void this.#watchStranger()
    const { serial } = record.logs
    if (serial !== undefined) {
      this.#logTimer = setInterval(() => {
        rotateSerialLog(serial, record.serialLogLimitBytes).catch((err: unknown) => {
          process.emitWarning(`cannot rotate ${serial}: ${err instanceof Error ? err.message : String(err)}`)
        })
      }, 10_000).unref()
    }
  }

  get pid(): number {
    return this.identity.pid
  }

  /** Resolves when the process is gone. Never after `detach`. */
  get exited(): Promise<QemuExit> {
    return this.#exited.promise
  }

  get hasExited(): boolean {
    return this.#hasExited
  }

  /** The last SHUTDOWN that QEMU reported to this server. */
  get lastShutdown(): QemuExit['shutdown'] {
    return this.#shutdown
  }

  /** The end of what QEMU wrote to its error output. */
  async logTail(): Promise<string> {
    return await readLogTail(this.record.logs.stderr)
  }

  /**
   * Ends the process: asks the guest, then tells QEMU, then the kernel. Returns only when the process is gone and
   * its disks are free.
   */
  async terminate({ graceMs, ask, quitMs = 10_000, termMs = 5000 }: TerminateOptions): Promise<Termination> {
    const startedAt = Date.now()
    const done = (how: Termination['how']): Termination => ({ how, durationMs: Date.now() - startedAt })
    if (this.#hasExited || (await fateOf(this.identity)) !== 'running') {
      this.#finish(undefined, undefined)
      return done('already-gone')
    }
    const obeyed = graceMs > 0 && (await this.#askGuest(Date.now() + graceMs, ask))
    if (this.#hasExited) return done(obeyed ? 'guest' : 'already-gone')

    if (!this.#monitorClosed) {
      // `quit` flushes and closes the images. Its reply may be lost in the end of the connection: only the end counts.
      const quit = this.qmp.execute('quit', undefined, { timeoutMs: quitMs }).catch(() => undefined)
      if (await this.#gone(quitMs, quit)) return done(obeyed ? 'guest' : 'quit')
    }
    for (const [signal, waitMs] of [
      ['SIGTERM', termMs],
      ['SIGKILL', 30_000],
    ] as const) {
      await signalProcess(this.identity, signal)
      if (await this.#gone(waitMs)) return done(signal)
    }
    throw new QemuError(`QEMU ${this.pid} of ${this.record.name} does not end even by SIGKILL; its storage hangs`)
  }

  /** Lets go of the process, which runs on. */
  async detach(): Promise<void> {
    this.#detached = true
    clearInterval(this.#logTimer)
    await this.qmp.close()
  }

  async #askGuest(deadline: number, ask: TerminateOptions['ask']): Promise<boolean> {
    const over = Promise.withResolvers<'over'>()
    const stop = this.qmp.onEvent(({ event }) => {
      if (event === 'SHUTDOWN') over.resolve('over')
    })
    void this.exited.then(() => over.resolve('over'))
    void this.qmp.closed.then(() => over.resolve('over'))
    try {
      for (;;) {
        const { status } = await this.qmp.execute<{ status: string }>('query-status')
        if (status === 'shutdown') return true
        // A guest that does not run cannot obey.
        if (status !== 'running') return false
        await (ask?.() ?? this.qmp.execute('system_powerdown'))
        const waitMs = Math.min(5000, deadline - Date.now())
        const timer = new AbortController()
        const outcome = await Promise.race([
          over.promise,
          delay(Math.max(0, waitMs), undefined, { signal: timer.signal }).catch(() => undefined),
        ])
        timer.abort()
        if (outcome === 'over') return true
        if (Date.now() >= deadline) return false
      }
    } catch {
      // The monitor does not answer: nothing polite is left, and what follows copes with that.
      return false
    } finally {
      stop()
    }
  }

  async #gone(waitMs: number, ...alsoAwait: Promise<unknown>[]): Promise<boolean> {
    const timer = new AbortController()
    const timeUp = delay(waitMs, undefined, { signal: timer.signal }).catch(() => undefined)
    // An adopted process has no exit event: its end shows in the connection, and in /proc soon after.
    await Promise.race([this.exited, timeUp, Promise.all([this.qmp.closed, ...alsoAwait])])
    const deadline = Date.now() + Math.min(waitMs, 2000)
    while (!this.#hasExited && (await fateOf(this.identity)) === 'running') {
      if (Date.now() >= deadline) break
      await Promise.race([this.exited, delay(10)])
    }
    timer.abort()
    if (this.#hasExited) return true
    if ((await fateOf(this.identity)) === 'running') return false
    // Our own child is a zombie until Node has collected its exit code, which is about to be told.
    if (this.#child) await Promise.race([this.exited, delay(1000)])
    this.#finish(undefined, undefined)
    return true
  }

  #watchChild(child: ChildProcess): void {
    const ended = () => this.#finish(child.exitCode ?? undefined, child.signalCode ?? undefined)
    if (child.exitCode !== null || child.signalCode !== null) ended()
    else child.once('exit', ended)
  }

  // The connection ends with the process, but may also end alone; only /proc tells.
  async #watchStranger(): Promise<void> {
    await this.qmp.closed
    for (let pauseMs = 10; !this.#detached && !this.#hasExited; pauseMs = Math.min(pauseMs * 2, 1000)) {
      if ((await fateOf(this.identity)) !== 'running') {
        this.#finish(undefined, undefined)
        return
      }
      await delay(pauseMs, undefined, { ref: false })
    }
  }

  #finish(code: number | undefined, signal: string | undefined): void {
    if (this.#hasExited) return
    this.#hasExited = true
    clearInterval(this.#logTimer)
    this.#exited.resolve({ code, signal, shutdown: this.#shutdown })
  }
}

async function prepareFiles(spec: QemuSpec): Promise<Set<string>> {
  const direct = new Set<string>()
  for (const { source } of spec.disks) {
    if (source?.kind !== 'file') continue
    if (source.format === 'qcow2') await refuseReferences(source.path)
    if (await supportsDirectIo(source.path)) direct.add(source.path)
  }
  return direct
}

function newRecord(
  spec: QemuSpec,
  argv: string[],
  machine: string,
  sandbox: boolean,
  paths: ProcessPaths & { stderr: string },
  options: LaunchOptions,
): RuntimeRecord {
  const serial = spec.serialConsole !== false
  return {
    version: 1,
    name: spec.name,
    uuid: spec.uuid,
    argvHash: hashArgv(argv),
    argv,
    machine,
    accel: spec.accel,
    sandbox,
    serialLogLimitBytes: options.serialLogLimitBytes ?? 16 * 1024 * 1024,
    startedAt: new Date().toISOString(),
    sockets: {
      qmp: paths.qmp,
      storage: paths.storage,
      ...(spec.guestAgent === false ? {} : { agent: paths.agent }),
      ...(serial ? { serial: paths.serial } : {}),
      ...(spec.graphics === 'vnc' ? { vnc: paths.vnc } : {}),
    },
    pidFile: paths.pidFile,
    logs: { stderr: paths.stderr, ...(serial ? { serial: paths.serialLog } : {}) },
  }
}

async function startOnce(dir: string, record: RuntimeRecord, options: LaunchOptions): Promise<RunningQemu> {
  const timeoutMs = options.timeoutMs ?? 30_000
  const { pidFile, sockets, logs } = record
  for (const path of [pidFile, ...Object.values(sockets).filter((socket) => socket !== undefined)])
    await rm(path, { force: true })
  await writeRuntimeRecord(dir, record)
  const child = await spawnDetached(record.argv, logs.stderr)
  const aborted = new AbortController()
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {}) // looked at only until the monitor answers
  child.once('error', (err) =>
    failed.reject(new QemuError(`cannot run ${record.argv[0]}: ${err.message}`, '', { cause: err })),
  )
  child.once('exit', (code, signal) => {
    void readLogTail(logs.stderr).then((log) =>
      failed.reject(new QemuError(`QEMU ended at its start (${signal ?? `exit code ${code}`})`, log)),
    )
  })
  try {
    const signal = options.signal ? AbortSignal.any([options.signal, aborted.signal]) : aborted.signal
    const connected = connectWhenThere(sockets.qmp, timeoutMs, signal).catch(async (err: unknown) => {
      // A monitor that hangs up is a QEMU that ends, and says why better than the broken connection does.
      await Promise.race([failed.promise, delay(exitNewsMs, undefined, { signal: aborted.signal }).catch(() => {})])
      throw err
    })
    const qmp = await Promise.race([failed.promise, connected])
    const identity = child.pid === undefined ? undefined : await identify(child.pid)
    if (!identity) return await failed.promise
    const complete = { ...record, process: identity }
    await writeRuntimeRecord(dir, complete)
    return new RunningQemu(complete, identity, qmp, child)
  } catch (err) {
    aborted.abort()
    // It has not run one instruction of the guest: nothing is lost, and it must not hold the disks.
    child.kill('SIGKILL')
    throw err
  }
}

async function spawnDetached(argv: readonly string[], logPath: string): Promise<ChildProcess> {
  const [program = '', ...args] = argv
  const log = await open(logPath, 'w', 0o600)
  // The sockets QEMU makes take its umask, and spawn forks before it returns: nothing else sees the change.
  const umask = process.umask(0o077)
  try {
    // In a session of its own it gets neither our terminal's signals nor our end.
    const child = spawn(program, args, { detached: true, stdio: ['ignore', log.fd, log.fd], cwd: '/' })
    child.unref()
    return child
  } finally {
    process.umask(umask)
    await log.close()
  }
}

/** Until the end of a process that has closed its sockets is told. */
const exitNewsMs = 2_000

/** The monitor's socket appears when QEMU has read its options; until then there is nothing to wait on but time. */
async function connectWhenThere(path: string, timeoutMs: number, signal: AbortSignal): Promise<QmpConnection> {
  const deadline = Date.now() + timeoutMs
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 100)) {
    try {
      return await QmpConnection.connect(path, { timeoutMs: Math.max(1, deadline - Date.now()), signal })
    } catch (err) {
      const cause = err instanceof Error ? (err.cause as NodeJS.ErrnoException | undefined) : undefined
      const notYet = cause?.code === 'ENOENT' || cause?.code === 'ECONNREFUSED'
      if (!notYet || signal.aborted || Date.now() + pauseMs >= deadline) throw err
    }
    await delay(pauseMs)
  }
}

async function readLogTail(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((err: NodeJS.ErrnoException) => `(no log: ${err.code})`)
  return text.trim().split('\n').slice(-5).join(' | ').slice(-2000)
}

function readShutdown(data: unknown): QemuExit['shutdown'] {
  const fields = (typeof data === 'object' && data !== null ? data : {}) as { guest?: unknown; reason?: unknown }
  return { guest: fields.guest === true, reason: typeof fields.reason === 'string' ? fields.reason : 'none' }
}
