import type { Condition } from '@stillpoint/api/meta/condition'
import { indicationsOf } from '@stillpoint/api/snapshot/freeze-report'
import type { SnapshotPhase, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { deadlineOf, snapshotVolumesOf } from '@stillpoint/api/snapshot/rules'
import { rfc3339, withCondition } from '../controller/conditions.ts'
import type { SnapshotObserved } from './snapshot-plan.ts'

export type SnapshotStatus = NonNullable<VirtualMachineSnapshot['status']>

export interface Verdict {
  phase: SnapshotPhase
  /** The reason of the Failure condition, when failed. */
  why?: string
}

/**
 * Where a snapshot stands. What is cut proves success, whatever the clock says and even when the status was lost;
 * Succeeded and Failed are final.
 */
export function verdictOf({ snapshot, content, now }: SnapshotObserved): Verdict {
  const phase = snapshot.status?.phase
  const earlier = snapshot.status?.conditions?.find((condition) => condition.type === 'Failure')?.reason
  if (phase === 'Failed') return { phase, why: earlier ?? deadlineExceeded }
  if (phase === 'Succeeded' || content?.object.status?.creationTime) return { phase: 'Succeeded' }
  if (content?.report?.refused !== undefined) return { phase: 'Failed', why: content.report.refused }
  const deadline = deadlineOf(snapshot)
  if (deadline !== undefined && now.getTime() > deadline && content?.cut !== true)
    return { phase: 'Failed', why: deadlineExceeded }
  return { phase: snapshot.metadata.deletionTimestamp === undefined ? 'InProgress' : 'Deleting' }
}

export const deadlineExceeded = 'snapshot deadline exceeded'

/** The status as it should be now: the tables of spec snapshot-restore (c.3). */
export function desiredStatus(observed: SnapshotObserved): SnapshotStatus {
  const { snapshot, source, content, problem, now } = observed
  const old = snapshot.status ?? {}
  const { phase, why } = verdictOf(observed)
  const found = content?.object.status
  const readyToUse = found?.readyToUse ?? false
  const status: SnapshotStatus = { ...old, phase, readyToUse }

  const captured = content?.object.spec.source.virtualMachine?.metadata as { uid?: string } | null | undefined
  // Pinned by what was captured; until then it names the VM that would be.
  const sourceUid = captured?.uid ?? (phase === 'InProgress' ? source?.uid : undefined)
  if (sourceUid !== undefined) status.sourceUID = sourceUid
  if (content !== undefined && found !== undefined)
    status.virtualMachineSnapshotContentName = content.object.metadata.name
  if (found?.creationTime) status.creationTime = found.creationTime

  delete status.error
  const message =
    found?.error?.message ??
    problem ??
    (phase === 'Succeeded' && content === undefined && snapshot.metadata.deletionTimestamp === undefined
      ? `VirtualMachineSnapshotContent ${old.virtualMachineSnapshotContentName ?? ''} missing`
      : undefined)
  // Its content is being removed, or gone; what went wrong is still what a person needs to know.
  if (phase === 'Failed' && found === undefined && old.error !== undefined) status.error = old.error
  else if (message !== undefined)
    status.error = found?.error ?? (old.error?.message === message ? old.error : { time: rfc3339(now), message })

  if (phase === 'Succeeded' && content !== undefined) {
    const volumes = snapshotVolumesOf(content.object)
    if (volumes !== undefined) {
      const { partial: _, ...lists } = volumes
      status.snapshotVolumes = lists
    }
    const said = indicationsOf(content.report, volumes?.partial === true)
    if (said.length > 0 || old.sourceIndications !== undefined) {
      status.sourceIndications = said
      status.indications = said.map(({ indication }) => indication)
    }
  }

  let { conditions }: { conditions?: Condition[] | undefined } = old
  const set = (type: string, value: boolean, reason: string): void => {
    conditions = withCondition(conditions, { type, status: value ? 'True' : 'False', reason }, now)
  }
  const locked = source?.lock === 'ours'
  const progress =
    phase === 'Failed'
      ? 'Operation failed'
      : phase === 'Succeeded'
        ? 'Operation complete'
        : phase === 'Deleting'
          ? 'VM snapshot is deleting'
          : source === undefined
            ? 'Source does not exist'
            : locked
              ? 'Source locked and operation in progress'
              : ((old.phase ? source.blocked : undefined) ?? 'Source not locked')
  const shown = status.error === undefined ? progress : 'In error state'
  set('Progressing', shown === 'Source locked and operation in progress', shown)
  set('Ready', readyToUse, readyToUse ? 'Ready' : 'Not ready')
  if (phase === 'Failed') set('Failure', true, why ?? deadlineExceeded)
  if (conditions !== undefined) status.conditions = conditions
  return status
}
