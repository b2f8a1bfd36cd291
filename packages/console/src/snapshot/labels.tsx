import type { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { consistencyShown, freezeSentence, indicationLabels } from '../model/consistency.ts'
import { ToneLabel } from '../ui/tone.tsx'

interface Props {
  snapshot: VirtualMachineSnapshot
  content?: VirtualMachineSnapshotContent | undefined
}

/** What its data is good for, in one word; in the tooltip what that means. */
export function ConsistencyLabel({ snapshot, content }: Props) {
  const { label, tone, explanation } = consistencyShown(snapshot, content)
  if (label === 'None' || label === 'Not known yet') return <span className="console-subtle">-</span>
  const freeze = freezeSentence(snapshot, content)
  return (
    <ToneLabel tone={tone} hint={freeze === undefined ? explanation : `${explanation} ${freeze}.`}>
      {label}
    </ToneLabel>
  )
}

/** How the guest was found and what was achieved, one label each. */
export function IndicationLabels({ snapshot }: Props) {
  const labels = indicationLabels(snapshot)
  if (labels.length === 0) return <>-</>
  return (
    <ul className="console-labels" aria-label="Indications">
      {labels.map(({ name, tone, message }) => (
        <li key={name}>
          <ToneLabel tone={tone} hint={message || undefined}>
            {name}
          </ToneLabel>
        </li>
      ))}
    </ul>
  )
}
