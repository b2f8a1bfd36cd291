import type { KubeObject } from '@stillpoint/api/meta/object-meta'

/** Sorts the newest to the front; of the same second, by name backwards, so that counted names stay in their order. */
export function newestFirst(a: KubeObject, b: KubeObject): number {
  const at = (object: KubeObject): number => Date.parse(object.metadata.creationTimestamp ?? '') || 0
  return at(b) - at(a) || (a.metadata.name < b.metadata.name ? 1 : -1)
}
