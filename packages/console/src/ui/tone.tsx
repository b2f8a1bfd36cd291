import { Icon, Label, Tooltip } from '@patternfly/react-core'
import {
  CheckCircleIcon,
  ExclamationCircleIcon,
  ExclamationTriangleIcon,
  InfoCircleIcon,
  InProgressIcon,
  PendingIcon,
} from '@patternfly/react-icons'
import type { ReactNode } from 'react'

/** How good something is; always shown by icon and words together with the colour. */
export type Tone = 'success' | 'danger' | 'warning' | 'info' | 'neutral'

const icons = {
  success: <CheckCircleIcon data-test="success-icon" />,
  danger: <ExclamationCircleIcon data-test="danger-icon" />,
  warning: <ExclamationTriangleIcon data-test="warning-icon" />,
  info: <InfoCircleIcon data-test="info-icon" />,
  neutral: <PendingIcon data-test="pending-icon" />,
}

export function ToneIcon({ tone, running = false }: { tone: Tone; running?: boolean }) {
  if (running) return <Icon status="info">{<InProgressIcon data-test="in-progress-icon" />}</Icon>
  return tone === 'neutral' ? <Icon>{icons.neutral}</Icon> : <Icon status={tone}>{icons[tone]}</Icon>
}

const colors = { success: 'green', danger: 'red', warning: 'yellow', info: 'blue', neutral: 'grey' } as const

/** A small label; what it means is in the tooltip, which the keyboard reaches too. */
export function ToneLabel({ tone, children, hint }: { tone: Tone; children: ReactNode; hint?: string | undefined }) {
  const label = (
    <Label color={colors[tone]} icon={icons[tone]} isCompact {...(hint === undefined ? {} : { tabIndex: 0 })}>
      {children}
    </Label>
  )
  return hint === undefined ? label : <Tooltip content={hint}>{label}</Tooltip>
}
