import { FormGroup, Label, LabelGroup, TextInput } from '@patternfly/react-core'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { useState } from 'react'
import { patch } from '../kube/client.ts'
import { commandFor } from '../model/commands.ts'
import { pairsPatch, parseLabel } from '../model/labels.ts'
import { ActionDialog } from './action-dialog.tsx'
import { FieldHelp } from './text-field.tsx'

export interface EditProps {
  definition: ResourceDefinition
  object: KubeObject
  onClose: () => void
}

/** Changes the labels of an object. */
export function EditLabelsDialog({ definition, object, onClose }: EditProps) {
  const [labels, setLabels] = useState<Readonly<Record<string, string>>>(object.metadata.labels ?? {})
  const [text, setText] = useState('')
  const typed = text.trim() === '' ? undefined : parseLabel(text)
  const problem = typed !== undefined && 'problem' in typed ? typed.problem : undefined
  const wanted = typed !== undefined && 'key' in typed ? { ...labels, [typed.key]: typed.value } : labels
  const changes = pairsPatch(object.metadata.labels ?? {}, wanted)
  const body = { metadata: { labels: changes } }
  const save = async (): Promise<void> => {
    if (changes) await patch(definition, object, body)
    onClose()
  }
  return (
    <ActionDialog
      title="Edit labels"
      submitLabel="Save"
      onSubmit={save}
      onClose={onClose}
      focus="#tags-input"
      {...(problem === undefined ? {} : { disabledReason: 'Correct the label that is typed.' })}
      {...(changes ? { command: commandFor({ do: 'patch', object, patch: body }) } : {})}
    >
      <FormGroup label={`Labels of ${object.metadata.name}`} fieldId="tags-input">
        <LabelGroup numLabels={100} aria-label="Labels">
          {Object.entries(labels).map(([key, value]) => (
            <Label
              key={key}
              textMaxWidth="40ch"
              closeBtnAriaLabel={`Remove ${key}`}
              onClose={() => setLabels(Object.fromEntries(Object.entries(labels).filter(([each]) => each !== key)))}
            >
              {value === '' ? key : `${key}=${value}`}
            </Label>
          ))}
        </LabelGroup>
        <TextInput
          id="tags-input"
          data-test="tags-input"
          value={text}
          placeholder="app=frontend"
          autoComplete="off"
          spellCheck={false}
          aria-describedby="tags-input-help"
          validated={problem === undefined ? 'default' : 'error'}
          onChange={(_, value) => setText(value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || text.trim() === '') return
            // It adds what is typed; only with nothing typed it saves.
            event.preventDefault()
            if (problem !== undefined) return
            setLabels(wanted)
            setText('')
          }}
        />
        <FieldHelp id="tags-input-help" problem={problem} help="key=value, then Enter" />
      </FormGroup>
    </ActionDialog>
  )
}
