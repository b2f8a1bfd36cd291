import type { VirtualMachineSpec } from '../kubevirt/kinds.ts'
import { lastRestoreUidAnnotation } from '../snapshot/keys.ts'
import { parsePatch } from '../snapshot/patches.ts'
import { selectedBy } from './filters.ts'
import { identityPatches, type Write } from './identity-patches.ts'
import type { VirtualMachineClone } from './kinds.ts'

/** The virtual machine as it was captured. */
export interface Captured {
  metadata: { labels?: Record<string, string>; annotations?: Record<string, string> }
  spec: VirtualMachineSpec
}

type Keys = Record<string, string> | undefined

/**
 * What makes the captured VM another one, as items of a restore's `patches`: nothing of it that must be unique in a
 * network, only the labels and annotations asked for, and then what the user wants changed.
 */
export function clonePatches({ spec }: VirtualMachineClone, captured: Captured): string[] {
  const template = captured.spec.template.metadata
  const writes = [
    ...identityPatches(spec, captured.spec),
    ...filterPatches('/metadata/labels', captured.metadata.labels, spec.labelFilters),
    ...filterPatches('/metadata/annotations', captured.metadata.annotations, spec.annotationFilters),
    ...filterPatches('/spec/template/metadata/labels', template?.labels, spec.template?.labelFilters),
    ...filterPatches('/spec/template/metadata/annotations', template?.annotations, spec.template?.annotationFilters),
    ...parentPatches(spec.patches ?? [], captured.spec),
  ]
  return [...writes.map((write) => JSON.stringify(write)), ...(spec.patches ?? [])]
}

function filterPatches(at: string, keys: Keys, filters: readonly string[] | undefined): Write[] {
  if (filters === undefined) return []
  const selected = selectedBy(filters)
  return (
    Object.keys(keys ?? {})
      // The mark of the last restore: by it the restore knows its target.
      .filter((key) => key !== lastRestoreUidAnnotation && !selected(key))
      .map((key) => ({ op: 'remove', path: `${at}/${escaped(key)}` }))
  )
}

/** A label can be added only to a map that is there; a template need not have one. */
function parentPatches(patches: readonly string[], vm: VirtualMachineSpec): Write[] {
  const { metadata } = vm.template
  const missing = (['labels', 'annotations'] as const).filter(
    (map) =>
      metadata?.[map] === undefined &&
      patches.some((item) => {
        const patch = parsePatch(item)
        return typeof patch !== 'string' && patch.path.startsWith(`/spec/template/metadata/${map}/`)
      }),
  )
  if (missing.length === 0) return []
  if (metadata === undefined) {
    const value = Object.fromEntries(missing.map((map) => [map, {}]))
    return [{ op: 'add', path: '/spec/template/metadata', value }]
  }
  return missing.map((map) => ({ op: 'add', path: `/spec/template/metadata/${map}`, value: {} }))
}

/** A key as one step of a JSON pointer (RFC 6901). */
function escaped(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}
