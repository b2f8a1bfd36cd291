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
  /** Does the work, and closes the dialog if nothing is left to be shown. What it throws is shown in the dialog. */
  onSubmit: () => Promise<void>
  onClose: () => void
  /** Why it cannot be submitted now. */
  disabledReason?: string | undefined
  isDanger?: boolean
  /** The equivalent command line. */
  command?: string | undefined
  /** After success the dialog stays, with this below the form, and its first button closes it. */
  outcome?: ReactNode
  /** How far the work is, while it is done. */
  progress?: ReactNode
  /** It can be closed, and cancelled, while the work is done; `onClose` ends the work, or lets it go on without it. */
  closesWhileBusy?: boolean
  /** Selector of what has the focus first, such as the first field. Default: the way out, which undoes nothing. */
  focus?: string
  /** What the way out is called; after part of the work is done, it cancels nothing. */
  cancelLabel?: string
  children: ReactNode
  variant?: 'small' | 'medium' | 'large'
}

/** The frame all dialogs share: Enter submits, Escape cancels, an error is shown and nothing is lost. */
export function ActionDialog({ title, submitLabel, onSubmit, onClose, outcome, children, ...rest }: Props) {
  const { disabledReason, isDanger = false, command, variant = 'medium', progress, closesWhileBusy = false } = rest
  const { focus = isDanger ? '#tab-modal [data-test="cancel-button"]' : undefined } = rest
  const { cancelLabel = 'Cancel' } = rest
  const titleId = useId()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const running = useRef(false)
  const done = outcome !== undefined
  const held = busy && !closesWhileBusy

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
      onClose={() => !held && onClose()}
      aria-labelledby={titleId}
      id="tab-modal"
      data-test="dialog-modal"
      {...(focus === undefined ? {} : { elementToFocus: focus })}
    >
      <ModalHeader title={title} labelId={titleId} />
      <ModalBody>
        <Form id="tab-modal-form" onSubmit={(event) => void submit(event)}>
          {children}
        </Form>
        {command === undefined ? null : <Command text={command} />}
      </ModalBody>
      <ModalFooter>
        <Stack hasGutter style={{ width: '100%' }}>
          {error === undefined ? null : (
            <StackItem>
              <ErrorAlert error={error} />
            </StackItem>
          )}
          {progress === undefined || !busy ? null : <StackItem aria-live="polite">{progress}</StackItem>}
          {outcome === undefined ? null : <StackItem>{outcome}</StackItem>}
          {disabledReason === undefined || done || busy ? null : (
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
              // Not `disabled`: the focus stays where it is, and the reason can be read.
              isAriaDisabled={!done && (busy || disabledReason !== undefined)}
              isLoading={busy}
              spinnerAriaValueText={`${submitLabel} is under way`}
              {...(disabledReason === undefined || done || busy ? {} : { 'aria-describedby': 'why-not' })}
            >
              {done ? 'Close' : submitLabel}
            </Button>{' '}
            {done ? null : (
              <Button variant="link" onClick={onClose} isDisabled={held} data-test="cancel-button">
                {cancelLabel}
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
    <Alert isInline isLiveRegion variant="danger" title={title} data-test="error-alert" component="h2">
      <ErrorDetails error={error} />
    </Alert>
  )
}
