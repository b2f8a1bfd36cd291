import { cloneAdmission } from '@stillpoint/api/clone/admission'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { type Admission, snapshotAdmission } from '@stillpoint/api/snapshot/admission'

const plurals: Record<string, string> = {
  VirtualMachine: 'virtualmachines',
  VirtualMachineSnapshot: 'virtualmachinesnapshots',
  VirtualMachineSnapshotContent: 'virtualmachinesnapshotcontents',
  VirtualMachineRestore: 'virtualmachinerestores',
  VirtualMachineClone: 'virtualmachineclones',
}

/** Creates an object by the rules of the API beside others that exist; throws what the API would answer. */
export function admit(object: KubeObject, existing: readonly KubeObject[] = []): void {
  const rules: Admission[] = [...snapshotAdmission, ...cloneAdmission(() => 'x7b2k')]
  const of = (plural: string, namespace: string | undefined) =>
    existing.filter(({ kind, metadata }) => plurals[kind] === plural && metadata.namespace === namespace)
  const matching = rules.filter(
    ({ resource, operations }) => resource === plurals[object.kind] && operations.includes('CREATE'),
  )
  if (matching.length === 0) throw new Error(`no rule admits a ${object.kind}`)
  for (const rule of matching)
    rule.admit({
      operation: 'CREATE',
      object,
      read: {
        get: (_, plural, namespace, name) => of(plural, namespace).find(({ metadata }) => metadata.name === name),
        list: (_, plural, namespace) => of(plural, namespace),
      },
    })
}
