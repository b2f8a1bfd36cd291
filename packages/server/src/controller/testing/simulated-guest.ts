import type { VirtualTime } from './virtual-time.ts'

const windowsLimitMs = 10_000

export interface Freeze {
  fromMs: number
  toMs?: number
  end?: 'asked' | 'lease' | 'limit' | 'guest-gone'
  /** It was paused meanwhile, when nothing can thaw it. */
  paused: boolean
}

/** Puts a new state on a disk, or marks what is there as the state of a freeze. */
export type Write = (namespace: string, claim: string, change: { value: number } | { window: string }) => void

/** One guest from its boot to its end. It writes all the time, to all its disks, unless it is frozen or paused. */
export class SimulatedGuest {
  readonly namespace: string
  readonly uid: string
  readonly claims: readonly string[]
  readonly freezes: Freeze[] = []
  readonly #time: VirtualTime
  readonly #write: Write
  readonly #windows: boolean
  #timer: unknown
  #complaint = false
  /** How often the guest's own hooks ran. */
  thawHooks = 0
  agent: boolean
  paused = false
  ended = false
  onReport: (frozen: boolean) => void = () => {}

  constructor(options: {
    time: VirtualTime
    namespace: string
    uid: string
    claims: readonly string[]
    write: Write
    agent: boolean
    windows: boolean
  }) {
    this.namespace = options.namespace
    this.uid = options.uid
    this.claims = options.claims
    this.#time = options.time
    this.#write = options.write
    this.#windows = options.windows
    this.agent = options.agent
  }

  get frozen(): boolean {
    const last = this.freezes.at(-1)
    return last !== undefined && last.toMs === undefined
  }

  /** What has happened up to now is on its disks. Every look sees a later state, unless nothing moves. */
  catchUp(): void {
    if (this.ended || this.paused || this.frozen) return
    written += 1
    for (const claim of this.claims) this.#write(this.namespace, claim, { value: written })
  }

  freeze(leaseMs: number): void {
    this.catchUp()
    if (!this.frozen) {
      const fromMs = this.#time.nowMs
      this.freezes.push({ fromMs, paused: false })
      const window = `${this.uid}/${this.freezes.length}`
      for (const claim of this.claims) this.#write(this.namespace, claim, { window })
      this.onReport(true)
    }
    this.#time.cancel(this.#timer)
    this.#timer = this.#time.after(this.#windows ? windowsLimitMs : leaseMs, () => this.#leaseOver())
  }

  #leaseOver(): void {
    if (!this.frozen) return
    // Nothing moves in a paused guest; its timer goes on when it does.
    if (this.paused) this.#timer = this.#time.after(1_000, () => this.#leaseOver())
    else {
      this.#complaint = this.#windows
      this.thaw(this.#windows ? 'limit' : 'lease')
    }
  }

  thaw(end: 'asked' | 'lease' | 'limit'): void {
    const last = this.freezes.at(-1)
    if (last === undefined || last.toMs !== undefined) return
    last.toMs = this.#time.nowMs
    last.end = end
    this.thawHooks += 1
    this.#time.cancel(this.#timer)
    this.onReport(false)
  }

  /** Windows tells once that it did not stay frozen. */
  takeComplaint(): boolean {
    const had = this.#complaint
    this.#complaint = false
    return had
  }

  setPaused(paused: boolean): void {
    this.catchUp()
    this.paused = paused
    const last = this.freezes.at(-1)
    if (last !== undefined && last.toMs === undefined) last.paused = true
  }

  end(): void {
    if (this.ended) return
    this.catchUp()
    this.ended = true
    this.#time.cancel(this.#timer)
    const last = this.freezes.at(-1)
    if (last === undefined || last.toMs !== undefined) return
    last.toMs = this.#time.nowMs
    last.end = 'guest-gone'
  }
}

/** No two states of anything are the same. */
let written = 0
