import { type KubeObject, uidOf } from '@stillpoint/api/meta/object-meta'
import type { Change } from '../kube/informer.ts'

export interface News<S> {
  /** What it has come to since it was last looked at. */
  reached: readonly S[]
  /** What it had come to before. */
  earlier: readonly S[]
  /** Since it was created. */
  seconds: number
}

/**
 * Which changes of objects are news. An object comes to each of its milestones once, even if its status is lost and
 * written again; what it had come to before this process began is somebody else's to count.
 */
export class Milestones<S extends string> {
  readonly #beganMs: number
  readonly #seen = new Map<string, { sinceMs: number; reached: readonly S[] }>()

  constructor(began: Date) {
    this.#beganMs = began.getTime()
  }

  look({ type, object }: Change<KubeObject>, reached: readonly S[], now: Date): News<S> {
    const uid = uidOf(object)
    const createdMs = Date.parse(object.metadata.creationTimestamp ?? '')
    const seen = this.#seen.get(uid) ?? {
      // Creation times are whole seconds; we may have seen it come.
      sinceMs: Math.min(now.getTime(), createdMs + 999),
      reached: createdMs < this.#beganMs ? reached : [],
    }
    const fresh = reached.filter((milestone) => !seen.reached.includes(milestone))
    if (type === 'deleted') this.#seen.delete(uid)
    else this.#seen.set(uid, fresh.length === 0 ? seen : { ...seen, reached: [...seen.reached, ...fresh] })
    return { reached: fresh, earlier: seen.reached, seconds: Math.max(now.getTime() - seen.sinceMs, 0) / 1_000 }
  }
}
