import { parseAccept } from '../apiserver/http/negotiate.ts'

/** Where the Kubernetes API begins for the console. */
export const apiPrefix = '/api/kubernetes'

/** First parts of paths that belong to the Kubernetes API, to uploads and to ourselves, never to the application. */
const reserved = new Set([
  ...['.well-known', 'api', 'apis', 'assets', 'auth', 'debug', 'healthz', 'livez', 'logs', 'metrics', 'openapi'],
  ...['openid', 'readyz', 'swagger', 'v1alpha1', 'v1beta1', 'version'],
])

export type Route =
  /** The application, which shows what the path names. */
  | { readonly to: 'page' }
  /** A file of the bundle, by its name in it. */
  | { readonly to: 'file'; readonly name: string }
  | { readonly to: 'auth'; readonly path: string }
  /** The Kubernetes API, at this address. */
  | { readonly to: 'kubernetes'; readonly url: string }
  /** Whatever stands behind the console. */
  | { readonly to: 'elsewhere' }
  | { readonly to: 'nowhere'; readonly why: string }

/** Where a request goes. */
export function routeOf(method: string, url: string, accept: string | undefined): Route {
  const path = pathOf(url)
  if (path === apiPrefix || path.startsWith(`${apiPrefix}/`)) {
    const why = whyNotForwarded(url)
    return why === undefined ? { to: 'kubernetes', url: addressBehind(url) } : { to: 'nowhere', why }
  }
  const [, first = '', ...rest] = path.split('/')
  if (first === 'auth') return { to: 'auth', path }
  if (first === 'assets') return isFileName(rest) ? { to: 'file', name: `assets/${rest[0]}` } : { to: 'elsewhere' }
  if (!path.startsWith('/') || (method !== 'GET' && method !== 'HEAD') || reserved.has(first))
    return { to: 'elsewhere' }
  // Icons and the like beside index.html, which is a page and no file.
  if (rest.length === 0 && isFileName([first]) && /\.(?:ico|png|svg|txt|webmanifest)$/.test(first))
    return { to: 'file', name: first }
  return acceptsHtml(accept) ? { to: 'page' } : { to: 'elsewhere' }
}

export function pathOf(url: string): string {
  const end = url.indexOf('?')
  return end < 0 ? url : url.slice(0, end)
}

function addressBehind(url: string): string {
  const rest = url.slice(apiPrefix.length)
  return rest.startsWith('/') ? rest : `/${rest}`
}

function isFileName(parts: readonly string[]): boolean {
  return parts.length === 1 && /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(parts[0] ?? '')
}

/** Only who names HTML is a browser: `*` and slash star is what kubectl, curl and libraries send. */
function acceptsHtml(accept: string | undefined): boolean {
  return parseAccept(accept).some(({ type }) => type === 'text/html')
}

/** A path that another server might shorten must not be sent to it: it would lead out of what the console may reach. */
function whyNotForwarded(url: string): string | undefined {
  if (!/^[\x21-\x22\x24-\x7e]*$/.test(url)) return 'its path has characters that must be percent-encoded'
  let path: string
  try {
    path = decodeURIComponent(pathOf(url))
  } catch {
    return 'its path is not percent-encoded UTF-8'
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
  if (/[\x00-\x1f\x7f\\]/.test(path)) return 'its path has control characters or backslashes'
  return path.split('/').some((part) => part === '.' || part === '..')
    ? "its path has a segment '.' or '..'"
    : undefined
}
