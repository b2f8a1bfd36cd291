import { Alert, AlertActionCloseButton, AlertGroup } from '@patternfly/react-core'
import { useSyncExternalStore } from 'react'
import { Link } from 'react-router'
import { ErrorDetails } from './error-details.tsx'
import { hideToast, showToast, toastStore } from './toast-store.ts'

/** How long a passing toast stays; longer while the pointer or the focus is on it. */
const passingMs = 8_000

/** Where toasts appear; a polite live region, so that they are read out without taking the focus. */
export function Toasts() {
  const toasts = useSyncExternalStore(toastStore.subscribe, toastStore.get)
  return (
    <AlertGroup isToast isLiveRegion aria-label="Messages" data-test="toasts">
      {toasts.map(({ key, tone, title, body, link, passing = false }) => (
        <Alert
          // A changed toast is a new message: it is read out, and its time begins anew.
          key={`${key} ${tone} ${title}`}
          variant={tone}
          title={title}
          component="h2"
          data-test={`toast-${tone}`}
          {...(passing ? { timeout: passingMs, onTimeout: () => hideToast(key) } : {})}
          actionClose={<AlertActionCloseButton title={title} onClose={() => hideToast(key)} />}
          actionLinks={
            link === undefined ? undefined : (
              <Link to={link.to} onClick={() => hideToast(key)}>
                {link.text}
              </Link>
            )
          }
        >
          {body}
        </Alert>
      ))}
    </AlertGroup>
  )
}

/** Says that something did not work, why, and what helps. It stays until it is closed. */
export function showError(title: string, error: unknown): string {
  return showToast({ tone: 'danger', title, body: <ErrorDetails error={error} /> })
}
