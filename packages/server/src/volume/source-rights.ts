import type { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { failure } from '@stillpoint/api/meta/status-error'
import type { VirtualMachineRestore, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { parsePatch } from '@stillpoint/api/snapshot/patches'
import type { DataVolume, DataVolumeSpec } from '@stillpoint/api/storage/cdi'
import type { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'

// Who makes a volume from one in another namespace reads what is in it. Claims are made by controllers, who may do
// everything, so the author of whatever they are made from is asked: claims, DataVolumes, and all that holds templates
// of DataVolumes. The right is CDI's: to create datavolumes/source in the namespace of the source.

interface Asked {
  verb: string
  group: string
  resource: string
  subresource: string
  namespace: string | undefined
}

interface Call {
  operation: 'CREATE' | 'UPDATE' | 'DELETE'
  object: KubeObject
  oldObject?: KubeObject
  user: { username: string }
  may(asked: Asked): boolean
}

interface Rule {
  group: string
  resource: string
  operations: readonly ('CREATE' | 'UPDATE' | 'DELETE')[]
  admit(call: Call): undefined
}

/** A namespace that is read from; undefined where it cannot be told which. */
type Source = string | undefined

const rule = (group: string, resource: string, sourcesOf: (object: KubeObject) => Source[]): Rule => ({
  group,
  resource,
  operations: ['CREATE', 'UPDATE'],
  admit: (call) => requireRights(call, { group, resource }, sourcesOf),
})

export const sourceRights: readonly Rule[] = [
  rule('', 'persistentvolumeclaims', (object) => claimSources((object as PersistentVolumeClaim).spec)),
  rule('cdi.kubevirt.io', 'datavolumes', (object) => dataVolumeSources((object as DataVolume).spec)),
  rule('kubevirt.io', 'virtualmachines', (object) => templateSources((object as VirtualMachine).spec)),
  rule('snapshot.kubevirt.io', 'virtualmachinesnapshotcontents', (object) => {
    const { virtualMachine } = (object as VirtualMachineSnapshotContent).spec.source
    // Carried untouched, so of any shape.
    return namespacesIn((virtualMachine?.spec as { dataVolumeTemplates?: unknown } | undefined)?.dataVolumeTemplates)
  }),
  rule('snapshot.kubevirt.io', 'virtualmachinerestores', (object) =>
    patchSources((object as VirtualMachineRestore).spec.patches),
  ),
  rule('clone.kubevirt.io', 'virtualmachineclones', (object) =>
    patchSources((object as VirtualMachineClone).spec.patches),
  ),
]

function requireRights(
  call: Call,
  of: { group: string; resource: string },
  sourcesOf: (object: KubeObject) => Source[],
) {
  const { object, oldObject, user, may } = call
  const { name, namespace: own } = object.metadata
  // What is there already has been judged; its labels can be changed by whoever may change it.
  const before = new Set(oldObject ? sourcesOf(oldObject) : [])
  for (const namespace of new Set(sourcesOf(object))) {
    if (namespace === own || before.has(namespace)) continue
    const asked = {
      verb: 'create',
      group: 'cdi.kubevirt.io',
      resource: 'datavolumes',
      subresource: 'source',
      namespace,
    }
    if (may(asked)) continue
    const subject = of.group === '' ? of.resource : `${of.resource}.${of.group}`
    const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`
    throw failure(
      403,
      'Forbidden',
      `${subject} ${JSON.stringify(name)} is forbidden: User ${JSON.stringify(user.username)} has insufficient permissions to use a volume of another namespace as source: cannot create resource "datavolumes/source" in API group "cdi.kubevirt.io" ${where}`,
      { name, ...(of.group === '' ? {} : { group: of.group }), kind: of.resource },
    )
  }
  return undefined
}

interface Reference {
  namespace?: string | undefined
}
interface Templates {
  dataVolumeTemplates?: readonly { spec: DataVolumeSpec }[] | undefined
}

function named(...references: (Reference | null | undefined)[]): string[] {
  return references.flatMap((reference) => (reference?.namespace ? [reference.namespace] : []))
}

function claimSources(spec: { dataSource?: Reference | undefined; dataSourceRef?: Reference | undefined } | undefined) {
  return named(spec?.dataSource, spec?.dataSourceRef)
}

function dataVolumeSources({ source, sourceRef, pvc, storage }: DataVolumeSpec): string[] {
  return [...named(source?.pvc, source?.snapshot, sourceRef), ...claimSources(pvc), ...claimSources(storage)]
}

function templateSources(spec: Templates | undefined): string[] {
  return (spec?.dataVolumeTemplates ?? []).flatMap((template) => dataVolumeSources(template.spec))
}

const templatesPath = '/spec/dataVolumeTemplates'

/** What patches of a restored or cloned VM could make its templates read: more rather than less. */
function patchSources(patches: readonly string[] | null | undefined): Source[] {
  return (patches ?? []).flatMap((item): Source[] => {
    const patch = parsePatch(item)
    // What is no patch is refused by the rules of its kind.
    if (typeof patch === 'string' || !patch.path.startsWith(templatesPath)) return []
    if (patch.op === 'copy' || patch.op === 'move') return [undefined]
    if (patch.path.endsWith('/namespace') && typeof patch.value === 'string') return [patch.value]
    return namespacesIn(patch.value)
  })
}

function namespacesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, item]) =>
    key === 'namespace' && typeof item === 'string' && item !== '' ? [item] : namespacesIn(item),
  )
}
