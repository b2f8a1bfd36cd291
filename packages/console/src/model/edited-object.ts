import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { isInvalid, StatusError } from '@stillpoint/api/meta/status-error'

/**
 * Whether two versions of an object say the same but for what the server and controllers write. Controllers write the
 * status all the time; that is no reason to refuse an edit of the rest.
 */
export function sameButStatus(a: KubeObject, b: KubeObject): boolean {
  return canonical(withoutStatus(a)) === canonical(withoutStatus(b))
}

function withoutStatus(object: KubeObject): unknown {
  const { status: _, ...rest } = object as KubeObject & { status?: unknown }
  const { managedFields: _m, resourceVersion: _r, generation: _g, ...metadata } = object.metadata
  return { ...rest, metadata }
}

/** JSON with the members of every object in the order of their names. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  )
}

/** Why a text may not take the place of this object: another name or kind would be another object. */
export function whyOtherObject(edited: KubeObject, object: KubeObject): { field: string; message: string } | undefined {
  const pairs = [
    ['apiVersion', edited.apiVersion, object.apiVersion],
    ['kind', edited.kind, object.kind],
    ['metadata.name', edited.metadata.name, object.metadata.name],
    ['metadata.namespace', edited.metadata.namespace ?? object.metadata.namespace, object.metadata.namespace],
    ['metadata.uid', edited.metadata.uid ?? object.metadata.uid, object.metadata.uid],
  ] as const
  const changed = pairs.find(([, now, before]) => now !== before)
  return changed && { field: changed[0], message: `${changed[0]} cannot be changed; it was ${changed[2]}.` }
}

export interface FieldProblem {
  /** As the API names it, such as `spec.template.spec.volumes[0].name`. */
  field?: string | undefined
  message: string
}

/** What the API says is wrong with an object, field by field; undefined when it refused it for another reason. */
export function fieldProblems(error: unknown): FieldProblem[] | undefined {
  if (!(error instanceof StatusError)) return undefined
  const unknownFields = [...error.message.matchAll(/(?:unknown|duplicate) field "([^"]+)"/g)]
  if (unknownFields.length > 0) return unknownFields.map(([message, field]) => ({ field, message: sentence(message) }))
  const causes = error.status.details?.causes ?? []
  if (causes.length > 0)
    return causes.map(({ field, message, reason }) => ({ field, message: message ?? reason ?? error.message }))
  return isInvalid(error) ? [{ message: error.message }] : undefined
}

function sentence(text: string): string {
  return `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}.`
}
