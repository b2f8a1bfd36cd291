import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import type { Subresource } from './served.ts'

export interface GroupVersionKind {
  group: string
  version: string
  kind: string
}

/** What discovery says of a subresource. `kind` is undefined where a real server names none. */
export interface SubresourceFacts {
  verbs: string[]
  /** Only where it differs from the parent's. */
  kind?: GroupVersionKind
}

const builtinVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
const customVerbs = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch']

/** In the order real servers print them. */
export function verbsOf({ origin, createOnly }: ResourceDefinition): string[] {
  if (createOnly) return ['create']
  return origin === 'builtin' ? builtinVerbs : customVerbs
}

export const statusVerbs = ['get', 'patch', 'update']

// Reads of KubeVirt's subresource API; its other subresources are actions, done by PUT.
const readOnly = new Set([
  'console',
  'expand-spec',
  'filesystemlist',
  'guestosinfo',
  'objectgraph',
  'portforward',
  'usbredir',
  'userlist',
  'vnc',
  'vnc/screenshot',
  'vsock',
])

export function subresourceFacts({ name }: Subresource): SubresourceFacts {
  if (name === 'scale') return { verbs: statusVerbs, kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' } }
  if (name === 'token')
    return { verbs: ['create'], kind: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' } }
  return { verbs: [readOnly.has(name) ? 'get' : 'update'] }
}
