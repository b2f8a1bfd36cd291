import { conditionOf } from '@stillpoint/api/meta/condition'
import { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import type { Informers } from '../kube/informers.ts'
import type { Metrics } from './metrics.ts'
import { Milestones } from './milestones.ts'

/** Classes of a Failure condition's reason, as `restore/` words it; the first that fits. */
const failureClasses = {
  target_running: /^Restore target /,
  claim_taken: /^PVC /,
  other: /^/,
}

/** Measures restores by what their objects say; to be called before the informers start. */
export function measureRestores(informers: Informers, metrics: Metrics, now: () => Date): void {
  const milestones = new Milestones<'complete' | 'failed'>(now())
  for (const reason of Object.keys(failureClasses)) metrics.restoreFailures.inc({ reason }, 0)
  informers.of(VirtualMachineRestore).onChange((change) => {
    const { status } = change.object
    const failure = conditionOf(status?.conditions, 'Failure')
    const { reached, earlier, seconds } = milestones.look(
      change,
      status?.complete ? ['complete'] : failure?.status === 'True' ? ['failed'] : [],
      now(),
    )
    for (const outcome of reached) metrics.restoreDuration.observe({ outcome }, seconds)
    if (reached.includes('failed')) {
      const [reason = 'other'] =
        Object.entries(failureClasses).find(([, words]) => words.test(failure?.reason ?? '')) ?? []
      metrics.restoreFailures.inc({ reason })
    }
    if (change.type === 'deleted' && reached.length + earlier.length === 0)
      metrics.restoreDuration.observe({ outcome: 'deleted' }, seconds)
  })
}
