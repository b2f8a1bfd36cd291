import {
  Bullseye,
  Button,
  EmptyState,
  EmptyStateActions,
  EmptyStateBody,
  EmptyStateFooter,
  Skeleton,
} from '@patternfly/react-core'
import { ExclamationCircleIcon, LockIcon, SearchIcon } from '@patternfly/react-icons'
import type { ComponentType, ReactNode } from 'react'
import type { ListState } from '../kube/object-store.ts'
import { describeError } from '../model/describe-error.ts'

// What a page shows when it has nothing to show: each of these says why, and what can be done.

export function Loading({ what }: { what: string }) {
  return (
    <div aria-busy="true" aria-label={`Loading ${what}`} role="status" data-test="loading">
      {[0, 1, 2, 3, 4].map((row) => (
        <Skeleton key={row} height="2.5rem" style={{ marginBlock: '0.5rem' }} screenreaderText={`Loading ${what}`} />
      ))}
    </div>
  )
}

interface EmptyProps {
  title: string
  icon?: ComponentType
  children?: ReactNode
  action?: ReactNode
  /** One below the heading it stands under. */
  level?: Level
}
type Level = 'h1' | 'h2' | 'h3' | 'h4'

export function Empty({ title, icon, children, action, level = 'h2' }: EmptyProps) {
  return (
    <EmptyState headingLevel={level} titleText={title} {...(icon ? { icon } : {})}>
      {children === undefined ? null : <EmptyStateBody>{children}</EmptyStateBody>}
      {action === undefined ? null : (
        <EmptyStateFooter>
          <EmptyStateActions>{action}</EmptyStateActions>
        </EmptyStateFooter>
      )}
    </EmptyState>
  )
}

export function NoMatch({ onClear }: { onClear: () => void }) {
  return (
    <Empty
      title="No results match the current filters"
      icon={SearchIcon}
      action={
        <Button variant="link" onClick={onClear}>
          Clear all filters
        </Button>
      }
    >
      Change or clear the filters to see more.
    </Empty>
  )
}

interface Refused {
  what: string
  error?: Error | undefined
  /** `h1` where it is all that the page shows. */
  level?: Level
}

export function Forbidden({ what, error, level = 'h2' }: Refused) {
  return (
    <Empty title={`You may not see ${what}`} icon={LockIcon} level={level}>
      {error?.message}
      <br />
      Ask an administrator for the role view in this namespace, or choose another namespace.
    </Empty>
  )
}

export function Failed({ what, error, level = 'h2' }: Refused) {
  const { title, detail, remedy } = describeError(error)
  return (
    <Empty title={`${what} cannot be shown`} icon={ExclamationCircleIcon} level={level}>
      {title}: {detail}
      {remedy === undefined ? null : <div>{remedy}</div>}
      <div>It is tried again by itself.</div>
    </Empty>
  )
}

/** The page once its list is there; before that, or instead of it, why not. */
export function WhenReady({ list, what, children }: { list: ListState; what: string; children: ReactNode }) {
  switch (list.status) {
    case 'loading':
      return <Loading what={what} />
    case 'forbidden':
      return <Forbidden what={what} error={list.error} />
    case 'failed':
      return <Failed what={what} error={list.error} />
    case 'ready':
      return <>{children}</>
    default:
      return list.status satisfies never
  }
}

export function PageGone({ what, level = 'h1' }: { what: string; level?: Level }) {
  return (
    <Bullseye>
      <Empty title={`${what} does not exist`} icon={SearchIcon} level={level}>
        It may have been deleted, or the address is wrong.
      </Empty>
    </Bullseye>
  )
}
