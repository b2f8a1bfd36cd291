import {
  Alert,
  Button,
  Form,
  Modal,
  ModalBody,
  ModalFooter,
  ModalHeader,
  Stack,
  StackItem,
} from '@patternfly/react-core'
import { type FormEvent, type ReactNode, useId, useRef, useState } from 'react'
import { Command } from './command.tsx'
import { ErrorDetails } from './error-details.tsx'

interface Props {
  title: string
  submitLabel: string
  /** Does the work; the dialog closes when it resolves, and shows what it threw when not. */
  onSubmit: () => Promise<void>
  onClose: () => void
  /** Why it cannot be submitted now. */
  disabledReason?: string | undefined
  isDanger?: boolean
  /** The equivalent command line. */
  command?: string | undefined
  /** After success the dialog stays, with this below the form, and its first button closes it. */
  outcome?: ReactNode
  children: ReactNode
  variant?: 'small' | 'medium' | 'large'
}

/** The frame all dialogs share: Enter submits, Escape cancels, an error is shown and nothing is lost. */
export function ActionDialog({ title, submitLabel, onSubmit, onClose, outcome, children, ...rest }: Props) {
  const { disabledReason, isDanger = false, command, variant = 'medium' } = rest
  const titleId = useId()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const running = useRef(false)
  const done = outcome !== undefined

  const submit = async (event?: FormEvent): Promise<void> => {
    event?.preventDefault()
    if (done) return onClose()
    if (running.current || disabledReason !== undefined) return
    running.current = true
    setBusy(true)
    setError(undefined)
    try {
      await onSubmit()
    } catch (failed) {
      setError(failed)
    } finally {
      running.current = false
      setBusy(false)
    }
  }

  return (
    <Modal
      isOpen
      variant={variant}
      onClose={() => !busy && onClose()}
      aria-labelledby={titleId}
      id="tab-modal"
      data-test="dialog-modal"
    >
      <ModalHeader title={title} labelId={titleId} />
      <ModalBody>
        <Form id="tab-modal-form" onSubmit={(event) => void submit(event)}>
          {children}
        </Form>
      </ModalBody>
      <ModalFooter>
        <Stack hasGutter style={{ width: '100%' }}>
          {error === undefined ? null : (
            <StackItem>
              <ErrorAlert error={error} />
            </StackItem>
          )}
          {outcome === undefined ? null : <StackItem>{outcome}</StackItem>}
          {command === undefined ? null : (
            <StackItem>
              <Command text={command} />
            </StackItem>
          )}
          {disabledReason === undefined || done ? null : (
            <StackItem>
              <span id="why-not" className="console-subtle">
                {disabledReason}
              </span>
            </StackItem>
          )}
          <StackItem>
            <Button
              type="submit"
              form="tab-modal-form"
              variant={isDanger ? 'danger' : 'primary'}
              data-test="save-button"
              isDisabled={!done && (busy || disabledReason !== undefined)}
              isLoading={busy}
              spinnerAriaValueText={`${submitLabel} is under way`}
              {...(disabledReason === undefined || done ? {} : { 'aria-describedby': 'why-not' })}
            >
              {done ? 'Close' : submitLabel}
            </Button>{' '}
            {done ? null : (
              <Button variant="link" onClick={onClose} isDisabled={busy} data-test="cancel-button">
                Cancel
              </Button>
            )}
          </StackItem>
        </Stack>
      </ModalFooter>
    </Modal>
  )
}

/** What went wrong, where the work was begun. */
export function ErrorAlert({ error, title = 'An error occurred' }: { error: unknown; title?: string }) {
  return (
    <Alert isInline variant="danger" title={title} data-test="error-alert" component="h4">
      <ErrorDetails error={error} />
    </Alert>
  )
}
