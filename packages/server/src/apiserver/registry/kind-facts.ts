import type { ResourceDefinition } from '@stillpoint/api/schema/resource'

/** How single kinds differ, in a real server unless it is said. Everything else about a kind is in its definition. */
export interface KindFacts {
  /** PUT of a missing object creates it. */
  createOnUpdate: boolean
  /** PUT without a resourceVersion overwrites whatever there is. */
  unconditionalUpdate: boolean
  /** DELETE answers with the object, not with a Status. */
  returnsDeleted: boolean
  /** Status may be set at creation. */
  statusOnCreate: boolean
  /** Ours only: DELETE by other than controllers is answered when the object is gone, if that takes no longer. */
  awaitedRemovalMs: number
  /** Field selectors beside metadata.name and metadata.namespace, with the path each one reads. */
  fieldSelectors: Readonly<Record<string, string>>
}

const none: KindFacts = {
  createOnUpdate: false,
  unconditionalUpdate: false,
  returnsDeleted: false,
  statusOnCreate: false,
  awaitedRemovalMs: 0,
  fieldSelectors: {},
}
const builtin: KindFacts = { ...none, unconditionalUpdate: true }
const rbac: KindFacts = { ...builtin, createOnUpdate: true }
// Their finalizers are through in milliseconds, and who lists right after a deletion expects them to be.
const snapshot: KindFacts = { ...none, awaitedRemovalMs: 500 }
const event: KindFacts = {
  ...builtin,
  createOnUpdate: true,
  fieldSelectors: {
    ...Object.fromEntries(
      ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map((field) => [
        `involvedObject.${field}`,
        `involvedObject.${field}`,
      ]),
    ),
    reason: 'reason',
    reportingComponent: 'reportingComponent',
    source: 'source.component',
    type: 'type',
  },
}

const facts: Record<string, KindFacts> = {
  '/namespaces': {
    ...builtin,
    returnsDeleted: true,
    fieldSelectors: { 'status.phase': 'status.phase', name: 'metadata.name' },
  },
  '/persistentvolumeclaims': { ...builtin, returnsDeleted: true, fieldSelectors: { name: 'metadata.name' } },
  '/persistentvolumes': { ...builtin, returnsDeleted: true, fieldSelectors: { name: 'metadata.name' } },
  '/serviceaccounts': { ...builtin, returnsDeleted: true },
  'storage.k8s.io/storageclasses': { ...builtin, returnsDeleted: true },
  '/secrets': { ...builtin, fieldSelectors: { type: 'type' } },
  '/nodes': { ...builtin, statusOnCreate: true, fieldSelectors: { 'spec.unschedulable': 'spec.unschedulable' } },
  '/events': event,
  'coordination.k8s.io/leases': { ...none, createOnUpdate: true },
  'snapshot.kubevirt.io/virtualmachinesnapshots': snapshot,
  'snapshot.kubevirt.io/virtualmachinerestores': snapshot,
  'rbac.authorization.k8s.io/roles': rbac,
  'rbac.authorization.k8s.io/rolebindings': rbac,
  'rbac.authorization.k8s.io/clusterroles': rbac,
  'rbac.authorization.k8s.io/clusterrolebindings': rbac,
}

export function factsOf({ group, plural, origin }: ResourceDefinition): KindFacts {
  const key = `${group}/${plural}`
  if (Object.hasOwn(facts, key)) return facts[key] ?? none
  return origin === 'builtin' ? builtin : none
}
