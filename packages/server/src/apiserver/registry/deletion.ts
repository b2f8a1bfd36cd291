import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { jsonEqual } from '../json.ts'
import type { PropagationPolicy } from './call.ts'

// no finalizer left ─→ remove
// finalizers left   ─→ mark: deletionTimestamp once, event MODIFIED; whoever takes the last finalizer away removes it

export type Deletion = { do: 'remove' } | { do: 'mark'; object: KubeObject } | { do: 'nothing' }

/** Decides what one DELETE does to an object. Asked again while it is terminating, only the finalizers can change. */
export function planDeletion(live: KubeObject, policy: PropagationPolicy | undefined, now: Date): Deletion {
  const finalizers = finalizersFor(policy, live.metadata.finalizers ?? [])
  if (finalizers.length === 0 && contentFinalizers(live).length === 0) return { do: 'remove' }
  const { finalizers: _old, ...metadata } = live.metadata
  const object: KubeObject = {
    ...live,
    metadata: {
      ...metadata,
      ...(metadata.deletionTimestamp === undefined
        ? {
            deletionTimestamp: `${now.toISOString().slice(0, 19)}Z`,
            deletionGracePeriodSeconds: 0,
            ...(metadata.generation === undefined ? {} : { generation: metadata.generation + 1 }),
          }
        : {}),
      ...(finalizers.length > 0 ? { finalizers } : {}),
    },
  }
  const marked = isNamespace(live) ? withPhase(object, 'Terminating') : object
  return jsonEqual(marked, live) ? { do: 'nothing' } : { do: 'mark', object: marked }
}

/** An object that is being deleted and waits for nobody any more. */
export function isReleased(object: KubeObject): boolean {
  const { deletionTimestamp, finalizers = [] } = object.metadata
  return deletionTimestamp !== undefined && finalizers.length === 0 && contentFinalizers(object).length === 0
}

/** `spec.finalizers` of a Namespace: they hold it until it is empty. */
export function contentFinalizers(object: KubeObject): readonly string[] {
  if (!isNamespace(object)) return []
  return (object as KubeObject & { spec?: { finalizers?: string[] } }).spec?.finalizers ?? []
}

function isNamespace({ apiVersion, kind }: KubeObject): boolean {
  return apiVersion === 'v1' && kind === 'Namespace'
}

function withPhase(object: KubeObject, phase: string): KubeObject {
  const { status } = object as KubeObject & { status?: object }
  return { ...object, status: { ...status, phase } } as KubeObject
}

function finalizersFor(policy: PropagationPolicy | undefined, existing: readonly string[]): string[] {
  if (policy === undefined) return [...existing]
  const others = existing.filter((finalizer) => finalizer !== 'orphan' && finalizer !== 'foregroundDeletion')
  if (policy === 'Orphan') return [...others, 'orphan']
  return policy === 'Foreground' ? [...others, 'foregroundDeletion'] : others
}
