import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { deleteOptions, meta } from './meta-schemas.ts'
import { componentName } from './schemas.ts'
import { rootPath, type ServedVersion } from './served.ts'
import type { GroupVersionKind } from './verbs.ts'

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'
export type Action = 'list' | 'get' | 'post' | 'put' | 'patch' | 'delete' | 'deletecollection'

/** A query or path parameter, in either dialect. */
export interface Parameter {
  name: string
  in: 'query' | 'path'
  type: 'string' | 'integer' | 'boolean'
  description: string
}

/** A path of the API, free of the dialect it is printed in. */
export interface ApiPath {
  path: string
  parameters: Parameter[]
  operations: Operation[]
}

export interface Operation {
  method: Method
  action: Action
  operationId: string
  description: string
  kind: GroupVersionKind
  parameters: Parameter[]
  /** Component of the body, and its media types. */
  body?: { component: string; types: string[]; required: boolean }
  /** Component of the answer. */
  answer: string
  codes: string[]
}

const builtinPatches = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
]
const customPatches = builtinPatches.filter((type) => !type.includes('strategic'))

const query = (name: string, type: Parameter['type'], description: string): Parameter => ({
  name,
  in: 'query',
  type,
  description,
})
const inPath = (name: string, description: string): Parameter => ({ name, in: 'path', type: 'string', description })

const namespace = inPath('namespace', 'Namespace of the objects.')
const dryRun = query('dryRun', 'string', 'All: do everything but store the result.')
const writes = [
  dryRun,
  query('fieldManager', 'string', 'Who makes the change, for managedFields.'),
  query('fieldValidation', 'string', 'Unknown and duplicate fields: Ignore, Warn or Strict.'),
]
const selection = [
  query('allowWatchBookmarks', 'boolean', 'Watch: send bookmarks now and then.'),
  query('continue', 'string', 'Token of the chunk before.'),
  query('fieldSelector', 'string', 'Only objects with these fields.'),
  query('labelSelector', 'string', 'Only objects with these labels.'),
  query('limit', 'integer', 'Number of objects in a chunk.'),
  query('resourceVersion', 'string', 'The version to list or to watch from.'),
  query('resourceVersionMatch', 'string', 'Exact or NotOlderThan.'),
  query('sendInitialEvents', 'boolean', 'Watch: send the present objects first.'),
  query('timeoutSeconds', 'integer', 'Seconds after which the call ends.'),
]
const watch = query('watch', 'boolean', 'Send changes instead of a list.')
const deletion = [
  dryRun,
  query('gracePeriodSeconds', 'integer', 'Seconds the object may take to end; 0 deletes at once.'),
  query('orphanDependents', 'boolean', 'Deprecated, use propagationPolicy.'),
  query('propagationPolicy', 'string', 'Orphan, Background or Foreground.'),
]
const pretty = query('pretty', 'string', 'Indent the answer.')

const parametersOf: Record<Action, Parameter[]> = {
  list: [...selection, watch],
  get: [],
  post: writes,
  put: writes,
  patch: writes,
  delete: deletion,
  deletecollection: [...selection, ...deletion],
}

const methodOf: Record<Action, Method> = {
  list: 'get',
  get: 'get',
  post: 'post',
  put: 'put',
  patch: 'patch',
  delete: 'delete',
  deletecollection: 'delete',
}

const words: Record<Action, [verb: string, sentence: string]> = {
  list: ['list', 'list or watch objects of kind'],
  get: ['read', 'read the specified'],
  post: ['create', 'create a'],
  put: ['replace', 'replace the specified'],
  patch: ['patch', 'partially update the specified'],
  delete: ['delete', 'delete a'],
  deletecollection: ['deleteCollection', 'delete collection of'],
}

/** All paths of a group version. */
export function pathsOf(served: ServedVersion): ApiPath[] {
  return served.resources.flatMap((def) => pathsOfKind(served, def))
}

function pathsOfKind(served: ServedVersion, def: ResourceDefinition): ApiPath[] {
  const root = rootPath(served)
  const namespaced = def.scope === 'Namespaced'
  const collection = namespaced ? `${root}/namespaces/{namespace}/${def.plural}` : `${root}/${def.plural}`
  const scope = namespaced ? [namespace] : []
  const named = [...scope, inPath('name', `Name of the ${def.kind}.`)]
  const make = (actions: Action[], suffix = '') =>
    actions.map((action) => operation(served, def, action, `${namespaced ? 'Namespaced' : ''}${def.kind}${suffix}`))
  if (def.createOnly) return [{ path: collection, parameters: scope, operations: make(['post']) }]
  return [
    { path: collection, parameters: scope, operations: make(['list', 'post', 'deletecollection']) },
    { path: `${collection}/{name}`, parameters: named, operations: make(['get', 'put', 'delete', 'patch']) },
    ...(def.statusSubresource
      ? [
          {
            path: `${collection}/{name}/status`,
            parameters: named,
            operations: make(['get', 'put', 'patch'], 'Status'),
          },
        ]
      : []),
    ...(namespaced
      ? [
          {
            path: `${root}/${def.plural}`,
            parameters: [],
            operations: [operation(served, def, 'list', `${def.kind}ForAllNamespaces`)],
          },
        ]
      : []),
  ]
}

function operation(served: ServedVersion, def: ResourceDefinition, action: Action, subject: string): Operation {
  const [verb, sentence] = words[action]
  const component = componentName(def, served.version)
  return {
    method: methodOf[action],
    action,
    operationId: `${verb}${camel(served.group || 'core')}${camel(served.version)}${subject}`,
    description: `${sentence} ${def.kind}`,
    kind: { group: served.group, version: served.version, kind: def.kind },
    parameters: [pretty, ...parametersOf[action]],
    ...bodyOf(def, action, component),
    answer: answerOf(action, component),
    codes:
      action === 'post' ? ['200', '201', '202'] : action === 'put' || action === 'patch' ? ['200', '201'] : ['200'],
  }
}

function bodyOf(def: ResourceDefinition, action: Action, component: string): Pick<Operation, 'body'> {
  switch (action) {
    case 'post':
    case 'put':
      return { body: { component, types: ['application/json', 'application/yaml'], required: true } }
    case 'patch': {
      const types = def.origin === 'builtin' ? builtinPatches : customPatches
      return { body: { component: meta('Patch'), types, required: true } }
    }
    case 'delete':
    case 'deletecollection':
      return { body: { component: deleteOptions.name, types: ['application/json'], required: false } }
    default:
      return {}
  }
}

function answerOf(action: Action, component: string): string {
  if (action === 'list') return `${component}List`
  return action === 'delete' || action === 'deletecollection' ? meta('Status') : component
}

function camel(name: string): string {
  return name
    .split(/[.-]/)
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join('')
}
