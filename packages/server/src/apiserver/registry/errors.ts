import { failure, type Status, type StatusCause, StatusError } from '@stillpoint/api/meta/status-error'

/** What error texts need to know of a kind. */
export interface Named {
  group: string
  plural: string
  kind: string
}

type Details = NonNullable<Status['details']>

/** `plural` or `plural.group`, as error texts name a resource. */
export function resourceName({ group, plural }: { group: string; plural: string }): string {
  return group === '' ? plural : `${plural}.${group}`
}

function detailsOf({ group, plural }: Named, name: string): Details {
  return { ...(name ? { name } : {}), ...(group ? { group } : {}), kind: plural }
}

export function badRequest(message: string): StatusError {
  return failure(400, 'BadRequest', message)
}

export function unauthorized(): StatusError {
  return failure(401, 'Unauthorized', 'Unauthorized')
}

export function forbidden(of: Named, name: string, message: string, causes?: StatusCause[]): StatusError {
  const subject = name === '' ? resourceName(of) : `${resourceName(of)} ${JSON.stringify(name)}`
  return failure(403, 'Forbidden', `${subject} is forbidden: ${message}`, {
    ...detailsOf(of, name),
    ...(causes ? { causes } : {}),
  })
}

export function forbiddenPath(user: string, verb: string, path: string, reason = ''): StatusError {
  const text = `forbidden: User ${JSON.stringify(user)} cannot ${verb} path ${JSON.stringify(path)}`
  return failure(403, 'Forbidden', reason === '' ? text : `${text}: ${reason}`, {})
}

export function notFound(of: Named, name: string): StatusError {
  return failure(404, 'NotFound', `${resourceName(of)} ${JSON.stringify(name)} not found`, detailsOf(of, name))
}

export function namespaceNotFound(name: string): StatusError {
  return notFound({ group: '', plural: 'namespaces', kind: 'Namespace' }, name)
}

export function methodNotAllowed(): StatusError {
  return failure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {})
}

export function notAcceptable(offered: readonly string[]): StatusError {
  return failure(406, 'NotAcceptable', `only the following media types are accepted: ${offered.join(', ')}`)
}

export function unsupportedMediaType(
  accepted: readonly string[],
  why = 'the body of the request was in an unknown format',
): StatusError {
  return failure(415, 'UnsupportedMediaType', `${why} - accepted media types include: ${accepted.join(', ')}`)
}

export function alreadyExists(of: Named, name: string, prefix = '', suffix = ''): StatusError {
  const message = `${prefix}${resourceName(of)} ${JSON.stringify(name)} already exists${suffix}`
  return failure(409, 'AlreadyExists', message, detailsOf(of, name))
}

/** 409 for a stale resourceVersion, or with another explanation. */
export function conflict(
  of: Named,
  name: string,
  why = 'the object has been modified; please apply your changes to the latest version and try again',
): StatusError {
  const message = `Operation cannot be fulfilled on ${resourceName(of)} ${JSON.stringify(name)}: ${why}`
  return failure(409, 'Conflict', message, detailsOf(of, name))
}

export function expired(message: string): StatusError {
  return failure(410, 'Expired', message)
}

export function tooLarge(limit: number): StatusError {
  return entityTooLarge(`limit is ${limit}`)
}

export function entityTooLarge(detail: string): StatusError {
  return failure(413, 'RequestEntityTooLarge', `Request entity too large: ${detail}`)
}

/** One entry of a 422; `text` is everything after the field, `Invalid value: 0: must be greater than 1`. */
export interface FieldError {
  field: string
  reason: string
  text: string
}

const fieldErrorTypes = {
  required: ['FieldValueRequired', 'Required value'],
  invalid: ['FieldValueInvalid', 'Invalid value'],
  notSupported: ['FieldValueNotSupported', 'Unsupported value'],
  duplicate: ['FieldValueDuplicate', 'Duplicate value'],
  forbidden: ['FieldValueForbidden', 'Forbidden'],
  tooLong: ['FieldValueTooLong', 'Too long'],
  tooMany: ['FieldValueTooMany', 'Too many'],
  type: ['FieldValueTypeInvalid', 'Invalid value'],
} as const

/** A field error in Kubernetes' words; without `value` for the types that do not echo it. */
export function fieldError(
  type: keyof typeof fieldErrorTypes,
  field: string,
  detail: string,
  ...value: [] | [unknown]
): FieldError {
  const [reason, label] = fieldErrorTypes[type]
  const parts = [label, ...value.map(echo), ...(detail === '' ? [] : [detail])]
  return { field, reason, text: parts.join(': ') }
}

export function notSupported(field: string, value: unknown, supported: readonly unknown[]): FieldError {
  return fieldError('notSupported', field, `supported values: ${supported.map(echo).join(', ')}`, value)
}

function echo(value: unknown): string {
  return value === undefined ? 'null' : JSON.stringify(value)
}

/** 422 with one cause per error. */
export function invalid(of: Named, name: string, errors: readonly FieldError[]): StatusError {
  const kind = of.group === '' ? of.kind : `${of.kind}.${of.group}`
  const texts = errors.map(({ field, text }) => `${field === '' ? '<nil>' : field}: ${text}`)
  const joined = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`
  return failure(422, 'Invalid', `${kind} ${JSON.stringify(name)} is invalid: ${joined}`, {
    ...(name ? { name } : {}),
    ...(of.group ? { group: of.group } : {}),
    kind: of.kind,
    causes: errors.map(({ field, reason, text }) => ({ reason, message: text, field })),
  })
}

/** 422 about the options of a call, `ListOptions` for example. */
export function invalidOptions(kind: string, errors: readonly FieldError[]): StatusError {
  return invalid({ group: 'meta.k8s.io', plural: '', kind }, '', errors)
}

export function patchFailed(cause: unknown): StatusError {
  const error = failure(422, 'Invalid', 'the server rejected our request due to an error in our request', {})
  error.cause = cause
  return error
}

export function tooManyRequests(message: string): StatusError {
  return failure(429, 'TooManyRequests', message, { retryAfterSeconds: 1 })
}

export function internalError(message: string): StatusError {
  return failure(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] })
}

/** A 500 without a reason, where a real server has none either. */
export function unexplained(message: string): StatusError {
  return failure(500, '', message)
}

export function tooLargeResourceVersion(wanted: number, current: number): StatusError {
  return failure(504, 'Timeout', `Timeout: Too large resource version: ${wanted}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  })
}

export function timeout(): StatusError {
  return failure(504, 'Timeout', 'Timeout: request did not complete within the allotted timeout', {})
}

/** A refusal by a webhook, as a real API server hands it on; anything else stays as it is. */
export function deniedBy(webhook: string, error: unknown): unknown {
  if (!(error instanceof StatusError)) return error
  const message = `admission webhook ${JSON.stringify(webhook)} denied the request: ${error.message}`
  return new StatusError({ ...error.status, message })
}
