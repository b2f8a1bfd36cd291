/** gRPC's status codes by number, as CSI uses them. */
export const codes = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const
export type CsiCode = (typeof codes)[number]

/** The name of a gRPC status number. A number nobody defined is `UNKNOWN`. */
export function codeName(code: number): CsiCode {
  return codes[code] ?? 'UNKNOWN'
}

/** A refused or failed CSI call. `details` is the driver's own sentence; callers branch on `code`. */
export class CsiError extends Error {
  readonly code: CsiCode
  readonly method: string
  readonly details: string
  constructor(code: CsiCode, method: string, details: string, options?: ErrorOptions) {
    super(`${method}: ${code}: ${details}`, options)
    this.name = 'CsiError'
    this.code = code
    this.method = method
    this.details = details
  }
}

const retryable: readonly CsiCode[] = ['ABORTED', 'UNAVAILABLE', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED', 'CANCELLED']

/** Whether the same call may succeed later without anybody changing anything. */
export function isRetryable(error: unknown): boolean {
  return error instanceof CsiError && retryable.includes(error.code)
}
