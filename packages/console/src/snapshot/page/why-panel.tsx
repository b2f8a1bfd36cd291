import { Alert } from '@patternfly/react-core'
import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { duration } from '../../model/format.ts'
import { whyNotDone } from '../../model/snapshot-why.ts'
import { useNow } from '../../ui/use-now.ts'

/** Why nothing can be restored from a snapshot, since when, and what to do. Not there when something can. */
export function WhyPanel({ snapshot }: { snapshot: VirtualMachineSnapshot }) {
  const why = whyNotDone(snapshot, useNow(1_000))
  if (why === undefined) return null
  const { tone, title, happened, sinceMs, remedy } = why
  return (
    <Alert
      isInline
      component="h2"
      variant={tone === 'neutral' ? 'custom' : tone}
      title={title}
      data-test="why"
      className="console-banner"
    >
      <p>{happened}</p>
      {sinceMs === undefined ? null : <p className="console-subtle">For {duration(sinceMs)}</p>}
      <p>
        <strong>What to do:</strong> {remedy}
      </p>
    </Alert>
  )
}
