import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { whyNotDone } from '../../model/snapshot-why.ts'
import { useNow } from '../../ui/use-now.ts'
import { WhyPanel } from '../../ui/why-panel.tsx'

/** Why nothing can be restored from a snapshot, since when, and what to do. Not there when something can. */
export function WhyNotDone({ snapshot }: { snapshot: VirtualMachineSnapshot }) {
  const why = whyNotDone(snapshot, useNow(1_000))
  return why === undefined ? null : <WhyPanel why={why} />
}
