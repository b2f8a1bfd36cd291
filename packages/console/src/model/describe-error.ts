import { StatusError } from '@stillpoint/api/meta/status-error'

export interface ErrorText {
  title: string
  detail: string
  remedy?: string
  code?: string
}

const remedies: Record<string, string> = {
  Forbidden: 'Ask an administrator for a role that allows it.',
  Conflict: 'Somebody changed it meanwhile: look at it again, then repeat.',
  AlreadyExists: 'Choose another name.',
}

/** A failure in words for people. */
export function describeError(error: unknown): ErrorText {
  if (!(error instanceof StatusError))
    return { title: 'It did not work', detail: error instanceof Error ? error.message : String(error) }
  const { reason, code, message } = error
  const remedy = remedies[reason]
  return {
    title: reason === '' ? `The server answered ${code}` : reason,
    detail: message,
    ...(remedy === undefined ? {} : { remedy }),
    code: reason === '' ? String(code) : `${code} ${reason}`,
  }
}
