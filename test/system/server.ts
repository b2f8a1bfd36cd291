import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createWriteStream, existsSync, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { KubeClient } from '../../packages/server/src/kube/client.ts'
import { connectionFromKubeconfig } from '../../packages/server/src/kube/kubeconfig.ts'
import { Transport } from '../../packages/server/src/kube/transport.ts'

export const root = resolve(import.meta.dirname, '../..')
export const guestDir = join(root, '.cache/guest')
const main = join(root, 'packages/server/src/main.ts')
const run = promisify(execFile)

/** A `stillpoint up` in a process of its own, used from outside as a user would. */
export class Server {
  readonly dataDir: string
  readonly kubeconfig: string
  readonly client: KubeClient
  readonly startMs: number
  readonly #transport: Transport
  readonly #child: ChildProcess

  private constructor(dataDir: string, child: ChildProcess, transport: Transport, startMs: number) {
    this.dataDir = dataDir
    this.kubeconfig = join(dataDir, 'kubeconfig')
    this.#child = child
    this.#transport = transport
    this.client = new KubeClient(transport)
    this.startMs = startMs
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('server has no process')
    return this.#child.pid
  }

  /** Starts the server and resolves when it says that it is ready. Its log goes to `DATA_DIR/server.log`. */
  static async start(dataDir: string, args: readonly string[] = []): Promise<Server> {
    await mkdir(dataDir, { recursive: true })
    const began = performance.now()
    const child = spawn(
      process.execPath,
      [
        main,
        '--log-level',
        'info',
        'up',
        '--data-dir',
        dataDir,
        '--listen',
        '127.0.0.1:0',
        '--import-dir',
        guestDir,
        ...args,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    const log = createWriteStream(join(dataDir, 'server.log'), { flags: 'a' })
    child.stderr.pipe(log)
    const ready = new Promise<void>((resolve, reject) => {
      createInterface(child.stdout).on('line', (line) => {
        log.write(`${line}\n`)
        if (line.startsWith('stillpoint is ready')) resolve()
      })
      child.once('error', reject)
      child.once('exit', (code, signal) => {
        const tail = existsSync(join(dataDir, 'server.log'))
          ? readFileSync(join(dataDir, 'server.log'), 'utf8').slice(-2_000)
          : ''
        reject(new Error(`server ended with ${code ?? signal} before it was ready\n${tail}`))
      })
    })
    await ready
    const transport = new Transport(await connectionFromKubeconfig(join(dataDir, 'kubeconfig')))
    return new Server(dataDir, child, transport, performance.now() - began)
  }

  /** Sends a signal and waits for the process to end. SIGTERM leaves virtual machines running; SIGUSR2 stops them. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#transport.close()
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()))
    this.#child.kill(signal)
    await ended
  }

  /** What `stillpoint kubeconfig` prints for a user. */
  async kubeconfigFor(user: string, ...options: string[]): Promise<string> {
    const args = [main, 'kubeconfig', '--user', user, '--data-dir', this.dataDir, ...options]
    return (await run(process.execPath, args)).stdout
  }

  /** Runs `kubectl` against this server; its standard output. */
  async kubectl(args: readonly string[], input?: string, timeoutMs = 120_000): Promise<string> {
    return kubectl(this.kubeconfig, args, input, timeoutMs)
  }
}

/** Runs `kubectl`; rejects with what it printed when it fails. */
export async function kubectl(
  kubeconfig: string,
  args: readonly string[],
  input?: string,
  timeoutMs = 120_000,
): Promise<string> {
  const task = run(process.env.KUBECTL ?? 'kubectl', [...args], {
    env: { ...process.env, KUBECONFIG: kubeconfig },
    timeout: timeoutMs,
    maxBuffer: 64 * 1024 * 1024,
  })
  task.child.stdin?.end(input ?? '')
  const { stdout } = await task
  return stdout
}
