import { Button, type ButtonProps, Tooltip } from '@patternfly/react-core'

interface Props extends ButtonProps {
  /** Why it cannot be pressed now. It stays focusable, and says so. */
  disabledReason?: string | undefined
}

/** A button that tells why it cannot be pressed. */
export function GatedButton({ disabledReason, ...button }: Props) {
  if (disabledReason === undefined) return <Button {...button} />
  return (
    <Tooltip content={disabledReason}>
      <Button {...button} isAriaDisabled />
    </Tooltip>
  )
}
