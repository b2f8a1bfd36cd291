import { Button, Modal, ModalBody, ModalFooter, ModalHeader } from '@patternfly/react-core'
import { useEffect } from 'react'
import { useBlocker } from 'react-router'

interface Props {
  unsaved: boolean
  /** The page shows something else, and forgets what is typed, when only the part after the `?` changes. */
  withSearch?: boolean
}

/** Asks before a page with unsaved changes is left. */
export function UnsavedGuard({ unsaved, withSearch = false }: Props) {
  const blocker = useBlocker(
    ({ currentLocation: now, nextLocation: next }) =>
      unsaved && (now.pathname !== next.pathname || (withSearch && now.search !== next.search)),
  )
  useEffect(() => {
    if (!unsaved) return
    const ask = (event: BeforeUnloadEvent): void => event.preventDefault()
    addEventListener('beforeunload', ask)
    return () => removeEventListener('beforeunload', ask)
  }, [unsaved])
  if (blocker.state !== 'blocked') return null
  return (
    <Modal isOpen variant="small" onClose={() => blocker.reset()} aria-labelledby="unsaved" data-test="unsaved">
      <ModalHeader title="Leave without saving?" labelId="unsaved" titleIconVariant="warning" />
      <ModalBody>What you have changed here is not saved and would be lost.</ModalBody>
      <ModalFooter>
        <Button variant="primary" onClick={() => blocker.reset()}>
          Stay
        </Button>
        <Button variant="link" isDanger onClick={() => blocker.proceed()}>
          Leave
        </Button>
      </ModalFooter>
    </Modal>
  )
}
