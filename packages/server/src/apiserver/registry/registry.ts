import { randomInt, randomUUID } from 'node:crypto'
import type { KubeObject, ObjectMeta } from '@stillpoint/api/meta/object-meta'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import type { Authorize, ResourceAttributes } from '../auth/attributes.ts'
import { refusal } from '../auth/refusal.ts'
import { deepFreeze, isJsonObject, jsonEqual, sortKeys } from '../json.ts'
import { RevisionMismatch, type Store } from '../store/store.ts'
import { objectKey, resourceKey, type WatchCache } from '../watch/watch-cache.ts'
import type { Admission, Operation, Reader } from './admission.ts'
import type { Call, DeleteOptions } from './call.ts'
import { decodeObject } from './decode-object.ts'
import { contentFinalizers, isReleased, planDeletion } from './deletion.ts'
import {
  alreadyExists,
  badRequest,
  conflict,
  deniedBy,
  type FieldError,
  fieldError,
  forbidden,
  invalid,
  namespaceNotFound,
  notFound,
  tooLarge,
  unexplained,
} from './errors.ts'
import { KeyLock } from './key-lock.ts'
import { factsOf } from './kind-facts.ts'
import { validateFinalizersOfDeleted, validateMetadata } from './object-meta.ts'
import { validate } from './validate.ts'

const attempts = 10
const nameAttempts = 8
const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789'
/** etcd refuses larger values; with the same limit objects stay portable to a cluster. */
const objectLimitBytes = 1_572_864
const knownFinalizers = new Set(['orphan', 'foregroundDeletion', 'kubernetes'])
const undeletable = new Set(['default', 'kube-system', 'kube-public'])

/** A body as it came, and the keys its text repeated. */
export interface Incoming {
  body: unknown
  duplicates?: readonly string[]
}

/** Where an update writes: the object, its status, or a namespace's `finalize`. */
export type UpdateTarget = 'object' | 'status' | 'finalize'

export interface RegistryOptions {
  store: Store
  cache: WatchCache
  admission: readonly Admission[]
  authorize: Authorize
  now: () => Date
}

/** Create, update and delete for every kind, by its definition alone. Reads come from the cache. */
export class Registry {
  readonly #store: Store
  readonly #cache: WatchCache
  readonly #admission: readonly Admission[]
  readonly #authorize: Authorize
  readonly #now: () => Date
  readonly #lock = new KeyLock()
  readonly reader: Reader

  constructor({ store, cache, admission, authorize, now }: RegistryOptions) {
    this.#store = store
    this.#cache = cache
    this.#admission = admission
    this.#authorize = authorize
    this.#now = now
    this.reader = {
      get: (group, plural, namespace, name) => cache.get(`${group}/${plural}`, namespace, name),
      list: (group, plural, namespace) => cache.list(`${group}/${plural}`, namespace),
    }
  }

  /** The live object; 404 when there is none. */
  get({ definition, namespace }: Pick<Call, 'definition' | 'namespace'>, name: string): KubeObject {
    const object = this.#cache.get(resourceKey(definition), namespace, name)
    if (!object) throw notFound(definition, name)
    return object
  }

  async create(call: Call, { body, duplicates }: Incoming): Promise<KubeObject> {
    const { definition } = call
    const decoded = decodeObject(call, body, duplicates)
    if (decoded.metadata.resourceVersion)
      throw unexplained('resourceVersion should not be set on objects to be created')
    const placed = withNamespace(call, decoded)
    const generated = placed.metadata.name === '' && Boolean(placed.metadata.generateName)
    for (let attempt = 1; ; attempt++) {
      // Between this look and the write to the store's queue nothing is awaited: once a namespace is seen terminating,
      // no creation that saw it alive is still under way.
      this.#requireNamespace(call, placed.metadata.name)
      const object = this.#prepareNew(call, placed)
      const { name } = object.metadata
      const existing = this.#cache.get(resourceKey(definition), call.namespace, name)
      const stored = existing ? undefined : await this.#write(call, object, 0)
      if (stored) return stored
      const live = this.#cache.get(resourceKey(definition), call.namespace, name)
      if (generated && attempt < nameAttempts) continue
      throw alreadyExists(
        definition,
        name,
        live?.metadata.deletionTimestamp === undefined ? '' : 'object is being deleted: ',
        generated ? ', the server was not able to generate a unique name for the object' : '',
      )
    }
  }

  /**
   * Writes what `produce` makes of the live object. It may be called again when another writer was faster, so it must
   * be pure; a resourceVersion in what it returns makes the write conditional.
   */
  update(
    call: Call,
    name: string,
    produce: (live: KubeObject) => Incoming,
    target: UpdateTarget = 'object',
  ): Promise<KubeObject> {
    // Writers of one object take turns, so that none has to try again and again while others win.
    return this.#lock.run(storeKey(call, name), () => this.#update(call, name, produce, target))
  }

  async #update(
    call: Call,
    name: string,
    produce: (live: KubeObject) => Incoming,
    target: UpdateTarget,
  ): Promise<KubeObject> {
    for (let attempt = 0; attempt < attempts; attempt++) {
      const live = this.get(call, name)
      const incoming = produce(live)
      const object = this.#prepareUpdate(call, live, incoming, target)
      if (jsonEqual(object, live)) return live
      const revision = revisionOf(live)
      const written = isReleased(object)
        ? // The object without its last finalizer: a client that keeps what it is answered must not see it held.
          await this.#remove(call, object, revision)
        : await this.#write(call, object, revision)
      if (written) return written
    }
    throw conflict(call.definition, name)
  }

  /** PUT: an update, or a creation for the kinds that allow it. */
  async replace(
    call: Call,
    name: string,
    incoming: Incoming,
    target: UpdateTarget = 'object',
  ): Promise<{ object: KubeObject; created: boolean }> {
    const { definition } = call
    const missing = !this.#cache.get(resourceKey(definition), call.namespace, name)
    if (missing && target === 'object' && factsOf(definition).createOnUpdate) {
      const { body } = incoming
      const metadata: unknown = isJsonObject(body) ? body.metadata : undefined
      if (!isJsonObject(body) || !isJsonObject(metadata)) throw badRequest('the body must be an object with metadata')
      requireName(metadata.name, name)
      this.#requireCreate(call, name)
      const { resourceVersion: _revision, ...rest } = metadata
      return { object: await this.create(call, { ...incoming, body: { ...body, metadata: rest } }), created: true }
    }
    const object = await this.update(
      call,
      name,
      () => {
        requireVersionFor(call, name, incoming.body)
        return incoming
      },
      target,
    )
    return { object, created: false }
  }

  /** Deletes, or marks for deletion while finalizers hold the object. Says which, with the last state. */
  delete(call: Call, name: string, options: DeleteOptions): Promise<{ object: KubeObject; removed: boolean }> {
    return this.#lock.run(storeKey(call, name), () => this.#delete(call, name, options))
  }

  async #delete(call: Call, name: string, options: DeleteOptions): Promise<{ object: KubeObject; removed: boolean }> {
    const { definition } = call
    for (let attempt = 0; attempt < attempts; attempt++) {
      const live = this.get(call, name)
      this.#requireDeletable(call, live, options)
      this.#admit(call, 'DELETE', live, live)
      const plan = planDeletion(live, options.propagationPolicy, this.#now())
      const revision = revisionOf(live)
      switch (plan.do) {
        case 'nothing':
          return { object: live, removed: false }
        case 'remove': {
          const removed = await this.#remove(call, live, revision)
          if (removed) return { object: removed, removed: true }
          break
        }
        case 'mark': {
          const marked = await this.#write(call, plan.object, revision)
          if (marked) return { object: marked, removed: false }
          break
        }
        default:
          plan satisfies never
      }
    }
    throw conflict(definition, name)
  }

  #prepareNew(call: Call, decoded: KubeObject): KubeObject {
    const { definition } = call
    const { name, generateName, labels, annotations, ownerReferences, finalizers, namespace } = decoded.metadata
    warnOfBareFinalizers(call, finalizers)
    const metadata: ObjectMeta = {
      name: name === '' && generateName ? generatedName(generateName) : name,
      ...(generateName ? { generateName } : {}),
      ...(namespace === undefined ? {} : { namespace }),
      uid: randomUUID(),
      ...(definition.generation ? { generation: 1 } : {}),
      creationTimestamp: `${this.#now().toISOString().slice(0, 19)}Z`,
      ...optional({ labels, annotations, ownerReferences: this.#unique(call, ownerReferences), finalizers }),
    }
    let object: KubeObject = { ...decoded, metadata }
    if (definition.statusSubresource && !factsOf(definition).statusOnCreate) object = withStatusOf(object, undefined)
    requireValid(definition, object)
    const admitted = this.#admit(call, 'CREATE', object) ?? object
    if (admitted !== object) requireValid(definition, admitted)
    return admitted
  }

  #prepareUpdate(call: Call, live: KubeObject, { body, duplicates }: Incoming, target: UpdateTarget): KubeObject {
    const { definition } = call
    const { name } = live.metadata
    const decoded = withNamespace(call, decodeObject(call, body, duplicates))
    requireName(decoded.metadata.name, name)
    requirePreconditions(definition, decoded.metadata, live)
    const isolated = this.#isolate(call, decoded, live, target)
    // Rules rely on the schema, so it is checked before them, and again if they change anything.
    requireValid(definition, isolated, live)
    const subresource = target === 'status' ? { subresource: 'status' as const } : {}
    const object = this.#admit(call, 'UPDATE', isolated, live, subresource) ?? isolated
    if (object !== isolated) requireValid(definition, object, live)
    if (!definition.generation || target !== 'object' || sameSpec(object, live, definition)) return object
    return { ...object, metadata: { ...object.metadata, generation: (live.metadata.generation ?? 0) + 1 } }
  }

  // What each endpoint may change; everything else is as it was.
  #isolate(call: Call, decoded: KubeObject, live: KubeObject, target: UpdateTarget): KubeObject {
    const { definition } = call
    const metadata = this.#keepServerFields(call, decoded.metadata, live.metadata)
    if (target === 'finalize') return { ...live, spec: (decoded as { spec?: unknown }).spec } as KubeObject
    if (target === 'status') {
      // Built-in kinds let labels and annotations pass here as well; custom kinds take the status and nothing else.
      const kept = definition.origin === 'builtin' ? { ...live, metadata } : live
      return withStatusOf(kept, decoded)
    }
    const object = { ...decoded, metadata }
    const isolated = definition.statusSubresource ? withStatusOf(object, live) : object
    if (contentFinalizers(live).length === 0) return isolated
    return { ...isolated, spec: (live as { spec?: unknown }).spec } as KubeObject
  }

  #keepServerFields(call: Call, incoming: ObjectMeta, live: ObjectMeta): ObjectMeta {
    const { labels, annotations, ownerReferences, finalizers } = incoming
    warnOfBareFinalizers(
      call,
      finalizers?.filter((finalizer) => !live.finalizers?.includes(finalizer)),
    )
    const { labels: _l, annotations: _a, ownerReferences: _o, finalizers: _f, ...kept } = live
    return {
      ...kept,
      ...optional({ labels, annotations, ownerReferences: this.#unique(call, ownerReferences), finalizers }),
    }
  }

  #unique<T>(call: Call, references: T[] | undefined): T[] | undefined {
    if (!references) return references
    const unique = [...new Map(references.map((item) => [JSON.stringify(sortKeys(item)), item])).values()]
    if (unique.length === references.length) return references
    call.warn(
      '.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests',
    )
    return unique
  }

  // The request was allowed as an update.
  #requireCreate({ definition, namespace, user }: Call, name: string): void {
    const { group, plural: resource } = definition
    const asked = { verb: 'create', group, resource, namespace, name }
    const decision = this.#authorize(user, asked)
    if (!decision.allowed) throw refusal(user, asked, decision)
  }

  #requireNamespace({ definition, namespace }: Call, name: string): void {
    if (definition.scope !== 'Namespaced' || namespace === undefined) return
    if (!this.#cache.serves('/namespaces')) return
    const object = this.#cache.get('/namespaces', undefined, namespace)
    if (!object) throw namespaceNotFound(namespace)
    if (object.metadata.deletionTimestamp === undefined) return
    const text = `unable to create new content in namespace ${namespace} because it is being terminated`
    throw forbidden(definition, name, text, [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ])
  }

  #requireDeletable({ definition }: Call, live: KubeObject, { preconditions }: DeleteOptions): void {
    const { name, uid, resourceVersion } = live.metadata
    if (preconditions?.uid !== undefined && preconditions.uid !== uid)
      throw conflict(
        definition,
        name,
        `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
      )
    if (preconditions?.resourceVersion !== undefined && preconditions.resourceVersion !== resourceVersion)
      throw conflict(
        definition,
        name,
        `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
      )
    if (definition.group !== '' || definition.plural !== 'namespaces') return
    if (undeletable.has(name)) throw forbidden(definition, name, 'this namespace may not be deleted')
    if (live.metadata.deletionTimestamp !== undefined && contentFinalizers(live).length > 0)
      throw conflict(
        definition,
        name,
        'The system is ensuring all content is removed from this namespace.  Upon completion, this namespace will automatically be purged by the system.',
      )
  }

  #admit(
    call: Call,
    operation: Operation,
    object: KubeObject,
    oldObject?: KubeObject,
    extra: { subresource?: 'status' } = {},
  ): KubeObject | undefined {
    const { definition, user, dryRun } = call
    let admitted = object
    for (const rule of this.#admission) {
      if (rule.resource !== '*' && (rule.group !== definition.group || rule.resource !== definition.plural)) continue
      if (!rule.operations.includes(operation)) continue
      const may = (asked: ResourceAttributes) => this.#authorize(user, asked).allowed
      const given = { operation, object: admitted, user, dryRun, read: this.reader, may, ...extra }
      try {
        admitted = rule.admit(oldObject ? { ...given, oldObject } : given) ?? admitted
      } catch (error) {
        throw rule.webhook === undefined ? error : deniedBy(rule.webhook, error)
      }
    }
    return admitted
  }

  /** Undefined when another writer was faster. */
  async #write(call: Call, object: KubeObject, expectedRevision: number): Promise<KubeObject | undefined> {
    const { definition } = call
    const value = encodeForStore(object, definition)
    if (Buffer.byteLength(value) > objectLimitBytes) throw tooLarge(objectLimitBytes)
    if (call.dryRun) return deepFreeze(object)
    const written = await this.#attempt(storeKey(call, object.metadata.name), expectedRevision, value)
    return written === undefined ? undefined : this.#cached(call, object.metadata.name, written, value)
  }

  // The answer to a write is that write's state, even if the next one is already in.
  #cached({ definition, namespace }: Call, name: string, revision: number, value: string): KubeObject {
    const object = this.#cache.get(resourceKey(definition), namespace, name)
    if (object?.metadata.resourceVersion === String(revision)) return object
    const decoded = JSON.parse(value) as KubeObject
    decoded.metadata.resourceVersion = String(revision)
    return deepFreeze(decoded)
  }

  async #remove(call: Call, live: KubeObject, expectedRevision: number): Promise<KubeObject | undefined> {
    if (call.dryRun) return live
    const revision = await this.#attempt(storeKey(call, live.metadata.name), expectedRevision, undefined)
    if (revision === undefined) return undefined
    return deepFreeze({ ...live, metadata: { ...live.metadata, resourceVersion: String(revision) } })
  }

  async #attempt(key: string, expectedRevision: number, value: string | undefined): Promise<number | undefined> {
    try {
      return await this.#store.write({ key, expectedRevision, value })
    } catch (error) {
      if (error instanceof RevisionMismatch) return undefined
      throw error
    }
  }
}

function storeKey({ definition, namespace }: Call, name: string): string {
  return `${resourceKey(definition)}/${objectKey(namespace, name)}`
}

function encodeForStore(object: KubeObject, { origin }: ResourceDefinition): string {
  const { resourceVersion: _revision, ...metadata } = object.metadata
  const stored = { ...object, metadata }
  // A real server prints custom objects with their keys in order, and built-in ones as its structs are.
  return JSON.stringify(origin === 'custom' ? sortKeys(stored) : stored)
}

function withNamespace({ definition, namespace }: Call, object: KubeObject): KubeObject {
  const { namespace: given, ...metadata } = object.metadata
  if (definition.scope === 'Cluster' || namespace === undefined) return { ...object, metadata }
  if (given !== undefined && given !== '' && given !== namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  return { ...object, metadata: { ...metadata, namespace } }
}

function requireValid(definition: ResourceDefinition, object: KubeObject, live?: KubeObject): void {
  const errors: FieldError[] = [
    ...(live ? validateFinalizersOfDeleted(object.metadata, live.metadata) : []),
    ...validateMetadata(definition, object.metadata),
  ]
  validate(object, definition.schema(), '', errors, live)
  if (errors.length > 0) throw invalid(definition, object.metadata.name, errors)
}

function requireName(given: unknown, name: string): void {
  if (given !== name)
    throw badRequest(`the name of the object (${String(given ?? '')}) does not match the name on the URL (${name})`)
}

function requirePreconditions(
  definition: ResourceDefinition,
  { uid, resourceVersion }: ObjectMeta,
  live: KubeObject,
): void {
  const { name } = live.metadata
  if (uid && uid !== live.metadata.uid)
    throw conflict(
      definition,
      name,
      `StorageError: invalid object, Code: 4, Key: /registry/${definition.group ? `${definition.group}/` : ''}${definition.plural}/${objectKey(live.metadata.namespace, name)}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`,
    )
  if (resourceVersion && resourceVersion !== live.metadata.resourceVersion) throw conflict(definition, name)
}

function requireVersionFor({ definition }: Call, name: string, body: unknown): void {
  if (factsOf(definition).unconditionalUpdate || !isJsonObject(body) || !isJsonObject(body.metadata)) return
  if (body.metadata.resourceVersion === undefined || body.metadata.resourceVersion === '')
    throw invalid(definition, name, [
      fieldError('invalid', 'metadata.resourceVersion', 'must be specified for an update', 0),
    ])
}

function withStatusOf(object: KubeObject, from: KubeObject | undefined): KubeObject {
  const { status: _status, ...rest } = object as KubeObject & { status?: unknown }
  const { status } = (from ?? {}) as { status?: unknown }
  return status === undefined ? rest : ({ ...rest, status } as KubeObject)
}

function sameSpec(a: KubeObject, b: KubeObject, { statusSubresource }: ResourceDefinition): boolean {
  const counted = (object: KubeObject) => {
    const { metadata: _metadata, ...rest } = statusSubresource ? withStatusOf(object, undefined) : object
    return rest
  }
  return jsonEqual(counted(a), counted(b))
}

function generatedName(base: string): string {
  const suffix = Array.from({ length: 5 }, () => suffixAlphabet[randomInt(suffixAlphabet.length)]).join('')
  return base.slice(0, 58) + suffix
}

function revisionOf(object: KubeObject): number {
  return Number(object.metadata.resourceVersion)
}

function warnOfBareFinalizers({ warn }: Call, finalizers: readonly string[] = []): void {
  for (const finalizer of finalizers)
    if (!finalizer.includes('/') && !knownFinalizers.has(finalizer))
      warn(
        `metadata.finalizers: ${JSON.stringify(finalizer)}: prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers`,
      )
}

// Empty maps and lists are left out, as a real server leaves them out.
function optional(fields: Record<string, object | undefined>): Partial<ObjectMeta> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value && Object.keys(value).length > 0))
}
