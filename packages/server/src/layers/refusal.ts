import type { CsiCode } from '../csi/csi-error.ts'

/** Why the driver does not do what it was asked; becomes the gRPC status of the answer. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: CsiCode
  constructor(code: CsiCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The error and what caused it in one line. */
export function explain(error: unknown): string {
  const parts: string[] = []
  for (let at = error; at !== undefined && at !== null; at = at instanceof Error ? at.cause : undefined) {
    const text = at instanceof Error ? at.message : String(at)
    if (!parts.some((part) => part.includes(text))) parts.push(text)
  }
  return parts.join(': ')
}
