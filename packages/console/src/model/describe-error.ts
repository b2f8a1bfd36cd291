import { type Status, StatusError } from '@stillpoint/api/meta/status-error'

/** A failure in words for people. */
export interface ErrorText {
  /** What kind of failure, in a few words. */
  title: string
  /** What exactly, in the words of whoever refused or failed. */
  detail: string
  /** What a person can do. */
  remedy?: string
  /** To ask or to search for. */
  code: string
}

/** A refusal of the API, or that none came, for people. Anything that can be thrown is taken. */
export function describeError(error: unknown): ErrorText {
  const status = statusOf(error)
  return status === undefined ? describeOther(error) : describeStatus(status)
}

function statusOf(error: unknown): Partial<Status> | undefined {
  if (error instanceof StatusError) return error.status
  const { kind, status } = (error ?? {}) as Partial<Record<'kind' | 'status', unknown>>
  return kind === 'Status' && status === 'Failure' ? (error as Status) : undefined
}

const titles: Record<string, string> = {
  AlreadyExists: 'It exists already',
  BadRequest: 'The request was refused',
  Conflict: 'It was changed meanwhile',
  Expired: 'It was asked too late',
  Forbidden: 'It is not allowed',
  Gone: 'It is there no more',
  InternalError: 'The server failed',
  Invalid: 'The request was refused',
  MethodNotAllowed: 'The server does not offer this',
  NotFound: 'It is not there',
  NotImplemented: 'The server does not offer this',
  RequestEntityTooLarge: 'It is too large',
  ServerTimeout: 'The server is too slow',
  ServiceUnavailable: 'The server cannot be used now',
  Timeout: 'The server is too slow',
  TooManyRequests: 'The server has too much to do',
  Unauthorized: 'You are not signed in',
}
const titlesByCode: Record<number, string> = {
  400: 'The request was refused',
  401: 'You are not signed in',
  403: 'It is not allowed',
  404: 'It is not there',
  409: 'It does not fit the present state',
  413: 'It is too large',
  422: 'The request was refused',
  429: 'The server has too much to do',
  502: 'The server behind this one gave no proper answer',
  503: 'The server cannot be used now',
  504: 'The server is too slow',
}

/** By what is said: it is closer to what happened than the reason is. */
const remediesByText: readonly (readonly [RegExp, string])[] = [
  [/exceeded quota/, 'Delete what is not needed any more, or ask an administrator for a larger quota.'],
  [/VirtualMachineRestore ".*" in progress/, 'Wait until that restore is complete, or delete it to give it up.'],
  [/until (?:snapshot|restore) ".*" completes|is in progress/, 'Wait until that has ended, then repeat.'],
  [/immutable after creation/, 'Delete it, and create a new one with what is wanted.'],
  [/X-CSRFToken|csrf-token/i, 'Load this page again, then repeat.'],
  [/failed calling webhook/, 'A controller that has to agree does not answer: see whether it runs.'],
  [/no space left on device/i, 'Free some space on the disks of the server.'],
]
const remediesByReason: Record<string, string> = {
  AlreadyExists: 'Choose another name.',
  Conflict: 'Look at it as it is now, then repeat.',
  Expired: 'Load it again.',
  Forbidden: 'Ask an administrator for a role that allows it.',
  Gone: 'Load it again.',
  InternalError: 'Repeat it; if it fails again, look at the log of the server.',
  NotFound: 'It may have been deleted meanwhile: look at the list again.',
  RequestEntityTooLarge: 'Shorten what was entered.',
  ServerTimeout: 'Repeat it in a moment.',
  ServiceUnavailable: 'Repeat it in a moment.',
  Timeout: 'Look whether it was done nevertheless before it is repeated.',
  TooManyRequests: 'Repeat it in a moment.',
  Unauthorized: 'Sign in again.',
}

function describeStatus({ code = 500, reason = '', message, details }: Partial<Status>): ErrorText {
  const said = withoutWebhook(message ?? '')
  const title = own(titles, reason) ?? own(titlesByCode, code) ?? `The server answered ${code}`
  const known = remediesByText.find(([pattern]) => pattern.test(said))?.[1] ?? own(remediesByReason, reason)
  const seconds = details?.retryAfterSeconds
  const remedy = seconds !== undefined && seconds > 0 ? `Repeat it in ${seconds} s.` : known
  return {
    title,
    detail: causesIn(details) ?? (said || 'No reason was given.'),
    ...(remedy === undefined ? {} : { remedy }),
    code: reason === '' ? String(code) : `${code} ${reason}`,
  }
}

function own<T>(table: Readonly<Record<string | number, T>>, key: string | number): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined
}

/** Which webhook refused is of interest to those who run it; what it said is to everybody. */
function withoutWebhook(message: string): string {
  return message.replace(/^admission webhook "[^"]*" denied the request: /, '')
}

const shownCauses = 5

/** Field by field, when the refusal says which. */
function causesIn(details: Status['details']): string | undefined {
  const causes = (details?.causes ?? []).filter(({ field, message }) => field && message)
  if (causes.length === 0) return undefined
  const texts = [...new Set(causes.map(({ field, message }) => `${field}: ${message}`))]
  const more = texts.length > shownCauses ? `; and ${texts.length - shownCauses} more` : ''
  return texts.slice(0, shownCauses).join('; ') + more
}

const network: ErrorText = {
  title: 'The server cannot be reached',
  detail: 'No answer came.',
  remedy: 'Check the connection, and whether the server runs; then repeat.',
  code: 'Network',
}

function textOf(thrown: unknown): string {
  // Turning an object into a text runs code of that object, which may fail again.
  return typeof thrown === 'object' && thrown !== null ? 'Something was thrown that is no error.' : String(thrown)
}

/** By their names: they are of the browser, and of the client, which knows a network. */
function describeOther(error: unknown): ErrorText {
  const { name, message } = error instanceof Error ? error : { name: '', message: textOf(error) }
  switch (name) {
    case 'ConnectionError':
      return network
    case 'TimeoutError':
      return {
        title: 'The server is too slow',
        detail: 'No answer came in time.',
        remedy: 'Look whether it was done nevertheless before it is repeated.',
        code: 'Timeout',
      }
    case 'AbortError':
      return { title: 'It was given up', detail: 'The request was ended before its answer came.', code: 'Aborted' }
    case 'TypeError':
      // What browsers throw when a request fails: Chromium, Firefox, Safari.
      return /^(?:Failed to fetch|NetworkError when attempting to fetch resource\.?|Load failed)/.test(message)
        ? network
        : { title: 'The console failed', detail: message, remedy: 'Load this page again.', code: name }
    default:
      return { title: 'It did not work', detail: message || 'No reason was given.', code: name || 'Error' }
  }
}
