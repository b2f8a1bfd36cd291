import * as z from 'zod'

/** A list whose elements strategic merge patch and server-side apply match by one field. */
export function listMergedBy<T extends z.ZodType>(key: string, element: T): z.ZodArray<T> {
  return z.array(element).meta({
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': [key],
    'x-kubernetes-patch-strategy': 'merge',
    'x-kubernetes-patch-merge-key': key,
  })
}

/** A list of scalars to which patches add instead of replacing it. */
export function setOf<T extends z.ZodType>(element: T): z.ZodArray<T> {
  return z.array(element).meta({ 'x-kubernetes-list-type': 'set', 'x-kubernetes-patch-strategy': 'merge' })
}

/** A list that is always replaced as a whole. */
export function atomicList<T extends z.ZodType>(element: T): z.ZodArray<T> {
  return z.array(element).meta({ 'x-kubernetes-list-type': 'atomic' })
}
