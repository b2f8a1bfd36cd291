import type { Logger } from 'pino'

const parallel = 16
const firstRetryMs = 50
const longestRetryMs = 30_000

/**
 * Keys to be looked at, each once at a time; a key added while it is being looked at is looked at again. A failure is
 * tried again, later each time.
 */
export class WorkQueue {
  readonly #process: (key: string) => Promise<void>
  readonly #log: Logger
  readonly #waiting = new Set<string>()
  readonly #running = new Map<string, Promise<void>>()
  readonly #failures = new Map<string, number>()
  readonly #timers = new Map<string, NodeJS.Timeout>()
  #closed = false

  constructor(process: (key: string) => Promise<void>, log: Logger) {
    this.#process = process
    this.#log = log
  }

  add(key: string): void {
    if (this.#closed) return
    this.#waiting.add(key)
    this.#pump()
  }

  /** Starts nothing more and resolves when what runs is done. */
  async close(): Promise<void> {
    this.#closed = true
    this.#waiting.clear()
    for (const timer of this.#timers.values()) clearTimeout(timer)
    await Promise.all(this.#running.values())
  }

  #pump(): void {
    for (const key of this.#waiting) {
      if (this.#running.size >= parallel) return
      if (this.#running.has(key)) continue
      this.#waiting.delete(key)
      this.#running.set(key, this.#run(key))
    }
  }

  async #run(key: string): Promise<void> {
    try {
      // Not in the turn of the commit that caused it: writers come first.
      await new Promise(setImmediate)
      if (!this.#closed) await this.#process(key)
      this.#failures.delete(key)
    } catch (error) {
      this.#retry(key, error)
    } finally {
      this.#running.delete(key)
      if (!this.#closed) this.#pump()
    }
  }

  #retry(key: string, error: unknown): void {
    const failures = (this.#failures.get(key) ?? 0) + 1
    this.#failures.set(key, failures)
    const delayMs = Math.min(firstRetryMs * 2 ** (failures - 1), longestRetryMs)
    this.#log.warn({ err: error, key, failures, delayMs }, 'will retry')
    if (this.#closed) return
    clearTimeout(this.#timers.get(key))
    const timer = setTimeout(() => {
      this.#timers.delete(key)
      this.add(key)
    }, delayMs)
    this.#timers.set(key, timer)
  }
}
