import { Flex, FlexItem, FormGroup, FormSelect, FormSelectOption, TextInput } from '@patternfly/react-core'
import type { Size, SizeUnit } from '../../model/new-vm.ts'
import { FieldHelp } from '../../ui/text-field.tsx'

const unitLabels: Record<SizeUnit, string> = { Mi: 'MiB', Gi: 'GiB', Ti: 'TiB' }

interface Props {
  id: string
  label: string
  units: readonly SizeUnit[]
  size: Size
  onChange: (size: Size) => void
  problem?: string | undefined
  help?: string | undefined
}

/** A number and its unit. */
export function SizeField({ id, label, units, size, onChange, problem, help }: Props) {
  return (
    <FormGroup label={label} isRequired fieldId={id}>
      <Flex columnGap={{ default: 'columnGapSm' }} flexWrap={{ default: 'nowrap' }}>
        <FlexItem>
          <TextInput
            id={id}
            isRequired
            inputMode="decimal"
            autoComplete="off"
            value={size.text}
            onChange={(_, text) => onChange({ ...size, text })}
            validated={problem === undefined ? 'default' : 'error'}
            aria-describedby={`${id}-help`}
          />
        </FlexItem>
        <FlexItem>
          <FormSelect
            id={`${id}-unit`}
            aria-label={`Unit of ${label.toLowerCase()}`}
            value={size.unit}
            onChange={(_, unit) => onChange({ ...size, unit: unit as SizeUnit })}
          >
            {units.map((unit) => (
              <FormSelectOption key={unit} value={unit} label={unitLabels[unit]} />
            ))}
          </FormSelect>
        </FlexItem>
      </Flex>
      <FieldHelp id={`${id}-help`} problem={problem} help={help} />
    </FormGroup>
  )
}
