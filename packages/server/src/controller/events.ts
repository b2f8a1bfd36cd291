import { createHash } from 'node:crypto'
import { Event } from '@stillpoint/api/core/event'
import { type KubeObject, keyOf, uidOf } from '@stillpoint/api/meta/object-meta'
import { isNotFound } from '@stillpoint/api/meta/status-error'
import { objectOf } from '@stillpoint/api/schema/resource'
import type { Logger } from 'pino'
import type { KubeClient } from '../kube/client.ts'
import { rfc3339 } from './conditions.ts'
import { describeError } from './describe-error.ts'

/** Events tell a story. What they tell of may be a guest standing still, and has the first claim on this processor. */
const laterMs = 250

/** Remembered events; older ones are simply recorded anew. */
const remembered = 1_000

/** Records what happened to an object, for `kubectl describe`. The same event again raises its count. */
export class EventRecorder {
  readonly #client: KubeClient
  readonly #component: string
  readonly #log: Logger
  readonly #recent = new Map<string, { name: string; count: number }>()
  #waiting: (() => Promise<void>)[] = []
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(client: KubeClient, component: string, log: Logger) {
    this.#client = client
    this.#component = component
    this.#log = log
  }

  /** Never fails and never delays the caller: written a moment later; one that cannot be written is logged. */
  event(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string, now = new Date()): void {
    this.#waiting.push(() =>
      this.#record(object, type, reason, message, now).catch((error: unknown) => {
        this.#log.warn({ object: keyOf(object), reason, error: describeError(error) }, 'event not recorded')
      }),
    )
    this.#timer ??= setTimeout(() => void this.flush(), laterMs)
  }

  /** Writes everything recorded so far, and waits for it. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const waiting = this.#waiting
    this.#waiting = []
    this.#writing = this.#writing.then(async () => {
      for (const write of waiting) await write()
    })
    await this.#writing
  }

  async #record(object: KubeObject, type: string, reason: string, message: string, now: Date): Promise<void> {
    const namespace = object.metadata.namespace ?? 'default'
    const uid = uidOf(object)
    const hash = createHash('sha256').update([uid, type, reason, message].join('\0')).digest('hex').slice(0, 16)
    const time = rfc3339(now)
    const known = this.#recent.get(hash)
    if (known !== undefined) {
      known.count += 1
      try {
        await this.#client.patch(Event, { namespace, name: known.name }, { count: known.count, lastTimestamp: time })
        return
      } catch (error) {
        if (!isNotFound(error)) throw error
      }
    }
    const name = `${object.metadata.name.slice(0, 200)}.${hash}${now.getTime().toString(16)}`
    await this.#client.create(
      Event,
      objectOf(
        Event,
        { namespace, name },
        {
          involvedObject: {
            apiVersion: object.apiVersion,
            kind: object.kind,
            name: object.metadata.name,
            ...(object.metadata.namespace === undefined ? {} : { namespace: object.metadata.namespace }),
            uid,
          },
          type,
          reason,
          message: message.slice(0, 1_024),
          count: 1,
          firstTimestamp: time,
          lastTimestamp: time,
          source: { component: this.#component },
          reportingComponent: this.#component,
        },
      ),
    )
    this.#recent.set(hash, { name, count: 1 })
    if (this.#recent.size > remembered) this.#recent.delete(this.#recent.keys().next().value ?? '')
  }
}
