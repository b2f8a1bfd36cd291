import { isConflict } from '@stillpoint/api/meta/status-error'
import type { Logger } from 'pino'
import { retryMs } from '../kube/backoff.ts'
import { describeError } from './describe-error.ts'
import type { QueueObserver, QueueObservers } from './queue-observer.ts'

export interface ControllerOptions {
  name: string
  /** Looks at what is and does the next thing. Called again after `requeueAfterMs`, after an error, or when enqueued. */
  reconcile(key: string): Promise<{ requeueAfterMs: number } | undefined>
  /** How many keys are worked on at once; one key never is twice. */
  workers?: number
  log: Logger
  queues?: QueueObservers | undefined
}

/**
 * The loop around every reconciler: one queue of keys, each worked on by one worker at a time, retried with
 * backoff. A key enqueued while it is being worked on is worked on once more afterwards.
 */
export class Controller {
  readonly #options: ControllerOptions
  /** Keys whose turn comes; taken from `#head` on, so that a long queue costs no more a key than a short one. */
  readonly #queue: string[] = []
  #head = 0
  /** Keys to be worked on: those in the queue, and those being worked on whose turn comes again afterwards. */
  readonly #queued = new Set<string>()
  readonly #active = new Set<string>()
  readonly #failures = new Map<string, number>()
  readonly #timers = new Map<string, { timer: NodeJS.Timeout; at: number }>()
  readonly #observer: QueueObserver | undefined
  #idle: PromiseWithResolvers<void> | undefined
  #closed = false

  constructor(options: ControllerOptions) {
    this.#options = options
    this.#observer = options.queues?.(options.name)
  }

  /** Asks for a pass over `key`, now or after `delayMs`; the earlier of two timers wins. */
  enqueue(key: string, delayMs = 0): void {
    if (this.#closed) return
    if (delayMs > 0) {
      this.#observer?.delayed()
      const at = Date.now() + delayMs
      const pending = this.#timers.get(key)
      if (pending !== undefined && pending.at <= at) return
      clearTimeout(pending?.timer)
      const timer = setTimeout(() => {
        this.#timers.delete(key)
        this.enqueue(key)
      }, delayMs)
      this.#timers.set(key, { timer, at })
      return
    }
    if (this.#queued.has(key)) return
    this.#queued.add(key)
    this.#observer?.added(key)
    if (this.#active.has(key)) return
    this.#queue.push(key)
    this.#pump()
  }

  /** Takes no new work and waits for what is being worked on. */
  async close(): Promise<void> {
    this.#closed = true
    for (const { timer } of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    this.#queue.length = 0
    this.#queued.clear()
    this.#observer?.closed()
    if (this.#active.size === 0) return
    this.#idle = Promise.withResolvers()
    await this.#idle.promise
  }

  #pump(): void {
    const workers = this.#options.workers ?? 4
    while (this.#active.size < workers) {
      const key = this.#queue[this.#head]
      if (key === undefined) break
      this.#head += 1
      this.#queued.delete(key)
      this.#active.add(key)
      this.#observer?.taken(key)
      void this.#work(key)
    }
    // Each key is moved at most once for each time it is queued.
    if (this.#head > this.#queue.length / 2) {
      this.#queue.splice(0, this.#head)
      this.#head = 0
    }
  }

  async #work(key: string): Promise<void> {
    const { name, reconcile, log } = this.#options
    try {
      const result = await reconcile(key)
      this.#failures.delete(key)
      if (result) this.enqueue(key, result.requeueAfterMs)
    } catch (error) {
      const failures = (this.#failures.get(key) ?? 0) + 1
      this.#failures.set(key, failures)
      const waitMs = Math.round(retryMs(failures, error))
      // A conflict only says that somebody wrote in between: look again, nobody needs to know.
      const level = isConflict(error) && failures < 10 ? 'debug' : 'warn'
      log[level](
        { controller: name, key, error: describeError(error), retryMs: waitMs },
        'reconcile failed, will retry',
      )
      this.enqueue(key, waitMs)
    } finally {
      this.#active.delete(key)
      this.#observer?.finished(key)
      if (this.#queued.has(key)) this.#queue.push(key)
      if (this.#active.size === 0) this.#idle?.resolve()
      if (!this.#closed) this.#pump()
    }
  }
}
