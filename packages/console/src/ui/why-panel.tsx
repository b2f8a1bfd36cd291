import { Alert } from '@patternfly/react-core'
import type { ReactNode } from 'react'
import { duration } from '../model/format.ts'
import type { Why } from '../model/why.ts'

interface Props {
  why: Why
  /** What can be done about it here: `AlertActionLink`s. */
  actions?: ReactNode
}

/** Why something is not as it should be, since when, and what to do. */
export function WhyPanel({ why: { tone, title, happened, told = [], sinceMs, remedy }, actions }: Props) {
  return (
    <Alert
      isInline
      component="h2"
      variant={tone === 'neutral' ? 'custom' : tone}
      title={title}
      data-test="why"
      className="console-banner"
      {...(actions === undefined ? {} : { actionLinks: actions })}
    >
      <p>{happened}</p>
      {told.map((text) => (
        <p key={text} className="console-reason">
          {text}
        </p>
      ))}
      {sinceMs === undefined ? null : (
        <p className="console-subtle">{tone === 'danger' ? `${duration(sinceMs)} ago` : `For ${duration(sinceMs)}`}</p>
      )}
      <p>
        <strong>What to do:</strong> {remedy}
      </p>
    </Alert>
  )
}
