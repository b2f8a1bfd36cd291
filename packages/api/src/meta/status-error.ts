/** Kubernetes' metav1.Status: how every failed API call answers. */
export interface StatusCause {
  reason?: string
  message?: string
  field?: string
}

export interface Status {
  apiVersion: 'v1'
  kind: 'Status'
  metadata: Record<string, never>
  status: 'Success' | 'Failure'
  message?: string
  reason?: string
  code?: number
  details?: {
    name?: string
    group?: string
    kind?: string
    uid?: string
    causes?: StatusCause[]
    retryAfterSeconds?: number
  }
}

/** A refused or failed API call. Branch on the predicates below, never on the text. */
export class StatusError extends Error {
  readonly status: Status
  constructor(status: Status, options?: ErrorOptions) {
    super(status.message ?? status.reason ?? 'request failed', options)
    this.name = 'StatusError'
    this.status = status
  }
  get code(): number {
    return this.status.code ?? 500
  }
  get reason(): string {
    return this.status.reason ?? ''
  }
}

/** A failure as a real API server words it; an empty reason is left out. */
export function failure(code: number, reason: string, message: string, details?: Status['details']): StatusError {
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    ...(reason === '' ? {} : { reason }),
    ...(details ? { details } : {}),
    code,
  })
}

const hasReason =
  (...reasons: string[]) =>
  (error: unknown): error is StatusError =>
    error instanceof StatusError && reasons.includes(error.reason)

export const isNotFound = hasReason('NotFound')
export const isConflict = hasReason('Conflict')
export const isAlreadyExists = hasReason('AlreadyExists')
export const isInvalid = hasReason('Invalid')
export const isForbidden = hasReason('Forbidden')
export const isExpired = hasReason('Expired', 'Gone')
