import type { ResourceDefinition } from '@stillpoint/api/schema/resource'

// Addresses of pages: those of the OpenShift console, so that links and people find their way.

/** `kubevirt.io~v1~VirtualMachine` */
export function kindSegment({ group, version, kind }: ResourceDefinition): string {
  return `${group}~${version}~${kind}`
}

/** The list of a kind, in one namespace or in all. */
export function listPath(definition: ResourceDefinition, namespace: string | undefined): string {
  const where = namespace === undefined ? 'all-namespaces' : `ns/${encodeURIComponent(namespace)}`
  return `/k8s/${where}/${kindSegment(definition)}`
}

/** Where a new object of a kind is made. No object is called so. */
export function newPath(definition: ResourceDefinition, namespace: string): string {
  return `${listPath(definition, namespace)}/~new`
}

/** One object, or a tab of its page. */
export function objectPath(
  definition: ResourceDefinition,
  { namespace = '', name }: { namespace?: string; name: string },
  tab?: string,
): string {
  const path = `/k8s/ns/${encodeURIComponent(namespace)}/${kindSegment(definition)}/${encodeURIComponent(name)}`
  return tab === undefined ? path : `${path}/${tab}`
}

const lastNamespaceKey = 'stillpoint.namespace'

/** The namespace last looked at in this browser; undefined: all. */
export function lastNamespace(): string | undefined {
  const kept = localStorage.getItem(lastNamespaceKey)
  return kept === '' ? undefined : (kept ?? 'default')
}

export function rememberNamespace(namespace: string | undefined): void {
  localStorage.setItem(lastNamespaceKey, namespace ?? '')
}
