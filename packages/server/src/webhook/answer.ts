import { clusterKinds } from '@stillpoint/api/kinds'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { failure, type StatusCause, StatusError } from '@stillpoint/api/meta/status-error'
import type { Admission, AdmissionCall } from '@stillpoint/api/snapshot/admission'
import { sameJson } from '@stillpoint/api/snapshot/same-json'
import jsonPatch from 'fast-json-patch'
import * as z from 'zod'
import { type Review, ReviewError } from './review.ts'

/** `response` of an AdmissionReview. */
export interface Answer {
  uid: string
  allowed: boolean
  status?: { status: 'Failure'; message?: string; reason?: string; code: number; details?: object }
  patchType?: 'JSONPatch'
  /** In base64. */
  patch?: string
}

export type Read = AdmissionCall['read']

/** Whether a write may be done. Refusals are as the rule words them; the API server adds the webhook's name. */
export function validate(review: Review, rule: Admission, read: Read): Answer {
  const { uid, operation, oldObject, subresource } = review
  if (!concerns(review, rule)) return { uid, allowed: true }
  if (operation === 'CONNECT') return { uid, allowed: true }
  const object = required(review, 'object')
  const old = operation === 'UPDATE' ? required(review, 'oldObject') : undefined
  try {
    // What is not changed need not fit: labels and finalizers of what is stored can always be.
    if (old === undefined || !sameJson(specOf(object), specOf(old))) {
      if (old !== undefined && !isObject(specOf(old))) throw new ReviewError('request.oldObject.spec: not an object')
      requireShape(object, rule)
    }
    rule.admit({
      operation,
      object,
      ...(oldObject === undefined ? {} : { oldObject }),
      ...(subresource === 'status' ? { subresource } : {}),
      read,
    })
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    const { message, reason, details } = error.status
    return {
      uid,
      allowed: false,
      status: {
        status: 'Failure',
        code: error.code,
        ...(message === undefined ? {} : { message }),
        ...(reason === undefined ? {} : { reason }),
        ...(details === undefined ? {} : { details }),
      },
    }
  }
  return { uid, allowed: true }
}

/** What is to be changed in an object before it is stored. It has not been checked against any schema yet. */
export function mutate(review: Review, rule: Admission): Answer {
  const { uid } = review
  if (!concerns(review, rule) || review.subresource !== undefined || rule.mutate === undefined)
    return { uid, allowed: true }
  const object = required(review, 'object')
  const patch = jsonPatch.compare(object, rule.mutate(object))
  if (patch.length === 0) return { uid, allowed: true }
  return {
    uid,
    allowed: true,
    patchType: 'JSONPatch',
    patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
  }
}

/** False for an operation the rule has nothing to say about; throws for a resource that has its own path. */
function concerns({ group, resource, operation }: Review, rule: Admission): boolean {
  if (group !== rule.group || resource !== rule.resource)
    throw new ReviewError(`request.resource: this path is for ${rule.resource}.${rule.group}, not ${resource}.${group}`)
  return rule.operations.some((known) => known === operation)
}

function required(review: Review, member: 'object' | 'oldObject'): KubeObject {
  const object = review[member]
  if (object === undefined) throw new ReviewError(`request.${member}: missing in a review of ${review.operation}`)
  return object
}

/** Of kinds that are not ours, rules look at little, and take nothing for granted but this. */
const foreign = z.looseObject({ spec: z.looseObject({}) })

/** Rules rely on the schema of our kinds. A real API server has checked it; an older definition may let more pass. */
function requireShape(object: KubeObject, { group, resource }: Admission): void {
  const definition = clusterKinds.find((kind) => kind.group === group && kind.plural === resource)
  const parsed = (definition?.fields ?? foreign).safeParse(object)
  if (parsed.success) return
  const causes = parsed.error.issues.map((issue) => causeOf(issue, object))
  const texts = causes.map(({ field, message }) => `${field}: ${message}`)
  throw failure(422, 'Invalid', texts.join(', '), { causes })
}

function specOf(object: KubeObject): unknown {
  return (object as { spec?: unknown }).spec
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function causeOf(issue: z.core.$ZodIssue, object: unknown): StatusCause {
  const given = issue.path.reduce<unknown>(
    (value, step) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[step] : undefined,
    object,
  )
  const reason =
    given === undefined
      ? 'FieldValueRequired'
      : issue.code === 'invalid_value'
        ? 'FieldValueNotSupported'
        : 'FieldValueTypeInvalid'
  return { reason, field: fieldOf(issue.path), message: issue.message }
}

function fieldOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (field, step) =>
      typeof step === 'number' ? `${field}[${step}]` : field === '' ? String(step) : `${field}.${String(step)}`,
    '',
  )
}
