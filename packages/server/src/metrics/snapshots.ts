import { conditionOf } from '@stillpoint/api/meta/condition'
import { type FreezeReport, parseFreezeReport } from '@stillpoint/api/snapshot/freeze-report'
import { freezeReportAnnotation } from '@stillpoint/api/snapshot/keys'
import { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import type { Change } from '../kube/informer.ts'
import type { Informers } from '../kube/informers.ts'
import type { Metrics } from './metrics.ts'
import { Milestones } from './milestones.ts'

type Content = VirtualMachineSnapshotContent

/** Measures snapshots by what their objects say; to be called before the informers start. */
export function measureSnapshots(informers: Informers, metrics: Metrics, now: () => Date): void {
  const snapshots = informers.of(VirtualMachineSnapshot)
  const milestones = new Milestones<'succeeded' | 'failed' | 'ready'>(now())
  for (const reason of ['deadline', 'consistency', 'other'] as const) metrics.snapshotFailures.inc({ reason }, 0)
  snapshots.onChange((change) => {
    const { status } = change.object
    const { reached, earlier, seconds } = milestones.look(
      change,
      [
        ...(status?.phase === 'Succeeded' ? (['succeeded'] as const) : []),
        ...(status?.phase === 'Failed' ? (['failed'] as const) : []),
        ...(status?.readyToUse ? (['ready'] as const) : []),
      ],
      now(),
    )
    for (const milestone of reached)
      if (milestone === 'ready') metrics.snapshotReady.observe(seconds)
      else metrics.snapshotDuration.observe({ outcome: milestone }, seconds)
    if (reached.includes('failed'))
      metrics.snapshotFailures.inc({ reason: failureClass(conditionOf(status?.conditions, 'Failure')?.reason) })
    if (change.type === 'deleted' && reached.length + earlier.length === 0)
      metrics.snapshotDuration.observe({ outcome: 'deleted' }, seconds)
  })

  const began = now()
  for (const reason of ['limited', 'error'] as const) metrics.thawFailures.inc({ reason }, 0)
  informers.of(VirtualMachineSnapshotContent).onChange((change) => {
    // Without an older look at it there is nothing to compare, unless it is younger than this process.
    const isNew = Date.parse(change.object.metadata.creationTimestamp ?? '') >= began.getTime()
    if (change.type !== 'deleted' && (change.old !== undefined || isNew)) measureContent(change, metrics)
  })

  metrics.onRead(() => {
    metrics.snapshotSucceeded.reset()
    for (const { metadata, spec, status } of snapshots.list())
      if (status?.phase === 'Succeeded' && status.creationTime)
        metrics.snapshotSucceeded.set(
          { name: spec.source.name, snapshot_name: metadata.name, namespace: metadata.namespace ?? '' },
          Date.parse(status.creationTime) / 1_000,
        )
  })
}

/** The class of a Failure condition's reason, as `snapshot/` words it. */
function failureClass(reason = ''): 'deadline' | 'consistency' | 'other' {
  if (reason === 'snapshot deadline exceeded') return 'deadline'
  return reason.startsWith('required consistency cannot be reached') ? 'consistency' : 'other'
}

function measureContent({ old, object }: Change<Content>, metrics: Metrics): void {
  const [before, after] = [reportOf(old), reportOf(object)]
  if (after === undefined) return
  // A window is known by when it was asked for.
  const earlier = before?.asked === after.asked ? before : undefined
  if (after.thawed !== undefined && earlier?.thawed === undefined && after.frozenMs !== undefined)
    metrics.freezeWindow.observe({ end: after.end ?? 'interrupted' }, after.frozenMs / 1_000)
  const failedTries = (after.failedTries ?? 0) - (before?.failedTries ?? 0)
  if (failedTries > 0) metrics.freezeFailures.inc(failedTries)
  // Owed, and with an answer: the thaw was tried.
  const tried = after.asked !== undefined && after.thawed === undefined && after.answer !== undefined
  if (tried && earlier?.answer !== after.answer)
    metrics.thawFailures.inc({ reason: after.answer?.includes('fsfreeze is limited') ? 'limited' : 'error' })
  const settled = Boolean(object.status?.creationTime) && !old?.status?.creationTime
  const volumes = object.spec.volumeBackups?.filter(({ volumeSnapshotName }) => volumeSnapshotName).length ?? 0
  if (settled && volumes > 1 && after.guest !== 'offline') metrics.cutSkew.observe((after.skewMs ?? 0) / 1_000)
}

function reportOf(content: Content | undefined): FreezeReport | undefined {
  return parseFreezeReport(content?.metadata.annotations?.[freezeReportAnnotation])
}
