import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { JsonPatchOperation } from '../kube/client.ts'

/**
 * A JSON patch that adds or removes one finalizer and tests the list it was computed from, so that a change in
 * between is a conflict instead of a lost finalizer. Empty when there is nothing to do.
 */
export function finalizerPatch(object: KubeObject, finalizer: string, action: 'add' | 'remove'): JsonPatchOperation[] {
  const list = object.metadata.finalizers ?? []
  if (list.includes(finalizer) === (action === 'add')) return []
  const next = action === 'add' ? [...list, finalizer] : list.filter((name) => name !== finalizer)
  return [
    { op: 'test', path: '/metadata/uid', value: object.metadata.uid },
    ...(object.metadata.finalizers === undefined
      ? []
      : [{ op: 'test' as const, path: '/metadata/finalizers', value: list }]),
    { op: 'add', path: '/metadata/finalizers', value: next },
  ]
}

export function hasFinalizer(object: KubeObject, finalizer: string): boolean {
  return object.metadata.finalizers?.includes(finalizer) ?? false
}
