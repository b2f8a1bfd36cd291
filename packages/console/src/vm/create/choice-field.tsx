import { FormGroup, FormSelect, FormSelectOption } from '@patternfly/react-core'
import { FieldHelp } from '../../ui/text-field.tsx'

interface Props {
  id: string
  label: string
  /** Empty: nothing is chosen yet. */
  value: string
  onChange: (value: string) => void
  placeholder: string
  options: readonly { value: string; label: string; disabled?: boolean }[]
  problem?: string | undefined
}

/** One of what is there. */
export function ChoiceField({ id, label, value, onChange, placeholder, options, problem }: Props) {
  return (
    <FormGroup label={label} isRequired fieldId={id}>
      <FormSelect
        id={id}
        value={value}
        onChange={(_, chosen) => onChange(chosen)}
        validated={problem === undefined ? 'default' : 'error'}
        aria-describedby={`${id}-help`}
      >
        <FormSelectOption value="" label={placeholder} isPlaceholder isDisabled />
        {options.map((option) => (
          <FormSelectOption
            key={option.value}
            value={option.value}
            label={option.label}
            isDisabled={option.disabled === true}
          />
        ))}
      </FormSelect>
      <FieldHelp id={`${id}-help`} problem={problem} />
    </FormGroup>
  )
}
