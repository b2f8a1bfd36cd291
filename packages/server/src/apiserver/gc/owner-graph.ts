import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'

/** Where an object with a given uid is, or was. */
export interface Located {
  definition: ResourceDefinition
  namespace: string | undefined
  name: string
}

/** Who owns whom, by uid: kept up to date from the events of the cache. */
export class OwnerGraph {
  readonly #located = new Map<string, Located>()
  readonly #owners = new Map<string, readonly string[]>()
  readonly #dependents = new Map<string, Set<string>>()

  put({ metadata }: KubeObject, definition: ResourceDefinition): void {
    const { uid, name, namespace, ownerReferences = [] } = metadata
    if (uid === undefined) return
    this.#located.set(uid, { definition, namespace, name })
    this.#setOwners(
      uid,
      ownerReferences.map((owner) => owner.uid),
    )
  }

  remove(uid: string): void {
    this.#located.delete(uid)
    this.#setOwners(uid, [])
  }

  locate(uid: string): Located | undefined {
    return this.#located.get(uid)
  }

  /** The uids of what refers to this uid as its owner. */
  dependentsOf(uid: string): string[] {
    return [...(this.#dependents.get(uid) ?? [])]
  }

  ownersOf(uid: string): readonly string[] {
    return this.#owners.get(uid) ?? []
  }

  #setOwners(uid: string, owners: readonly string[]): void {
    for (const owner of this.ownersOf(uid)) {
      const dependents = this.#dependents.get(owner)
      dependents?.delete(uid)
      if (dependents?.size === 0) this.#dependents.delete(owner)
    }
    if (owners.length === 0) this.#owners.delete(uid)
    else this.#owners.set(uid, owners)
    for (const owner of owners) {
      const dependents = this.#dependents.get(owner) ?? new Set()
      this.#dependents.set(owner, dependents.add(uid))
    }
  }
}
