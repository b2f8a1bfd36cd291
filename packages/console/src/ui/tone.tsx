import { Icon } from '@patternfly/react-core'
import {
  CheckCircleIcon,
  ExclamationCircleIcon,
  ExclamationTriangleIcon,
  InfoCircleIcon,
  InProgressIcon,
  PendingIcon,
} from '@patternfly/react-icons'
import type { ReactNode } from 'react'
import type { Tone } from '../model/snapshot-status.ts'
import { Hint } from './hint.tsx'

const icons = {
  success: <CheckCircleIcon set="default" data-test="success-icon" />,
  danger: <ExclamationCircleIcon set="default" data-test="danger-icon" />,
  warning: <ExclamationTriangleIcon set="default" data-test="warning-icon" />,
  info: <InfoCircleIcon set="default" data-test="info-icon" />,
  neutral: <PendingIcon set="default" data-test="pending-icon" />,
}

export function ToneIcon({ tone, running = false }: { tone: Tone; running?: boolean }) {
  if (running) return <Icon status="info">{<InProgressIcon set="default" data-test="in-progress-icon" />}</Icon>
  return tone === 'neutral' ? <Icon>{icons.neutral}</Icon> : <Icon status={tone}>{icons[tone]}</Icon>
}

const colors = { success: 'green', danger: 'red', warning: 'yellow', info: 'blue', neutral: 'grey' } as const

/** A small label; what it means is in the tooltip, which the keyboard reaches too. */
export function ToneLabel({ tone, children, hint }: { tone: Tone; children: ReactNode; hint?: string | undefined }) {
  // Written as PatternFly's Label makes it, which has the browser lay out the page once for each.
  const label = (
    <span className={`pf-v6-c-label pf-m-compact pf-m-filled pf-m-${colors[tone]}`}>
      <span className="pf-v6-c-label__content">
        <span className="pf-v6-c-label__icon">{icons[tone]}</span>
        <span className="pf-v6-c-label__text">{children}</span>
      </span>
    </span>
  )
  return hint === undefined ? label : <Hint content={hint}>{label}</Hint>
}
