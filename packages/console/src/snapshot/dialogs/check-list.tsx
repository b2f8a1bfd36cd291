import { List, ListItem, Spinner } from '@patternfly/react-core'
import type { Check } from '../../model/restore-checks.ts'
import type { Tone } from '../../model/snapshot-status.ts'
import { ToneIcon } from '../../ui/tone.tsx'

const tones: Record<Exclude<Check['state'], 'asking'>, Tone> = {
  passed: 'success',
  failed: 'danger',
  unknown: 'neutral',
}
const words: Record<Check['state'], string> = {
  passed: 'Yes',
  failed: 'No',
  unknown: 'Not known',
  asking: 'Being checked',
}

/** What must be so before something can be done, and whether it is. */
export function CheckList({ checks, label }: { checks: readonly Check[]; label: string }) {
  return (
    <section aria-label={label} aria-live="polite" data-test="checks">
      <List isPlain>
        {checks.map((check) => (
          <ListItem key={check.label} icon={<CheckIcon state={check.state} />} data-test={`check-${check.state}`}>
            <span className="pf-v6-screen-reader">{words[check.state]}: </span>
            {check.label}
            {check.detail === undefined ? null : <div className="console-subtle">{check.detail}</div>}
          </ListItem>
        ))}
      </List>
    </section>
  )
}

function CheckIcon({ state }: { state: Check['state'] }) {
  return state === 'asking' ? <Spinner isInline aria-label="Being checked" /> : <ToneIcon tone={tones[state]} />
}
