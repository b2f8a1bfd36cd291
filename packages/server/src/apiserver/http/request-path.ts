/** What the path of a request names. Absent parts are undefined, never empty. */
export interface ResourcePath {
  group: string
  version: string
  namespace: string | undefined
  resource: string
  name: string | undefined
  /** Everything after the name: `status`, `portforward/8080`. */
  subresource: string | undefined
  /** The old `/watch/` spelling of a watch. */
  watch: boolean
}

const namespaceSubresources = new Set(['status', 'finalize'])

/** Reads `/api/V/…` and `/apis/G/V/…` down to a resource. Undefined for every other path. */
export function parseResourcePath(path: string): ResourcePath | undefined {
  const segments = decodeSegments(path)
  if (!segments) return undefined
  const [root, ...rest] = segments
  if (root !== 'api' && root !== 'apis') return undefined
  const group = root === 'api' ? '' : rest.shift()
  const version = rest.shift()
  const watch = rest[0] === 'watch' && rest.length > 1
  if (watch) rest.shift()
  if (group === undefined || version === undefined || rest.length === 0) return undefined
  const [first = '', second, third] = rest
  const base = { group, version, watch }
  if (
    first === 'namespaces' &&
    second !== undefined &&
    third !== undefined &&
    !isNamespaceSubresource(group, third, rest)
  ) {
    const [, , resource = '', name, ...sub] = rest
    return { ...base, namespace: second, resource, name, subresource: sub.length > 0 ? sub.join('/') : undefined }
  }
  const [, name, ...sub] = rest
  return {
    ...base,
    namespace: undefined,
    resource: first,
    name,
    subresource: sub.length > 0 ? sub.join('/') : undefined,
  }
}

function isNamespaceSubresource(group: string, third: string, rest: readonly string[]): boolean {
  return group === '' && rest.length === 3 && namespaceSubresources.has(third)
}

// Undefined when a segment is not valid percent-encoding or hides a slash: no object has such a name.
function decodeSegments(path: string): string[] | undefined {
  const segments = path.split('/').filter((segment) => segment !== '')
  try {
    const decoded = segments.map(decodeURIComponent)
    return decoded.some((segment) => segment.includes('/')) ? undefined : decoded
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}
