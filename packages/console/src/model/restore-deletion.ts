import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { beforeRestoreAnnotation, lastRestoreUidAnnotation } from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { restoreState } from './restore-list.ts'

/**
 * What deleting a restore does where it stands now, a sentence each: docs/restore.md. `target` is the virtual machine,
 * null when there is none, undefined while, or where, that is not known.
 */
export function restoreDeletion(restore: VirtualMachineRestore, target: KubeObject | null | undefined): string[] {
  const { name } = restore.spec.target
  const stays = target === null ? `No ${name} is made` : `${name} stays as it was before`
  switch (restoreState(restore)) {
    case 'complete':
      return [`Only the record goes: ${name} stays as it is now, restored.`, ...noUndo(restore)]
    case 'failed':
      return [`${stays}, and the disks that were half made are deleted.`]
    case 'at-work':
      return target && isSwitched(restore, target)
        ? [`${name} has its restored disks already, and keeps them: this can no longer be given up.`]
        : [`The restore is given up and rolled back. ${stays}, and the disks that are half made are deleted.`]
  }
}

function noUndo({ metadata }: VirtualMachineRestore): string[] {
  const before = metadata.annotations?.[beforeRestoreAnnotation]
  return before === undefined
    ? []
    : [`Undo is no longer offered. The snapshot ${before} of what it replaced stays until it expires.`]
}

/** The definition of the target is the restored one: from here on there is no way back. */
function isSwitched({ metadata }: VirtualMachineRestore, target: KubeObject): boolean {
  return target.metadata.annotations?.[lastRestoreUidAnnotation] === `${metadata.name}-${metadata.uid}`
}
