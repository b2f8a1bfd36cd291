import { AsyncLocalStorage } from 'node:async_hooks'
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import type { SeededRandom } from './seeded-random.ts'

const realImmediate = setImmediate
const firstMs = Date.parse('2026-01-01T00:00:00Z')

interface Entry {
  atMs: number
  order: number
  run: () => void
  everyMs: number | undefined
  owner: object | undefined
  over: boolean
}

/**
 * A clock that stands still while anything can still happen now, and then jumps to the next timer. While installed it
 * replaces timers, Date, randomness and UUIDs of the whole process, so that the same seed gives the same run.
 */
export class VirtualTime {
  readonly #owners = new AsyncLocalStorage<object | undefined>()
  readonly #entries: Entry[] = []
  readonly #random: SeededRandom
  #order = 0
  #nowMs = firstMs
  #holds = 0
  /** Timers fired so far: what a schedule costs. */
  fired = 0

  constructor(random: SeededRandom) {
    this.#random = random
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** Milliseconds since the beginning. */
  get elapsedMs(): number {
    return this.#nowMs - firstMs
  }

  /** Timers set in `run`, and in all that follows from it, belong to `owner` and can be forgotten with it. */
  as<T>(owner: object | undefined, run: () => T): T {
    return this.#owners.run(owner, run)
  }

  forget(owner: object): void {
    for (const entry of this.#entries) if (entry.owner === owner) entry.over = true
  }

  after(delayMs: number, run: () => void, everyMs?: number): Entry {
    const atMs = this.#nowMs + Math.max(delayMs, 0)
    const entry = { atMs, order: this.#order++, run, everyMs, owner: this.#owners.getStore(), over: false }
    this.#insert(entry)
    return entry
  }

  cancel(entry: unknown): void {
    if (entry !== null && typeof entry === 'object') (entry as Entry).over = true
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, resolve)
    })
  }

  /** Time does not move before `work` is done, however many turns of the real event loop it takes. */
  async hold<T>(work: Promise<T>): Promise<T> {
    this.#holds += 1
    try {
      return await work
    } finally {
      this.#holds -= 1
    }
  }

  /** Fires timers in order until `untilMs` after the beginning, or until `over`; whether it was over. */
  async run(untilMs: number, over: () => boolean = () => false): Promise<boolean> {
    const endMs = firstMs + untilMs
    for (;;) {
      do await new Promise((resolve) => realImmediate(resolve))
      while (this.#holds > 0)
      if (over()) return true
      let next = this.#entries[0]
      while (next?.over) {
        this.#entries.shift()
        next = this.#entries[0]
      }
      if (next === undefined || next.atMs > endMs) {
        this.#nowMs = Math.max(this.#nowMs, endMs)
        return false
      }
      this.#entries.shift()
      this.#fire(next)
    }
  }

  #fire(entry: Entry): void {
    this.#nowMs = Math.max(this.#nowMs, entry.atMs)
    this.fired += 1
    if (entry.everyMs === undefined) entry.over = true
    else {
      entry.atMs = this.#nowMs + entry.everyMs
      entry.order = this.#order++
      this.#insert(entry)
    }
    this.as(entry.owner, entry.run)
  }

  #insert(entry: Entry): void {
    let low = 0
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = this.#entries[middle]
      if (other !== undefined && (other.atMs < entry.atMs || (other.atMs === entry.atMs && other.order < entry.order)))
        low = middle + 1
      else high = middle
    }
    this.#entries.splice(low, 0, entry)
  }

  /** Returns how to put everything back. */
  install(): () => void {
    const names = ['Date', 'setTimeout', 'setInterval', 'setImmediate'] as const
    const ends = ['clearTimeout', 'clearInterval', 'clearImmediate'] as const
    const real = Object.fromEntries([...names, ...ends].map((name) => [name, globalThis[name]]))
    const [{ random }, { randomUUID }] = [Math, crypto]
    type Handler = (...given: unknown[]) => void
    const now = (): number => Math.floor(this.#nowMs)
    class VirtualDate extends Date {
      constructor(...given: unknown[]) {
        if (given.length === 0) super(now())
        else super(...(given as [number]))
      }
      static override now(): number {
        return now()
      }
    }
    Object.assign(globalThis, {
      Date: VirtualDate,
      setTimeout: (run: Handler, ms = 0, ...given: unknown[]) => this.after(Math.max(ms, 1), () => run(...given)),
      setInterval: (run: Handler, ms = 1, ...given: unknown[]) => this.after(ms, () => run(...given), ms),
      setImmediate: (run: Handler, ...given: unknown[]) => this.after(0, () => run(...given)),
      clearTimeout: (entry: unknown) => this.cancel(entry),
      clearInterval: (entry: unknown) => this.cancel(entry),
      clearImmediate: (entry: unknown) => this.cancel(entry),
    })
    Math.random = () => this.#random.fraction()
    crypto.randomUUID = () => this.#random.uuid()
    syncBuiltinESMExports()
    return () => {
      Object.assign(globalThis, real)
      Math.random = random
      crypto.randomUUID = randomUUID
      syncBuiltinESMExports()
    }
  }
}
