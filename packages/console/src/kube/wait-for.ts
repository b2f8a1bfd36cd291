import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { ObjectOf, ResourceDefinition } from '@stillpoint/api/schema/resource'
import { follow } from './use-objects.ts'

/** The object that was waited for is not there any more. */
export class GoneError extends Error {
  constructor({ kind, metadata }: KubeObject) {
    super(`${kind} ${metadata.name} has been deleted`)
    this.name = 'GoneError'
  }
}

/**
 * Waits, by the watch, until `look` answers something of this object, and gives that. Rejects with what `look` throws,
 * when the object goes away, when it may not be seen, and when `signal` is aborted.
 */
export function waitFor<R extends ResourceDefinition, T>(
  definition: R,
  object: KubeObject,
  look: (object: ObjectOf<R>) => T | undefined,
  signal: AbortSignal,
): Promise<T> {
  const { namespace, name, uid } = object.metadata
  const done = new AbortController()
  return new Promise<T>((resolve, reject) => {
    const end = (settle: () => void): void => {
      done.abort()
      settle()
    }
    const aborted = (): void => end(() => reject(signal.reason as Error))
    if (signal.aborted) return aborted()
    signal.addEventListener('abort', aborted, { once: true, signal: done.signal })
    let seen = false
    follow(
      { definition, namespace },
      ({ status, items, error }) => {
        if (status === 'forbidden') return end(() => reject(error ?? new Error(`${definition.plural} may not be seen`)))
        const found = items.find(({ metadata }) => metadata.name === name && metadata.uid === uid)
        if (!found) {
          // Before it was seen once, the watch has not come that far yet.
          if (seen) end(() => reject(new GoneError(object)))
          return
        }
        seen = true
        try {
          const answer = look(found as ObjectOf<R>)
          if (answer !== undefined) end(() => resolve(answer))
        } catch (failure) {
          end(() => reject(failure as Error))
        }
      },
      done.signal,
    )
  })
}
