import { Checkbox, Flex, FlexItem, FormGroup, FormSelect, FormSelectOption, TextInput } from '@patternfly/react-core'
import { type DeadlineUnit, noDeadline, parseDeadline } from '../../model/deadline.ts'
import { FieldHelp } from '../../ui/text-field.tsx'

export interface Deadline {
  text: string
  unit: DeadlineUnit
  /** Explicitly none: the snapshot waits as long as it takes. */
  none: boolean
}
export const noneGiven: Deadline = { text: '', unit: 's', none: false }

/** What goes into `spec.failureDeadline`, or what is wrong with what was typed. */
export function deadlineValue({ text, unit, none }: Deadline): { value?: string; error?: string } {
  return none ? { value: noDeadline } : parseDeadline(text, unit)
}

const units: readonly [DeadlineUnit, string][] = [
  ['h', 'Hours (h)'],
  ['m', 'Minutes (m)'],
  ['s', 'Seconds (s)'],
]

/** When a snapshot that is not finished fails. */
export function DeadlineField({ deadline, onChange }: { deadline: Deadline; onChange: (deadline: Deadline) => void }) {
  const { text, unit, none } = deadline
  const { error } = deadlineValue(deadline)
  return (
    <FormGroup label="Deadline" fieldId="deadline">
      <Flex columnGap={{ default: 'columnGapSm' }} flexWrap={{ default: 'wrap' }}>
        <FlexItem>
          <TextInput
            id="deadline"
            className="console-deadline"
            inputMode="decimal"
            autoComplete="off"
            value={text}
            isDisabled={none}
            onChange={(_, next) => onChange({ ...deadline, text: next })}
            validated={error === undefined ? 'default' : 'error'}
            aria-describedby="deadline-help"
          />
        </FlexItem>
        <FlexItem>
          <FormSelect
            id="deadline-unit"
            aria-label="Unit of the deadline"
            value={unit}
            isDisabled={none}
            onChange={(_, next) => onChange({ ...deadline, unit: next as DeadlineUnit })}
          >
            {units.map(([value, label]) => (
              <FormSelectOption key={value} value={value} label={label} />
            ))}
          </FormSelect>
        </FlexItem>
        <FlexItem alignSelf={{ default: 'alignSelfCenter' }}>
          <Checkbox
            id="no-deadline"
            label="No deadline"
            isChecked={none}
            onChange={(_, checked) => onChange({ ...deadline, none: checked })}
          />
        </FlexItem>
      </Flex>
      <FieldHelp
        id="deadline-help"
        problem={error}
        help={
          none
            ? 'It waits as long as it takes. The time the guest may be frozen stays limited.'
            : 'A snapshot that is not finished by then fails. Without a value: after 5 minutes.'
        }
      />
    </FormGroup>
  )
}
