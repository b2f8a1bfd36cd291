import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

// Processes whose costs are told apart: a parent asks, a child answers with what it has used so far.

export interface Usage {
  cpuMs: number
  rssMiB: number
  /** After a collection. */
  heapMiB: number
}

/** What a child says first; `facts` are of its own kind. */
interface Ready<F> {
  ready: F
}

/** The parent's side. */
export class Child<F, R> {
  readonly facts: F
  readonly #process: ChildProcess

  private constructor(process: ChildProcess, facts: F) {
    this.#process = process
    this.facts = facts
  }

  static async start<F, R>(file: string, args: readonly string[]): Promise<Child<F, R>> {
    const child = fork(file, args, { execArgv: ['--expose-gc'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const [message] = await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => {
        throw new Error(`${file} ended with ${code} before it was ready`)
      }),
    ])
    return new Child<F, R>(child, (message as Ready<F>).ready)
  }

  /** What it has used and seen since it started. */
  async report(): Promise<Usage & R> {
    const answer = once(this.#process, 'message')
    this.#process.send('report')
    return (await answer)[0] as Usage & R
  }

  async stop(): Promise<void> {
    const exit = once(this.#process, 'exit')
    this.#process.send('stop')
    await exit
  }
}

/** The child's side: says that it is ready, then answers until it is told to stop. */
export function serveParent<F, R extends object>(facts: F, report: () => R, stop: () => Promise<void>): void {
  process.on('message', (wanted) => {
    if (wanted === 'report') process.send?.({ ...usage(), ...report() })
    else void stop().then(() => process.exit(0))
  })
  process.on('disconnect', () => process.exit(1))
  process.send?.({ ready: facts } satisfies Ready<F>)
}

function usage(): Usage {
  const { user, system } = process.cpuUsage()
  // Asked for beside the work, not within it.
  globalThis.gc?.()
  const { rss, heapUsed } = process.memoryUsage()
  return { cpuMs: (user + system) / 1_000, rssMiB: rss / 2 ** 20, heapMiB: heapUsed / 2 ** 20 }
}
