import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { restoredAnnotation } from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { parseRestored } from '@stillpoint/api/snapshot/restored'
import { restoresOf } from './belongs.ts'
import { msOf } from './format.ts'
import { restoreStatus } from './restores.ts'
import type { Tone } from './snapshot-status.ts'

/** A restore of a VM that has ended, whether its object is still there or not. */
export interface PastRestore {
  key: string
  snapshot: string
  /** When it ended, milliseconds since 1970. */
  atMs: number
  label: string
  tone: Tone
  reason?: string | undefined
  /** While it is still there. */
  restore?: VirtualMachineRestore
}

/** The restores of a VM that have ended, newest first: from the restores, and from what snapshots remember of them. */
export function pastRestores(
  vm: KubeObject,
  restores: readonly VirtualMachineRestore[],
  snapshots: readonly VirtualMachineSnapshot[],
): PastRestore[] {
  const there = restoresOf(vm, restores).flatMap((restore): PastRestore[] => {
    const { label, tone, running, reason } = restoreStatus(restore, new Date(0))
    const ended = endOf(restore)
    if (running || ended === undefined) return []
    const { uid, name } = restore.metadata
    return [
      {
        key: uid ?? name,
        snapshot: restore.spec.virtualMachineSnapshotName,
        atMs: ended,
        label,
        tone,
        reason,
        restore,
      },
    ]
  })
  const known = new Set(there.flatMap(({ key, restore }) => [key, restore?.metadata.name ?? key]))
  const begunMs = msOf(vm.metadata.creationTimestamp) ?? 0
  const remembered = snapshots
    .filter(({ metadata }) => metadata.namespace === vm.metadata.namespace)
    .flatMap(({ metadata }) =>
      parseRestored(metadata.annotations?.[restoredAnnotation])
        .filter(({ target, restore, restoreUID }) => target === vm.metadata.name && !known.has(restoreUID ?? restore))
        .map(({ time, restore, restoreUID: uid }): PastRestore => {
          const atMs = Date.parse(time)
          return { key: uid ?? `${restore} ${time}`, snapshot: metadata.name, atMs, label: 'Complete', tone: 'success' }
        }),
    )
    // What is older was another VM of this name.
    .filter(({ atMs }) => atMs >= begunMs)
  return [...there, ...remembered].sort((a, b) => b.atMs - a.atMs)
}

function endOf({ metadata, status }: VirtualMachineRestore): number | undefined {
  const failed = status?.conditions?.find(({ type, status: value }) => type === 'Failure' && value === 'True')
  return msOf(status?.restoreTime ?? failed?.lastTransitionTime ?? metadata.creationTimestamp)
}
