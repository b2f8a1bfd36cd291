import type { Logger } from 'pino'

/** Runs a task every so often, never twice at a time; a failure is logged and the next turn tries again. */
export class Periodic {
  readonly #timer: NodeJS.Timeout
  #running: Promise<void> | undefined

  constructor(everyMs: number, name: string, task: () => Promise<unknown>, log: Logger) {
    this.#timer = setInterval(() => {
      this.#running ??= task()
        .then(
          () => {},
          (error: unknown) => log.warn({ err: error, task: name }, 'periodic task failed'),
        )
        .finally(() => {
          this.#running = undefined
        })
    }, everyMs)
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#running
  }
}
