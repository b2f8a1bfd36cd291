import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import * as z from 'zod'

/** A question of an API server about one write: admission.k8s.io/v1. */
export interface Review {
  uid: string
  group: string
  resource: string
  subresource?: string
  operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'
  object?: KubeObject
  oldObject?: KubeObject
}

/** What came in is no review, or not one for this path. The text says what is wrong and where. */
export class ReviewError extends Error {
  readonly code: number
  constructor(message: string, code = 400) {
    super(message)
    this.name = 'ReviewError'
    this.code = code
  }
}

// An object comes as the client sent it, or nearly: only what every object has is relied on.
const object = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string().optional(), namespace: z.string().optional() }),
})

const reviewSchema = z.looseObject({
  apiVersion: z.literal('admission.k8s.io/v1', 'must be admission.k8s.io/v1'),
  kind: z.literal('AdmissionReview', 'must be AdmissionReview'),
  request: z.looseObject({
    uid: z.string().min(1),
    resource: z.looseObject({ group: z.string(), version: z.string(), resource: z.string().min(1) }),
    subResource: z.string().optional(),
    name: z.string().optional(),
    namespace: z.string().optional(),
    operation: z.enum(['CREATE', 'UPDATE', 'DELETE', 'CONNECT']),
    object: object.nullable().optional(),
    oldObject: object.nullable().optional(),
  }),
})

/** Reads the body of a request; throws ReviewError with the first thing that is wrong. */
export function parseReview(text: string): Review {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new ReviewError(`the body is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  const parsed = reviewSchema.safeParse(value)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const field = issue?.path.join('.') || 'the body'
    throw new ReviewError(`not an AdmissionReview of admission.k8s.io/v1: ${field}: ${issue?.message}`)
  }
  const { uid, resource, subResource, operation, ...request } = parsed.data.request
  return {
    uid,
    group: resource.group,
    resource: resource.resource,
    operation,
    ...(subResource ? { subresource: subResource } : {}),
    ...(request.object ? { object: named(request.object, request) } : {}),
    ...(request.oldObject ? { oldObject: named(request.oldObject, request) } : {}),
  }
}

/** Objects to be created may lack what only the address of the request says. */
function named(object: object, { name, namespace }: { name?: string | undefined; namespace?: string | undefined }) {
  const { metadata, ...rest } = object as KubeObject
  return {
    ...rest,
    metadata: { ...metadata, name: metadata.name ?? name ?? '', ...(namespace ? { namespace } : {}) },
  } as KubeObject
}
