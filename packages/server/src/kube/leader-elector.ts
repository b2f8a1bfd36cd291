import { Lease } from '@stillpoint/api/core/lease'
import { isAlreadyExists, isConflict } from '@stillpoint/api/meta/status-error'
import { objectOf } from '@stillpoint/api/schema/resource'
import type { Logger } from 'pino'
import type { KubeClient } from './client.ts'
import { delay } from './informer.ts'

//  follow ──(nobody holds the lease, or its holder is silent for as long as it lasts)──► lead
//  lead ──renew──► lead        lead ──(no renewal within renewMs, or somebody else holds it)──► lost, for good
//  lead ──release──► ended, and the lease is free at once
//
// Clocks of machines differ, so no time in a lease is compared with ours: a holder is silent when its lease has not
// changed for as long as we have watched it. A holder gives up sooner (renewMs) than others take over (leaseMs).

export interface LeaderElectorOptions {
  client: KubeClient
  namespace: string
  /** Name of the lease. */
  name: string
  /** Unique for each process. */
  identity: string
  leaseMs?: number
  renewMs?: number
  retryMs?: number
  log: Logger
  /** Milliseconds that only go forward. */
  monotonicMs?: () => number
  now?: () => Date
  random?: () => number
}

/** As in Kubernetes' own controllers. */
const defaults = { leaseMs: 15_000, renewMs: 10_000, retryMs: 2_000 }
const jitter = 0.2

/** Keeps a coordination.k8s.io lease, which one of several processes holds at a time. */
export class LeaderElector {
  readonly #options: Required<LeaderElectorOptions>
  readonly #stop = new AbortController()
  readonly #lost = Promise.withResolvers<string>()
  /** The lease as last seen, and when it was first seen so. */
  #seen: { lease: Lease | undefined; atMs: number } | undefined
  #leading: Promise<void> | undefined
  #attempt: Promise<unknown> = Promise.resolve()
  #renewedMs = 0

  constructor(options: LeaderElectorOptions) {
    this.#options = {
      ...defaults,
      monotonicMs: () => performance.now(),
      now: () => new Date(),
      random: Math.random,
      ...options,
    }
    const { leaseMs, renewMs, retryMs } = this.#options
    if (!(leaseMs > renewMs && renewMs > retryMs * (1 + jitter)))
      throw new Error(`a lease of ${leaseMs} ms, renewed within ${renewMs} ms every ${retryMs} ms, cannot be kept`)
  }

  /** Resolves with the reason when this process has led and must not any more. */
  get lost(): Promise<string> {
    return this.#lost.promise
  }

  /** Resolves with true when this process leads, with false when `signal` aborts before. */
  async acquire(signal: AbortSignal, onHolder: (identity: string) => void = () => {}): Promise<boolean> {
    const { retryMs, log, name, identity, monotonicMs } = this.#options
    let told: string | undefined
    while (!signal.aborted) {
      const startedMs = monotonicMs()
      try {
        if (await this.#tryToHold()) {
          log.info({ lease: name, identity }, 'leading')
          this.#renewedMs = startedMs
          this.#leading = this.#keep()
          return true
        }
        const holder = this.#seen?.lease?.spec?.holderIdentity
        if (holder && holder !== told) {
          told = holder
          log.info({ lease: name, holder }, 'following')
          onHolder(holder)
        }
      } catch (error) {
        log.warn({ lease: name, error: textOf(error) }, 'lease could not be taken, will retry')
      }
      await delay(retryMs * (1 + jitter * this.#options.random()), signal)
    }
    return false
  }

  /** Gives the lease back, so that another process need not wait for its end. Harmless when it is not held. */
  async release(): Promise<void> {
    this.#stop.abort()
    if (this.#leading === undefined) return
    await this.#leading
    // A renewal that is under way would make a conflict of the release.
    await this.#attempt
    const lease = this.#seen?.lease
    if (lease?.spec?.holderIdentity !== this.#options.identity) return
    const { client, now, log, name } = this.#options
    const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(now()) }
    try {
      await client.update(Lease, { ...lease, spec }, { timeoutMs: this.#options.renewMs / 2 })
    } catch (error) {
      log.warn({ lease: name, error: textOf(error) }, 'lease could not be released; it ends by itself')
    }
  }

  async #keep(): Promise<void> {
    const { retryMs, renewMs, monotonicMs, log, name } = this.#options
    const { signal } = this.#stop
    const ended = new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined)))
    while (!signal.aborted) {
      await delay(Math.min(retryMs, this.#leftMs()), signal)
      if (signal.aborted) return
      const startedMs = monotonicMs()
      // A process that was stopped for a while finds its time over before it could have noticed.
      if (this.#leftMs() === 0) return this.#lose(`the lease ${name} could not be renewed within ${renewMs / 1_000} s`)
      const attempt = this.#tryToHold().catch((error: unknown) => {
        log.warn({ lease: name, error: textOf(error) }, 'lease not renewed, will retry')
        return undefined
      })
      this.#attempt = attempt
      const limit = new AbortController()
      const late = delay(this.#leftMs(), limit.signal).then(() => undefined)
      // An answer that comes too late, or not at all, must not keep us from knowing that our time is over.
      const held = await Promise.race([attempt, late, ended])
      limit.abort()
      if (held === false) {
        const holder = this.#seen?.lease?.spec?.holderIdentity || 'nobody'
        return this.#lose(`the lease ${name} is held by ${holder}`)
      }
      if (held) this.#renewedMs = startedMs
    }
  }

  #leftMs(): number {
    return Math.max(0, this.#renewedMs + this.#options.renewMs - this.#options.monotonicMs())
  }

  #lose(reason: string): void {
    this.#options.log.info({ lease: this.#options.name, reason }, 'no longer leading')
    this.#lost.resolve(reason)
  }

  /** Takes or renews the lease; false when somebody else has it. Throws when that cannot be told. */
  async #tryToHold(): Promise<boolean> {
    const { client, namespace, name, identity, leaseMs, renewMs, now } = this.#options
    const limit = { timeoutMs: renewMs / 2 }
    this.#see(await client.find(Lease, { namespace, name }, limit))
    const lease = this.#seen?.lease
    const time = microTime(now())
    const mine = { holderIdentity: identity, leaseDurationSeconds: Math.ceil(leaseMs / 1_000), renewTime: time }
    try {
      if (lease === undefined) {
        const spec = { ...mine, acquireTime: time, leaseTransitions: 0 }
        this.#see(await client.create(Lease, objectOf(Lease, { namespace, name }, { spec }), limit))
        return true
      }
      const before = lease.spec
      if (before?.holderIdentity === identity) {
        this.#see(await client.update(Lease, { ...lease, spec: { ...before, ...mine } }, limit))
        return true
      }
      // Who led and finds another holder, or none, does not take the lease again: it may not have been alone.
      if (this.#leading !== undefined || (before?.holderIdentity && !this.#isSilent())) return false
      const leaseTransitions = (before?.leaseTransitions ?? 0) + 1
      const spec = { ...before, ...mine, acquireTime: time, leaseTransitions }
      this.#see(await client.update(Lease, { ...lease, spec }, limit))
      return true
    } catch (error) {
      // Somebody was faster. While leading, only the next look can tell whether it was a holder.
      if (!isConflict(error) && !isAlreadyExists(error)) throw error
      if (this.#leading !== undefined) throw error
      return false
    }
  }

  #see(lease: Lease | undefined): void {
    const version = (object: Lease | undefined) => object?.metadata.resourceVersion
    if (this.#seen !== undefined && version(this.#seen.lease) === version(lease)) return
    this.#seen = { lease, atMs: this.#options.monotonicMs() }
  }

  /** The holder has not renewed its lease for as long as the lease says it lasts. */
  #isSilent(): boolean {
    const { lease, atMs } = this.#seen ?? { lease: undefined, atMs: 0 }
    const lastsMs = (lease?.spec?.leaseDurationSeconds ?? 0) * 1_000
    return this.#options.monotonicMs() - atMs > Math.max(lastsMs, this.#options.leaseMs)
  }
}

/** Times in a lease have exactly six digits of a second: a real API server refuses any other number. */
function microTime(date: Date): string {
  return date.toISOString().replace(/Z$/, '000Z')
}

function textOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : ''
  return error instanceof Error ? error.message + cause : String(error)
}
