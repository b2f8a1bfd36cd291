import { FormGroup, FormHelperText, HelperText, HelperTextItem, TextArea, TextInput } from '@patternfly/react-core'
import { type ReactNode, useState } from 'react'

/** Why a dialog cannot be submitted while a field says what is wrong with it. */
export const correctIt = 'Correct what is marked above.'

interface Props {
  id: string
  label: string
  value: string
  onChange: (value: string) => void
  isRequired?: boolean
  /** What is wrong with the value. A proposed value that has not been touched is not blamed for being empty. */
  problem?: string | undefined
  help?: ReactNode
  multiline?: boolean
  /** Somebody has tried to submit it: now an empty value is blamed, too. */
  isTried?: boolean
}

/** A labelled input; what is wrong with its value stands under it, and is read out with it. */
export function TextField({ id, label, value, onChange, problem, help, ...rest }: Props) {
  const { isRequired = false, multiline = false, isTried = false } = rest
  const [touched, setTouched] = useState(false)
  const shown = touched || isTried || value !== '' ? problem : undefined
  const describedBy = shown === undefined && help === undefined ? {} : { 'aria-describedby': `${id}-help` }
  const change = (next: string): void => {
    setTouched(true)
    onChange(next)
  }
  return (
    <FormGroup label={label} isRequired={isRequired} fieldId={id}>
      {multiline ? (
        <TextArea
          id={id}
          value={value}
          onChange={(_, next) => change(next)}
          resizeOrientation="vertical"
          rows={2}
          {...describedBy}
        />
      ) : (
        <TextInput
          id={id}
          isRequired={isRequired}
          value={value}
          onChange={(_, next) => change(next)}
          validated={shown === undefined ? 'default' : 'error'}
          autoComplete="off"
          spellCheck={false}
          {...describedBy}
        />
      )}
      <FieldHelp id={`${id}-help`} problem={shown} help={help} />
    </FormGroup>
  )
}

/** What stands under a field: what is wrong with it, else what it is for. */
export function FieldHelp({ id, problem, help }: { id: string; problem?: string | undefined; help?: ReactNode }) {
  if (problem === undefined && help === undefined) return null
  return (
    <FormHelperText>
      <HelperText id={id} isLiveRegion>
        <HelperTextItem variant={problem === undefined ? 'default' : 'error'}>{problem ?? help}</HelperTextItem>
      </HelperText>
    </FormHelperText>
  )
}
