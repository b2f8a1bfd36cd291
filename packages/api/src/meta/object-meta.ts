/** The parts of Kubernetes' ObjectMeta that this project reads and writes (meta/v1). Times are RFC 3339 strings. */
export interface OwnerReference {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

export interface ObjectMeta {
  name: string
  namespace?: string
  generateName?: string
  uid?: string
  resourceVersion?: string
  generation?: number
  creationTimestamp?: string
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  labels?: Record<string, string>
  annotations?: Record<string, string>
  finalizers?: string[]
  ownerReferences?: OwnerReference[]
  managedFields?: unknown[]
}

/** Any object as it travels: what every kind has, and the rest untyped. */
export interface KubeObject {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
}

export interface ListMeta {
  resourceVersion?: string
  continue?: string
  remainingItemCount?: number
}

export interface KubeList<T extends KubeObject> {
  apiVersion: string
  kind: string
  metadata: ListMeta
  items: T[]
}

/** An object that has been stored: the server has given it a uid and a resourceVersion. */
export function uidOf(object: KubeObject): string {
  if (object.metadata.uid === undefined) throw new Error(`${object.kind} ${object.metadata.name} has no uid`)
  return object.metadata.uid
}

/** `namespace/name`, or the bare name of a cluster-scoped object: the key of work queues and caches. */
export function keyOf({ metadata }: { metadata: { namespace?: string; name: string } }): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`
}

export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true)
}

/** A controlling owner reference, as a garbage collector and other controllers expect it. */
export function ownedBy(owner: KubeObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: uidOf(owner),
    controller: true,
    blockOwnerDeletion: true,
  }
}
