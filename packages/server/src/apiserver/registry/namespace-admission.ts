import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { Admission } from './admission.ts'

type Namespace = KubeObject & { spec?: { finalizers?: string[] }; status?: { phase?: string } }

/** What a real server fills in for a new namespace: its name as a label, the finalizer that empties it, its phase. */
export const namespaceAdmission: Admission = {
  group: '',
  resource: 'namespaces',
  operations: ['CREATE', 'UPDATE'],
  admit: ({ object, operation }) => {
    const { metadata, spec, status } = object as Namespace
    const labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name }
    const labelled = { ...object, metadata: { ...metadata, labels } }
    if (operation !== 'CREATE') return labelled
    const finalizers = [...new Set([...(spec?.finalizers ?? []), 'kubernetes'])]
    return { ...labelled, spec: { ...spec, finalizers }, status: { ...status, phase: 'Active' } } as Namespace
  },
}
