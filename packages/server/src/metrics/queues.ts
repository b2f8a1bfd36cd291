import type { QueueObserver, QueueObservers } from '../controller/queue-observer.ts'
import type { Metrics } from './metrics.ts'

/** The names under which KubeVirt's virt-controller reports the same queues: spec snapshot-restore (g). */
const referenceNames: Record<string, string> = {
  snapshot: 'virt-controller-snapshot-vmsnapshot',
  'snapshot-content': 'virt-controller-snapshot-vmsnapshotcontent',
  // The misspelling is theirs, and dashboards know it.
  'volume-snapshot-status': 'virt-controller-snapshot-vmsnashotstatus',
  restore: 'virt-controller-restore-vmrestore',
}

/** Reports work queues as client-go does. */
export function queueMetrics(metrics: Metrics, nowMs: () => number = () => performance.now()): QueueObservers {
  return (controller) => {
    const labels = { name: referenceNames[controller] ?? controller }
    const waiting = new Map<string, number>()
    const active = new Map<string, number>()
    metrics.queueAdds.inc(labels, 0)
    metrics.queueRetries.inc(labels, 0)
    metrics.onRead(() => {
      metrics.queueDepth.set(labels, waiting.size)
      const now = nowMs()
      let unfinishedMs = 0
      for (const since of active.values()) unfinishedMs += now - since
      metrics.unfinishedWork.set(labels, unfinishedMs / 1_000)
    })
    const secondsSince = (times: Map<string, number>, key: string): number => {
      const now = nowMs()
      const since = times.get(key) ?? now
      times.delete(key)
      return (now - since) / 1_000
    }
    return {
      added: (key) => {
        waiting.set(key, nowMs())
        metrics.queueAdds.inc(labels)
      },
      taken: (key) => {
        metrics.queueDuration.observe(labels, secondsSince(waiting, key))
        active.set(key, nowMs())
      },
      finished: (key) => metrics.workDuration.observe(labels, secondsSince(active, key)),
      delayed: () => metrics.queueRetries.inc(labels),
      closed: () => waiting.clear(),
    } satisfies QueueObserver
  }
}
