import { kinds } from '@stillpoint/api/kinds'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { failure } from '@stillpoint/api/meta/status-error'
import { type Connection, type HttpRequest, Transport } from '../../kube/transport.ts'

/** What a request asks for, as RBAC sees it. */
export interface Attributes {
  verb: string
  group: string
  /** With the subresource: `virtualmachines/status`. */
  resource: string
  namespace?: string
  name?: string
}

export interface PolicyRule {
  apiGroups: string[]
  resources: string[]
  verbs: string[]
  resourceNames?: string[]
}

/** A cluster role, or a role and the namespace it holds in. */
export interface Role {
  rules: PolicyRule[]
  namespace?: string
}

const verbs: Record<string, [named: string, collection: string]> = {
  GET: ['get', 'list'],
  POST: ['create', 'create'],
  PUT: ['update', 'update'],
  PATCH: ['patch', 'patch'],
  DELETE: ['delete', 'deletecollection'],
}

/** Throws for a path that names no resource. */
export function attributesOf({ method, path, query }: Pick<HttpRequest, 'method' | 'path' | 'query'>): Attributes {
  const match = /^\/(?:api|apis\/([^/]+))\/[^/]+(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+)(?:\/(.+))?)?$/.exec(
    path,
  )
  if (match?.[3] === undefined) throw new Error(`${path} names no resource`)
  const [, group = '', namespace, resource, name, subresource] = match
  const [named, collection] = verbs[method] ?? ['', '']
  return {
    verb: query?.watch === 'true' ? 'watch' : name === undefined ? collection : named,
    group,
    resource: subresource === undefined ? resource : `${resource}/${subresource}`,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
  }
}

/** The rule by which roles allow something. No wildcards: a role of ours has none. */
export function allowedBy(roles: readonly Role[], asked: Attributes): PolicyRule | undefined {
  return roles
    .filter(({ namespace }) => namespace === undefined || namespace === asked.namespace)
    .flatMap(({ rules }) => rules)
    .find(
      ({ apiGroups, resources, verbs, resourceNames }) =>
        apiGroups.includes(asked.group) &&
        resources.includes(asked.resource) &&
        verbs.includes(asked.verb) &&
        (resourceNames === undefined || (asked.name !== undefined && resourceNames.includes(asked.name))),
    )
}

/**
 * What a request asks for beside itself where the admission plugin OwnerReferencesPermissionEnforcement is on: who
 * changes the owners of an object must be allowed to delete it, and who names an owner that cannot be deleted before
 * the object must be allowed to set that owner's finalizers.
 */
export function ownershipAttributesOf(options: Pick<HttpRequest, 'method' | 'path' | 'body'>): Attributes[] {
  const owners = (options.body as Partial<KubeObject> | undefined)?.metadata?.ownerReferences ?? []
  if (owners.length === 0 || options.method === 'DELETE') return []
  const asked = attributesOf(options)
  const finalizers = owners
    .filter(({ blockOwnerDeletion }) => blockOwnerDeletion)
    .map(({ apiVersion, kind }): Attributes => {
      const [group = '', version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
      const definition = kinds.find((known) => known.group === group && known.kind === kind)
      if (definition === undefined) throw new Error(`no kind ${kind} in ${group}/${version}`)
      return { verb: 'update', group, resource: `${definition.plural}/finalizers` }
    })
  return options.method === 'PATCH' ? [{ ...asked, verb: 'delete' }, ...finalizers] : finalizers
}

/** A connection of somebody who has these roles and no more, as a cluster with RBAC treats them. */
export class AuthorizedTransport extends Transport {
  readonly #roles: readonly Role[]
  /** What was used of the roles: `verb group/resource`. */
  readonly used = new Set<string>()
  readonly refused = new Set<string>()

  constructor(connection: Connection, roles: readonly Role[]) {
    super(connection)
    this.#roles = roles
  }

  override async request(options: HttpRequest): Promise<unknown> {
    this.#authorize(options)
    return await super.request(options)
  }

  override lines(options: HttpRequest): AsyncGenerator<string> {
    this.#authorize(options)
    return super.lines(options)
  }

  #authorize(options: HttpRequest): void {
    for (const asked of [attributesOf(options), ...ownershipAttributesOf(options)]) {
      const text = `${asked.verb} ${asked.group}/${asked.resource}`
      if (allowedBy(this.#roles, asked) === undefined) {
        this.refused.add(text)
        throw failure(403, 'Forbidden', `${text} is not allowed`)
      }
      this.used.add(text)
    }
  }
}
