import { keyOf } from '../../packages/api/src/meta/object-meta.ts'
import type { ObjectOf, ResourceDefinition } from '../../packages/api/src/schema/resource.ts'
import type { KubeClient, Ref } from '../../packages/server/src/kube/client.ts'

/**
 * Watches one object until it is as wanted (`undefined` is passed while it does not exist) and returns what
 * `wanted` returned. Rejects with the last state seen when the time is up.
 */
export async function until<R extends ResourceDefinition, T>(
  client: KubeClient,
  definition: R,
  ref: Ref & { namespace: string },
  wanted: (object: ObjectOf<R> | undefined) => T | undefined | false,
  timeoutMs = 120_000,
): Promise<T> {
  const signal = AbortSignal.timeout(timeoutMs)
  let seen: ObjectOf<R> | undefined
  try {
    for (;;) {
      const list = await client.list(definition, {
        namespace: ref.namespace,
        fieldSelector: `metadata.name=${ref.name}`,
      })
      seen = list.items[0]
      const now = wanted(seen)
      if (now !== undefined && now !== false) return now
      const lines = client.watchLines(definition, {
        namespace: ref.namespace,
        fieldSelector: `metadata.name=${ref.name}`,
        resourceVersion: list.metadata.resourceVersion ?? '0',
        timeoutSeconds: 60,
        signal,
      })
      for await (const line of lines) {
        const event = JSON.parse(line) as { type: string; object: ObjectOf<R> }
        if (event.type === 'ERROR') break
        if (event.type === 'BOOKMARK' || keyOf(event.object) !== `${ref.namespace}/${ref.name}`) continue
        seen = event.type === 'DELETED' ? undefined : event.object
        const found = wanted(seen)
        if (found !== undefined && found !== false) return found
      }
    }
  } catch (cause) {
    if (!signal.aborted) throw cause
    const state = JSON.stringify((seen as { status?: unknown } | undefined)?.status ?? seen ?? 'absent', undefined, 1)
    throw new Error(
      `${definition.kind} ${ref.namespace}/${ref.name} not as wanted within ${timeoutMs} ms; last: ${state}`,
      { cause },
    )
  }
}
