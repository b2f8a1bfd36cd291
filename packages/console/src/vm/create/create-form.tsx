import { ActionGroup, Alert, Button, Checkbox, Form, FormSection } from '@patternfly/react-core'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { type FormEvent, useMemo, useState } from 'react'
import { create } from '../../kube/client.ts'
import { useObjects } from '../../kube/use-objects.ts'
import { commandFor } from '../../model/commands.ts'
import { fieldProblems } from '../../model/edited-object.ts'
import { atFormFields, type NewVm, type NewVmProblems, newVm, newVmObject, newVmProblems } from '../../model/new-vm.ts'
import { ErrorAlert } from '../../ui/action-dialog.tsx'
import { Command } from '../../ui/command.tsx'
import { TextField } from '../../ui/text-field.tsx'
import { UnsavedGuard } from '../../ui/unsaved-guard.tsx'
import { useMade } from '../../ui/use-made.ts'
import { DiskFields } from './disk-fields.tsx'
import { SizeField } from './size-field.tsx'

interface Props {
  form: NewVm
  onChange: (form: NewVm) => void
  namespace: string
  onCreated: (object: KubeObject) => void
  onCancel: () => void
}

/** What the API said, and of which form: what is changed since may be right. */
interface Refusal {
  form: NewVm
  fields: NewVmProblems
  rest: readonly string[]
  error?: unknown
}

/** The form for a new VM. What it would create is tried by a dry run first, so that errors stand at their fields. */
export function CreateForm({ form, onChange, namespace, onCreated, onCancel }: Props) {
  const vms = useObjects(VirtualMachine, namespace).items
  const names = useMemo(() => new Set(vms.map(({ metadata }) => metadata.name)), [vms])
  const [tried, setTried] = useState(false)
  const [busy, setBusy] = useState(false)
  const [made, setMade] = useMade(onCreated)
  const [refusal, setRefusal] = useState<Refusal>()
  const own = newVmProblems(form, names)
  const refused = refusal?.form === form ? refusal : undefined
  const problems: NewVmProblems = { ...refused?.fields, ...own }
  const sound = Object.keys(own).length === 0
  const change = (part: Partial<NewVm>): void => onChange({ ...form, ...part })

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    setTried(true)
    if (!sound || busy || made) return
    setBusy(true)
    const object = newVmObject(form, namespace)
    try {
      await create(VirtualMachine, object, { dryRun: 'All' })
      setMade(await create(VirtualMachine, object))
    } catch (error) {
      setBusy(false)
      const found = fieldProblems(error)
      setRefusal(found ? { form, ...atFormFields(found) } : { form, fields: {}, rest: [], error })
    }
  }

  return (
    <Form isWidthLimited maxWidth="42rem" onSubmit={(event) => void submit(event)} aria-label="New VirtualMachine">
      <UnsavedGuard unsaved={form !== newVm && made === undefined} />
      <TextField
        id="name"
        label="Name"
        isRequired
        value={form.name}
        onChange={(name) => change({ name })}
        problem={problems.name}
        isTried={tried}
      />
      <TextField
        id="cores"
        label="CPU cores"
        isRequired
        value={form.cores}
        onChange={(cores) => change({ cores })}
        problem={problems.cores}
      />
      <SizeField
        id="memory"
        label="Memory"
        units={['Mi', 'Gi']}
        size={form.memory}
        onChange={(memory) => change({ memory })}
        problem={problems.memory}
      />
      <DiskFields form={form} change={change} namespace={namespace} vms={vms} problems={problems} isTried={tried} />
      <FormSection title="First start" titleElement="h2">
        <TextField
          id="user-data"
          label="cloud-init user data"
          multiline
          value={form.userData}
          onChange={(userData) => change({ userData })}
          problem={problems.userData}
          help="Optional: a script, or a #cloud-config, that the guest runs when it first starts."
        />
        <Checkbox
          id="start"
          label="Start it after creation"
          isChecked={form.start}
          onChange={(_, start) => change({ start })}
        />
      </FormSection>
      <div aria-live="polite">
        {tried && !sound ? (
          <Alert isInline variant="danger" component="h2" title="Correct what is marked above." />
        ) : null}
        {refused?.rest.map((text) => (
          <Alert key={text} isInline variant="danger" component="h2" title={text} />
        ))}
        {refused?.error === undefined ? null : <ErrorAlert error={refused.error} title="It was not created" />}
      </div>
      <ActionGroup>
        <Button type="submit" data-test="save-button" isLoading={busy} isAriaDisabled={busy}>
          Create
        </Button>
        <Button variant="link" onClick={onCancel} data-test="cancel-button">
          Cancel
        </Button>
      </ActionGroup>
      {sound ? <Command text={commandFor({ do: 'create', object: newVmObject(form, namespace) })} /> : null}
    </Form>
  )
}
